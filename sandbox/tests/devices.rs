//! Devices without a browser: messages of the websocket, and hostile input, during which the API must
//! respond. The times are printed (`cargo test -- --nocapture`).

mod support;

use std::io::Write;
use std::net::UdpSocket;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use str0m::Rtc;
use str0m::media::{Direction, MediaKind};
use support::websocket::{CLOSE, TEXT, WebSocket, frame, handshake};
use support::{Sandbox, wait_for};

/// A participant that may publish audio and video: its id and its token.
fn participant(sandbox: &Sandbox) -> (String, String) {
    let body = r#"{"publishPermissions":["AUDIO","VIDEO"]}"#;
    let created = sandbox.call("POST", "/participants", body).json;
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    (text(&created["participant"]["id"]), text(&created["token"]))
}

fn connect(sandbox: &Sandbox) -> WebSocket {
    WebSocket::connect(sandbox, &participant(sandbox).1, "device").unwrap()
}

fn devices(sandbox: &Sandbox) -> Value {
    sandbox.control("GET", "/devices", "").json
}

/// An offer with audio and video, as a browser makes it.
fn offer() -> String {
    // Fails if another test has installed it before.
    let _ = std::panic::catch_unwind(|| {
        str0m::crypto::from_feature_flags().install_process_default();
    });
    let mut rtc = Rtc::builder().build(Instant::now());
    let mut changes = rtc.sdp_api();
    changes.add_channel("__heartbeat__".into());
    for kind in [MediaKind::Audio, MediaKind::Video] {
        changes.add_media(kind, Direction::SendOnly, Some("stream".into()), None, None);
    }
    changes.apply().unwrap().0.to_sdp_string()
}

#[test]
fn calls_have_responses_and_errors_of_json_rpc() {
    let sandbox = Sandbox::start(&[]);
    let mut socket = connect(&sandbox);
    let preferences = socket.call("setMediaPreferences", json!({"protocol": "WEBRTC"}));
    assert_eq!(preferences, json!({"jsonrpc": "2.0", "id": 1, "result": {}}));
    let published = socket.call(
        "offerSdp",
        json!({"sdpOffer": offer(), "mediaMetadata": {
            "mediaStreams": {"stream": {"alias": "camera"}}, "dataChannels": {},
        }}),
    );
    let result = &published["result"];
    assert!(result["sdpAnswer"].as_str().unwrap().contains(" 127.0.0.1 "), "{result}");
    let stream = &result["streamMetadata"]["stream"];
    assert_eq!(stream["mediaTypes"], json!(["AUDIO", "VIDEO"]));
    assert_eq!(
        (&stream["alias"], &stream["endpointId"]),
        (&json!("camera"), &result["endpointId"])
    );
    assert_eq!(socket.call("subscribe", json!({}))["error"]["code"], -32601);
    assert_eq!(socket.call("answerSdp", json!({}))["error"]["code"], -32602);
    assert_eq!(socket.call("offerSdp", json!({"sdpOffer": "v=0"}))["error"]["code"], -32602);
    for (text, code) in [("{", -32700), ("[]", -32600), (r#"{"id":"x","method":1}"#, -32600)] {
        socket.send(text);
        assert_eq!(socket.message()["error"]["code"], code, "{text}");
    }
    socket.send(r#"{"id":"text","method":"ping"}"#);
    assert_eq!(socket.message(), json!({"jsonrpc": "2.0", "id": "text", "result": {}}));
}

#[test]
fn device_that_leaves_is_closed_with_1000_and_its_participant_leaves_the_session() {
    let sandbox = Sandbox::start(&[]);
    let (id, token) = participant(&sandbox);
    let session = sandbox.session();
    sandbox.call("PUT", &format!("/sessions/{session}/participants/{id}"), "");
    let mut socket = WebSocket::connect(&sandbox, &token, "device").unwrap();
    wait_for("the device", || devices(&sandbox)["devices"].get(0).map(|_| ()));
    socket.send(r#"{"jsonrpc":"2.0","method":"leave"}"#);
    assert_eq!(socket.receive(), Some((CLOSE, "1000".into())));
    let member = sandbox.call("GET", &format!("/participants/{id}"), "").json;
    assert_eq!(member["sessions"], json!([]));
}

#[test]
fn reset_disconnects_all_devices_for_good() {
    let sandbox = Sandbox::start(&[]);
    let (_, token) = participant(&sandbox);
    let mut socket = WebSocket::connect(&sandbox, &token, "device").unwrap();
    sandbox.reset();
    assert_eq!(socket.receive(), Some((CLOSE, "1000".into())));
    assert_eq!(WebSocket::connect(&sandbox, &token, "device").err(), Some(403));
    assert_eq!(WebSocket::connect(&sandbox, "", "device").err(), Some(403));
}

#[test]
fn participant_has_at_most_ten_devices() {
    let sandbox = Sandbox::start(&[]);
    let (_, token) = participant(&sandbox);
    let connect = |number: usize| {
        let mut socket = WebSocket::connect(&sandbox, &token, &number.to_string()).unwrap();
        socket.send(r#"{"id":1,"method":"ping"}"#);
        let received = socket.receive();
        (socket, received.unwrap())
    };
    let open: Vec<_> = (0..10).map(connect).collect();
    assert!(open.iter().all(|(_, (opcode, _))| *opcode == TEXT));
    assert_eq!(connect(10).1, (CLOSE, "1008".into()));
    // The same device again takes over.
    assert_eq!(connect(9).1.0, TEXT);
}

#[test]
fn device_that_sends_too_many_messages_waits() {
    let sandbox = Sandbox::start(&[]);
    let mut socket = connect(&sandbox);
    let started = Instant::now();
    socket.stream.write_all(&frame(TEXT, br#"{"id":1,"method":"ping"}"#).repeat(200)).unwrap();
    for _ in 0..200 {
        assert!(socket.message()["result"].is_object());
    }
    // The first 50 messages are processed at once, the others at 50 a second.
    let elapsed = started.elapsed();
    assert!(elapsed >= Duration::from_millis(2900), "{elapsed:?}");
    // Pings of the websocket count as well.
    socket.stream.write_all(&frame(9, b"").repeat(50)).unwrap();
    socket.send(r#"{"id":2,"method":"ping"}"#);
    assert_eq!(socket.message()["id"], 2);
    assert!(started.elapsed() >= elapsed + Duration::from_millis(900));
}

/// The next pseudo-random number of a fixed sequence, below `limit`.
fn random(seed: &mut u64, limit: usize) -> usize {
    *seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
    ((*seed >> 33) as usize) % limit
}

/// A text with a few changed, removed and repeated parts.
fn mutate(text: &str, seed: &mut u64) -> String {
    let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
    for _ in 0..=random(seed, 4) {
        let index = random(seed, lines.len());
        match random(seed, 6) {
            0 => drop(lines.remove(index)),
            1 => lines.insert(index, lines[random(seed, lines.len())].clone()),
            2 => lines[index] = "a=mid:".to_owned() + &"9".repeat(random(seed, 400)),
            3 => lines[index] = lines[index].replace(['0', '1', '9'], "99999999999"),
            4 => lines.truncate(index.max(1)),
            _ => {
                let mut bytes = std::mem::take(&mut lines[index]).into_bytes();
                if !bytes.is_empty() {
                    let at = random(seed, bytes.len());
                    bytes[at] = random(seed, 128) as u8;
                }
                lines[index] = String::from_utf8(bytes).unwrap();
            }
        }
    }
    lines.join("\r\n") + "\r\n"
}

#[test]
fn invalid_sdp_is_rejected_and_concerns_only_its_device() {
    let sandbox = Sandbox::start(&[]);
    let (offer, mut seed) = (offer(), 7);
    let mut accepted = 0;
    for _ in 0..20 {
        let mut socket = connect(&sandbox);
        for _ in 0..20 {
            let method = ["offerSdp", "offerSdp", "answerSdp"][random(&mut seed, 3)];
            let sdp = mutate(&offer, &mut seed);
            let response = socket.call(method, json!({"sdpOffer": sdp, "sdpAnswer": sdp}));
            accepted += usize::from(response.get("result").is_some());
            assert!(response.get("result").is_some() != response.get("error").is_some());
        }
    }
    println!("{accepted} of 400 changed offers and answers were accepted");
    let valid = connect(&sandbox).call("offerSdp", json!({"sdpOffer": offer}));
    assert!(valid["result"]["sdpAnswer"].is_string());
}

/// The times of API calls while `attack` runs on other threads.
fn measure(sandbox: &Sandbox, what: &str, attack: impl Fn(&AtomicBool) + Sync) {
    let stop = AtomicBool::new(false);
    thread::scope(|scope| {
        scope.spawn(|| attack(&stop));
        thread::sleep(Duration::from_millis(200));
        let end = Instant::now() + Duration::from_secs(2);
        let mut times = Vec::new();
        while Instant::now() < end || times.len() < 20 {
            let started = Instant::now();
            assert_eq!(sandbox.call("POST", "/sessions", "{}").status, 200);
            times.push(started.elapsed().as_secs_f64() * 1000.0);
            thread::sleep(Duration::from_millis(5));
        }
        stop.store(true, Ordering::Relaxed);
        let requests = sandbox.requests();
        let own = requests.iter().rev().filter(|request| request["operation"] == "createSession");
        let own = own.take(times.len()).filter_map(|request| request["durationMs"].as_u64()).max();
        times.sort_by(f64::total_cmp);
        let (median, slow) = (times[times.len() / 2], times[times.len() * 99 / 100]);
        let worst = times[times.len() - 1];
        println!(
            "{what}: {median:.1} ms median, {slow:.1} ms 99 %, {worst:.1} ms at most, of which the sandbox \
             used at most {} ms",
            own.unwrap_or_default()
        );
        // The requirement is 50 ms. A busy machine may be slower without a fault of the sandbox.
        assert!(median < 1000.0, "{what}: {median} ms");
    });
}

#[test]
fn api_responds_during_hostile_input() {
    let sandbox = Sandbox::start(&[]);
    let until = |stop: &AtomicBool, mut work: Box<dyn FnMut() + '_>| {
        while !stop.load(Ordering::Relaxed) {
            work();
        }
    };
    measure(&sandbox, "nothing", |_| {});

    measure(&sandbox, "1000 half-open sockets", |stop| {
        let tokens: Vec<String> = (0..100).map(|_| participant(&sandbox).1).collect();
        let mut open = Vec::new();
        for number in 0..1000 {
            let token = &tokens[number / 10];
            let request = handshake(&format!("/v3/?token={token}&uniqueId={number}"));
            let mut stream = sandbox.connect();
            // Half of them never complete the request, the others never send a frame.
            let length = if number % 2 == 0 { request.len() / 2 } else { request.len() };
            stream.write_all(&request.as_bytes()[..length]).unwrap();
            open.push(stream);
        }
        until(stop, Box::new(|| thread::sleep(Duration::from_millis(10))));
    });

    let large = frame(TEXT, &vec![b' '; 1 << 20]);
    measure(&sandbox, "frames of 1 MB", |stop| {
        until(stop, Box::new(|| drop(connect(&sandbox).stream.write_all(&large))));
    });

    let ping = frame(TEXT, br#"{"jsonrpc":"2.0","method":"ping","params":{}}"#).repeat(100);
    measure(&sandbox, "as many messages as 4 sockets accept", |stop| {
        let mut sockets: Vec<WebSocket> = (0..4).map(|_| connect(&sandbox)).collect();
        for socket in &sockets {
            socket.stream.set_write_timeout(Some(Duration::from_millis(10))).unwrap();
        }
        until(stop, Box::new(|| sockets.iter_mut().for_each(|s| drop(s.stream.write_all(&ping)))));
    });

    let garbage = ["[[[[", "{\"id\":1}", "\\u0000", "null", "{\"method\":\"x\",\"id\":{}}"];
    let garbage: Vec<u8> = garbage.iter().flat_map(|text| frame(TEXT, text.as_bytes())).collect();
    measure(&sandbox, "invalid JSON-RPC", |stop| {
        let mut socket = connect(&sandbox);
        socket.stream.set_write_timeout(Some(Duration::from_millis(10))).unwrap();
        until(stop, Box::new(|| drop(socket.stream.write_all(&garbage))));
    });

    let (offer, answer) =
        (offer(), connect(&sandbox).call("offerSdp", json!({"sdpOffer": offer()})));
    measure(&sandbox, "changed offers", |stop| {
        let (mut socket, mut seed) = (connect(&sandbox), 1);
        let send = || drop(socket.call("offerSdp", json!({"sdpOffer": mutate(&offer, &mut seed)})));
        until(stop, Box::new(send));
    });

    let sdp = answer["result"]["sdpAnswer"].as_str().unwrap();
    let candidate = sdp.split("127.0.0.1 ").nth(1).expect("a candidate");
    let port: u16 = candidate.split(' ').next().unwrap().parse().unwrap();
    let ignored = || devices(&sandbox)["ignoredDatagrams"].as_u64().unwrap();
    let before = ignored();
    measure(&sandbox, "media from an unknown address", |stop| {
        let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
        let (mut packet, mut seed) = ([0x80; 1200], 5);
        until(
            stop,
            Box::new(|| {
                // STUN, DTLS, RTP, RTCP and anything else.
                packet[0] = [0, 22, 0x80, 0x81, 0xff][random(&mut seed, 5)];
                packet[1] = random(&mut seed, 256) as u8;
                let _ = socket.send_to(&packet[..random(&mut seed, 1200)], ("127.0.0.1", port));
            }),
        );
    });
    wait_for("the datagrams", || (ignored() > before + 1000).then_some(()));
    println!("{} datagrams were ignored", ignored() - before);
    assert!(connect(&sandbox).call("ping", json!({}))["result"].is_object());
}
