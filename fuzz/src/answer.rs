//! The service's answer, byte by byte as it comes from the socket: a real client, a real connection,
//! and a peer that says whatever the fuzzer wants.

use std::ffi::CString;
use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::os::fd::AsRawFd;
use std::ptr;
use std::sync::{LazyLock, Mutex, PoisonError};
use std::time::{Duration, Instant};

use bw_webrtc::ffi::*;

use super::abi::{checked, client};

/// What the peer says to the next request; to all others it gives the good answer.
static SAYS: Mutex<Option<Vec<u8>>> = Mutex::new(None);
/// Whether that call is over. Held while the peer answers or decides to close, so that the next call
/// finds all there is to find of the answer, and its connection either closed or kept.
static OVER: Mutex<bool> = Mutex::new(false);

const GOOD: &[u8] = b"HTTP/1.1 200 OK\r\nContent-Length: 15\r\n\r\n{\"id\": \"other\"}";

struct Peer {
    config: CString,
}

static PEER: LazyLock<Peer> = LazyLock::new(|| {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = listener.local_addr().expect("its number").port();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let stream = stream.expect("a connection");
            // One at a time would wait for a connection that the client keeps.
            std::thread::spawn(move || serve(stream));
        }
    });
    let config = format!(
        "{{\"accountId\": \"1\", \"username\": \"user\", \"password\": \"secret\", \
          \"baseUrl\": \"http://127.0.0.1:{port}/v1\", \"maxRetries\": 0, \"timeoutMs\": 20000, \
          \"maxResponseBytes\": 4096}}"
    );
    Peer { config: CString::new(config).expect("no NUL") }
});

fn serve(mut stream: TcpStream) {
    let mut bytes = [0; 4096];
    let mut request = Vec::new();
    loop {
        match stream.read(&mut bytes) {
            Ok(0) => return,
            Ok(count) => request.extend_from_slice(&bytes[..count]),
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {
                let over = OVER.lock().unwrap_or_else(PoisonError::into_inner);
                if !*over {
                    let _ = stream.shutdown(Shutdown::Both);
                    return;
                }
            }
            Err(_) => return,
        }
        // No request here has a body.
        if !request.ends_with(b"\r\n\r\n") {
            continue;
        }
        request.clear();
        let says = SAYS.lock().unwrap_or_else(PoisonError::into_inner).take();
        let Some(says) = says else {
            if stream.write_all(GOOD).is_err() {
                return;
            }
            continue;
        };
        // The first byte says how the rest is cut into writes, and whether the connection stays.
        let (how, says) = says.split_first().unwrap_or((&0, &[]));
        let piece = if how & 0x7f == 0 { says.len().max(1) } else { usize::from(how & 0x7f) };
        let over = OVER.lock().unwrap_or_else(PoisonError::into_inner);
        for part in says.chunks(piece) {
            if stream.write_all(part).is_err() {
                return;
            }
        }
        if how & 0x80 == 0 {
            let _ = stream.shutdown(Shutdown::Write);
            wait_until_received(&stream);
            drop(over);
            // Until the client closes too.
            while stream.read(&mut bytes).is_ok_and(|count| count > 0) {}
            return;
        }
        drop(over);
        // Where the answer has no end, the client waits for more of it: no longer than this.
        let _ = stream.set_read_timeout(Some(Duration::from_millis(3)));
    }
}

/// Waits a while for the client's kernel to have all that was sent, its end included.
fn wait_until_received(stream: &TcpStream) {
    for _ in 0..100 {
        let mut unacknowledged: libc::c_int = 0;
        // SAFETY: a descriptor that is open and a writable place.
        let asked =
            unsafe { libc::ioctl(stream.as_raw_fd(), libc::TIOCOUTQ, &raw mut unacknowledged) };
        if asked != 0 || unacknowledged == 0 {
            return;
        }
        std::thread::sleep(Duration::from_millis(1));
    }
}

/// One answer, and a call after it, which must get its own.
pub fn run(data: &[u8]) {
    let client = client(&PEER.config).expect("a good configuration");
    *OVER.lock().unwrap_or_else(PoisonError::into_inner) = false;
    *SAYS.lock().unwrap_or_else(PoisonError::into_inner) = Some(data.to_vec());
    let began = Instant::now();
    let get = |session: &std::ffi::CStr| {
        let mut out = ptr::null_mut();
        // SAFETY: a C string and a writable place.
        let status = unsafe { bw_get_session(client, session.as_ptr(), &raw mut out) };
        checked(status, out)
    };
    if let Err(document) = get(c"one") {
        let outcome = &document["error"]["outcome"];
        assert!(outcome == "unknown" || outcome == "rejected", "{document}");
        // The peer saw the request, whatever it said.
        let is_4xx = document["error"]["httpStatus"]
            .as_u64()
            .is_some_and(|status| (400..500).contains(&status) || status == 503);
        assert!(outcome != "rejected" || is_4xx, "{document}");
    }
    assert!(began.elapsed() < Duration::from_secs(10), "it took {:?}", began.elapsed());
    *OVER.lock().unwrap_or_else(PoisonError::into_inner) = true;
    let other = get(c"other").expect("a good answer");
    assert_eq!(other["id"], "other", "the answer to another call");
    bw_client_free(client);
}
