//! The number of participants that a session supports on this machine: synthetic devices that send
//! 50 audio packets and 10 video frames a second. It measures, and therefore runs only on request:
//!
//! ```sh
//! PARTICIPANTS=20 cargo test --release --package bw-sandbox --features media --test capacity -- --ignored --nocapture
//! ```

mod support;

use std::net::UdpSocket;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, mpsc};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use str0m::change::{SdpAnswer, SdpOffer};
use str0m::media::{Direction, Frequency, MediaKind, MediaTime, Mid};
use str0m::net::{Protocol, Receive};
use str0m::{Candidate, Event, Input, Output, Rtc};
use support::Sandbox;
use support::websocket::{TEXT, WebSocket, frame};

/// One end of a peer connection, with its own socket.
struct Peer {
    rtc: Rtc,
    socket: UdpSocket,
    timeout: Instant,
}

impl Peer {
    fn new() -> Peer {
        let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
        socket.set_nonblocking(true).unwrap();
        let mut rtc = Rtc::builder().build(Instant::now());
        rtc.add_local_candidate(Candidate::host(socket.local_addr().unwrap(), "udp").unwrap());
        Peer { rtc, socket, timeout: Instant::now() }
    }

    /// Sends and receives. Returns the number of frames that arrived.
    fn drive(&mut self) -> u64 {
        let mut buffer = [0; 2048];
        let mut frames = self.poll();
        while let Ok((length, source)) = self.socket.recv_from(&mut buffer) {
            let destination = self.socket.local_addr().unwrap();
            let receive = Receive::new(Protocol::Udp, source, destination, &buffer[..length]);
            let input = Input::Receive(Instant::now(), receive.unwrap());
            self.rtc.handle_input(input).unwrap();
            frames += self.poll();
        }
        if self.timeout <= Instant::now() {
            self.rtc.handle_input(Input::Timeout(Instant::now())).unwrap();
            frames += self.poll();
        }
        frames
    }

    fn poll(&mut self) -> u64 {
        let mut frames = 0;
        loop {
            match self.rtc.poll_output().unwrap() {
                Output::Transmit(packet) => {
                    let _ = self.socket.send_to(&packet.contents, packet.destination);
                }
                Output::Event(Event::MediaData(_)) => frames += 1,
                Output::Event(_) => {}
                Output::Timeout(time) => {
                    self.timeout = time;
                    return frames;
                }
            }
        }
    }

    fn write(&mut self, mid: Mid, time: u64, clock: Frequency, data: &[u8]) {
        let Some(writer) = self.rtc.writer(mid) else { return };
        let payload_type = writer.payload_params().next().unwrap().pt();
        let time = MediaTime::new(time, clock);
        writer.write(payload_type, Instant::now(), time, data.to_vec()).unwrap();
        self.poll();
    }
}

/// Runs a device until `stop`; counts the frames that arrive.
fn run(mut socket: WebSocket, stop: &AtomicBool, received: &AtomicU64) {
    let mut publish = Peer::new();
    let mut changes = publish.rtc.sdp_api();
    let stream = Some(uuid::Uuid::new_v4().to_string());
    let audio =
        changes.add_media(MediaKind::Audio, Direction::SendOnly, stream.clone(), None, None);
    let video = changes.add_media(MediaKind::Video, Direction::SendOnly, stream, None, None);
    let (offer, pending) = changes.apply().unwrap();
    let response = socket.call("offerSdp", json!({"sdpOffer": offer.to_sdp_string()}));
    let answer = response["result"]["sdpAnswer"].as_str().expect("an answer");
    let answer = SdpAnswer::from_sdp_string(answer).unwrap();
    publish.rtc.sdp_api().accept_answer(pending, answer).unwrap();

    let mut out = socket.stream.try_clone().unwrap();
    let (sender, events) = mpsc::channel();
    socket.events.drain(..).for_each(|event| sender.send(event).unwrap());
    thread::spawn(move || {
        while let Some((TEXT, text)) = socket.receive() {
            let _ = sender.send(serde_json::from_str::<Value>(&text).unwrap());
        }
    });
    let mut subscribe = Peer::new();
    let started = Instant::now();
    let mut ticks = 0;
    while !stop.load(Ordering::Relaxed) {
        for event in events.try_iter().filter(|event| event["method"] == "sdpOffer") {
            let offer = event["params"]["sdpOffer"].as_str().unwrap();
            let offer = SdpOffer::from_sdp_string(offer).unwrap();
            let answer = subscribe.rtc.sdp_api().accept_offer(offer).unwrap().to_sdp_string();
            let call = json!({"id": 1, "method": "answerSdp", "params": {"sdpAnswer": answer}});
            std::io::Write::write_all(&mut out, &frame(TEXT, call.to_string().as_bytes())).unwrap();
        }
        publish.drive();
        received.fetch_add(subscribe.drive(), Ordering::Relaxed);
        if started.elapsed() >= Duration::from_millis(20 * ticks) {
            publish.write(audio, ticks * 960, Frequency::FORTY_EIGHT_KHZ, &[7; 100]);
            if ticks % 5 == 0 {
                publish.write(video, ticks * 1800, Frequency::NINETY_KHZ, &[0; 2500]);
            }
            ticks += 1;
        }
        thread::sleep(Duration::from_millis(1));
    }
}

/// The processor time of a process, in seconds.
fn processor_time(id: u32) -> f64 {
    let stat = std::fs::read_to_string(format!("/proc/{id}/stat")).unwrap();
    let fields: Vec<&str> = stat.rsplit(") ").next().unwrap().split(' ').collect();
    let ticks = |index: usize| fields[index].parse::<f64>().unwrap();
    (ticks(11) + ticks(12)) / 100.0
}

#[test]
#[ignore = "measures the machine"]
fn measures_a_session() {
    str0m::crypto::from_feature_flags().install_process_default();
    let count = std::env::var("PARTICIPANTS").map_or(20, |count| count.parse().unwrap());
    let sandbox = Sandbox::start(&[]);
    let session = sandbox.session();
    let everyone = json!({"sessionId": session}).to_string();
    let (stop, received) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU64::new(0)));
    for _ in 0..count {
        let body = r#"{"publishPermissions":["AUDIO","VIDEO"]}"#;
        let created = sandbox.call("POST", "/participants", body).json;
        let id = created["participant"]["id"].as_str().unwrap();
        sandbox.call("PUT", &format!("/sessions/{session}/participants/{id}"), &everyone);
        let token = created["token"].as_str().unwrap();
        let socket = WebSocket::connect(&sandbox, token, "device").unwrap();
        let (stop, received) = (stop.clone(), received.clone());
        thread::spawn(move || run(socket, &stop, &received));
    }
    let tracks = count * (count - 1) * 2;
    let started = Instant::now();
    support::wait_for("all tracks", || {
        let devices = sandbox.control("GET", "/devices", "").json["devices"].take();
        let devices = devices.as_array().cloned().unwrap_or_default();
        let open: usize = devices.iter().map(|d| d["received"].as_array().unwrap().len()).sum();
        (open == tracks).then_some(())
    });
    println!("{tracks} tracks after {:.1} s", started.elapsed().as_secs_f64());
    thread::sleep(Duration::from_secs(3));
    let seconds = 5;
    let before = (received.load(Ordering::Relaxed), processor_time(sandbox.child.id()));
    let (end, mut times) = (Instant::now() + Duration::from_secs(seconds), Vec::new());
    while Instant::now() < end {
        let call = Instant::now();
        assert_eq!(sandbox.call("GET", &format!("/sessions/{session}"), "").status, 200);
        times.push(call.elapsed().as_secs_f64() * 1000.0);
        thread::sleep(Duration::from_millis(20));
    }
    let arrived = received.load(Ordering::Relaxed) - before.0;
    let time = processor_time(sandbox.child.id()) - before.1;
    stop.store(true, Ordering::Relaxed);
    times.sort_by(f64::total_cmp);
    let expected = (count * (count - 1)) as u64 * 60 * seconds;
    println!(
        "{count} participants: {:.1} % of {expected} frames arrived; the sandbox used {:.0} % of a \
         processor; API calls took {:.1} ms (median), {:.1} ms (99 %)",
        100.0 * arrived as f64 / expected as f64,
        100.0 * time / seconds as f64,
        times[times.len() / 2],
        times[times.len() * 99 / 100],
    );
}
