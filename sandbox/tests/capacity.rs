//! A session with many participants: synthetic devices that send 50 audio packets and 10 video frames a
//! second. Everyone must receive everyone; with 4 participants, every machine can do this. How much of it
//! arrives depends on the machine, and is only printed:
//!
//! ```sh
//! PARTICIPANTS=20 cargo test --release --package bw-sandbox --features media --test capacity -- --nocapture
//! ```

mod support;

use std::collections::HashSet;
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

/// What all devices count.
#[derive(Default)]
struct Counters {
    sent: AtomicU64,
    arrived: AtomicU64,
    stop: AtomicBool,
}

/// Runs a device until `stop`; counts the frames that it sends and that arrive.
fn run(mut socket: WebSocket, counters: &Counters) {
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
    while !counters.stop.load(Ordering::Relaxed) {
        for event in events.try_iter().filter(|event| event["method"] == "sdpOffer") {
            let offer = event["params"]["sdpOffer"].as_str().unwrap();
            let offer = SdpOffer::from_sdp_string(offer).unwrap();
            let answer = subscribe.rtc.sdp_api().accept_offer(offer).unwrap().to_sdp_string();
            let call = json!({"id": 1, "method": "answerSdp", "params": {"sdpAnswer": answer}});
            std::io::Write::write_all(&mut out, &frame(TEXT, call.to_string().as_bytes())).unwrap();
        }
        publish.drive();
        counters.arrived.fetch_add(subscribe.drive(), Ordering::Relaxed);
        if started.elapsed() >= Duration::from_millis(20 * ticks) {
            let frames = if ticks % 5 == 0 { 2 } else { 1 };
            counters.sent.fetch_add(frames, Ordering::Relaxed);
            publish.write(audio, ticks * 960, Frequency::FORTY_EIGHT_KHZ, &[7; 100]);
            if frames == 2 {
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

/// The number of datagrams that the UDP sockets of a process have dropped because their buffer was full.
fn dropped(id: u32) -> u64 {
    let files = std::fs::read_dir(format!("/proc/{id}/fd")).unwrap();
    let targets = files.filter_map(|file| std::fs::read_link(file.ok()?.path()).ok());
    let own: HashSet<String> = targets.map(|path| path.display().to_string()).collect();
    let sockets = std::fs::read_to_string(format!("/proc/{id}/net/udp")).unwrap();
    let drops = sockets.lines().skip(1).filter_map(|line| {
        let fields: Vec<&str> = line.split_whitespace().collect();
        own.contains(&format!("socket:[{}]", fields[9])).then(|| fields[12].parse::<u64>().unwrap())
    });
    drops.sum()
}

/// The frames of each track that devices publish (`published`) or receive (`received`).
fn frames(sandbox: &Sandbox, side: &str) -> Vec<u64> {
    let devices = sandbox.control("GET", "/devices", "").json["devices"].take();
    let devices = devices.as_array().cloned().unwrap_or_default();
    let tracks = devices.iter().flat_map(|device| device[side].as_array().unwrap());
    tracks.map(|track| track["frames"].as_u64().unwrap()).collect()
}

#[test]
fn everyone_receives_everyone() {
    str0m::crypto::from_feature_flags().install_process_default();
    let count = std::env::var("PARTICIPANTS").map_or(4, |count| count.parse().unwrap());
    let sandbox = Sandbox::start(&[]);
    let session = sandbox.session();
    let everyone = json!({"sessionId": session}).to_string();
    let counters = Arc::new(Counters::default());
    for _ in 0..count {
        let body = r#"{"publishPermissions":["AUDIO","VIDEO"]}"#;
        let created = sandbox.call("POST", "/participants", body).json;
        let id = created["participant"]["id"].as_str().unwrap();
        sandbox.call("PUT", &format!("/sessions/{session}/participants/{id}"), &everyone);
        let token = created["token"].as_str().unwrap();
        let socket = WebSocket::connect(&sandbox, token, "device").unwrap();
        let counters = counters.clone();
        thread::spawn(move || run(socket, &counters));
    }
    let tracks = count * (count - 1) * 2;
    let started = Instant::now();
    support::wait_for("media of all tracks", || {
        let frames = frames(&sandbox, "received");
        (frames.len() == tracks && frames.iter().all(|frames| *frames > 0)).then_some(())
    });
    println!("{tracks} tracks after {:.1} s", started.elapsed().as_secs_f64());
    let figures = || {
        let counted =
            [&counters.sent, &counters.arrived].map(|count| count.load(Ordering::Relaxed));
        let of_sandbox =
            ["published", "received"].map(|side| frames(&sandbox, side).iter().sum::<u64>());
        let processes = [sandbox.child.id(), std::process::id()];
        (counted, processes.map(processor_time), processes.map(dropped), of_sandbox)
    };
    let before = figures();
    let (started, mut times) = (Instant::now(), Vec::new());
    while started.elapsed() < Duration::from_secs(5) {
        let call = Instant::now();
        assert_eq!(sandbox.call("GET", &format!("/sessions/{session}"), "").status, 200);
        times.push(call.elapsed().as_secs_f64() * 1000.0);
        thread::sleep(Duration::from_millis(20));
    }
    let (seconds, after) = (started.elapsed().as_secs_f64(), figures());
    counters.stop.store(true, Ordering::Relaxed);
    times.sort_by(f64::total_cmp);
    let [sent, arrived] = [0, 1].map(|index| (after.0[index] - before.0[index]) as f64);
    let [published, forwarded] = [0, 1].map(|index| (after.3[index] - before.3[index]) as f64);
    let others = (count - 1) as f64;
    let used = [0, 1].map(|index| after.1[index] - before.1[index]);
    println!(
        "{count} participants: each sent {:.1} frames a second; {:.1} % of them arrived at the sandbox, which \
         sent {:.1} % to each other device, where {:.1} % arrived; \
         the sandbox used {:.0} % of a processor ({:.1} us for each frame that arrived), the devices {:.0} %; \
         full buffers lost {} datagrams of the sandbox and {} of the devices; \
         API calls took {:.1} ms (median), {:.1} ms (99 %)",
        sent / seconds / count as f64,
        100.0 * published / sent,
        100.0 * forwarded / (sent * others),
        100.0 * arrived / (sent * others),
        100.0 * used[0] / seconds,
        1e6 * used[0] / arrived,
        100.0 * used[1] / seconds,
        after.2[0] - before.2[0],
        after.2[1] - before.2[1],
        times[times.len() / 2],
        times[times.len() * 99 / 100],
    );
}
