//! Responses of the service: a client calls a server on the loopback interface, which sends the bytes that
//! the fuzzer chose.

use std::ffi::CString;
use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::os::fd::AsRawFd;
use std::ptr;
use std::sync::{LazyLock, Mutex, PoisonError};
use std::time::{Duration, Instant};

use bw_webrtc::ffi::*;

use super::abi::{checked_document, new_client};

/// The input, which the server sends to the next request. All other requests receive `VALID_RESPONSE`.
static NEXT_RESPONSE: Mutex<Option<Vec<u8>>> = Mutex::new(None);
/// Whether that call has returned. The server holds the lock while it sends or decides to close the
/// connection, so that the next call finds the whole response, and the connection either closed or open.
static RETURNED: Mutex<bool> = Mutex::new(false);

const VALID_RESPONSE: &[u8] = b"HTTP/1.1 200 OK\r\nContent-Length: 15\r\n\r\n{\"id\": \"other\"}";

/// The configuration of a client of the server. The first use starts the server.
static CONFIG: LazyLock<CString> = LazyLock::new(|| {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = listener.local_addr().expect("the address").port();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let stream = stream.expect("a connection");
            // In parallel, since the client keeps idle connections open.
            std::thread::spawn(move || serve(stream));
        }
    });
    let config = format!(
        "{{\"accountId\": \"1\", \"username\": \"user\", \"password\": \"secret\", \
          \"baseUrl\": \"http://127.0.0.1:{port}/v1\", \"maxRetries\": 0, \"timeoutMs\": 20000, \
          \"maxResponseBytes\": 4096}}"
    );
    CString::new(config).expect("no NUL")
});

fn serve(mut stream: TcpStream) {
    let mut bytes = [0; 4096];
    let mut request = Vec::new();
    loop {
        match stream.read(&mut bytes) {
            Ok(0) => return,
            Ok(count) => request.extend_from_slice(&bytes[..count]),
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {
                let returned = RETURNED.lock().unwrap_or_else(PoisonError::into_inner);
                if !*returned {
                    let _ = stream.shutdown(Shutdown::Both);
                    return;
                }
            }
            Err(_) => return,
        }
        // The requests have no body.
        if !request.ends_with(b"\r\n\r\n") {
            continue;
        }
        request.clear();
        let next = NEXT_RESPONSE.lock().unwrap_or_else(PoisonError::into_inner).take();
        let Some(input) = next else {
            if stream.write_all(VALID_RESPONSE).is_err() {
                return;
            }
            continue;
        };
        // The first byte contains the size of each write, and whether the connection stays open.
        let (mode, bytes_to_send) = input.split_first().unwrap_or((&0, &[]));
        let size = match mode & 0x7f {
            0 => bytes_to_send.len().max(1),
            size => size.into(),
        };
        let returned = RETURNED.lock().unwrap_or_else(PoisonError::into_inner);
        for part in bytes_to_send.chunks(size) {
            if stream.write_all(part).is_err() {
                return;
            }
        }
        if mode & 0x80 == 0 {
            let _ = stream.shutdown(Shutdown::Write);
            wait_until_received(&stream);
            drop(returned);
            // Waits until the client closes the connection.
            while stream.read(&mut bytes).is_ok_and(|count| count > 0) {}
            return;
        }
        drop(returned);
        // If the response is incomplete, the client waits for the rest: the timeout limits this.
        let _ = stream.set_read_timeout(Some(Duration::from_millis(3)));
    }
}

/// Waits up to 100 ms until the client's kernel has received everything that was sent.
fn wait_until_received(stream: &TcpStream) {
    for _ in 0..100 {
        let mut unacknowledged: libc::c_int = 0;
        // SAFETY: an open descriptor and a valid output parameter.
        let result =
            unsafe { libc::ioctl(stream.as_raw_fd(), libc::TIOCOUTQ, &raw mut unacknowledged) };
        if result != 0 || unacknowledged == 0 {
            return;
        }
        std::thread::sleep(Duration::from_millis(1));
    }
}

/// Makes a call that receives the input as its response, then a second call, which must receive its own
/// response.
pub fn run(data: &[u8]) {
    let client = new_client(&CONFIG).expect("a valid configuration");
    *RETURNED.lock().unwrap_or_else(PoisonError::into_inner) = false;
    *NEXT_RESPONSE.lock().unwrap_or_else(PoisonError::into_inner) = Some(data.to_vec());
    let began = Instant::now();
    let get = |session: &std::ffi::CStr| {
        let mut out = ptr::null_mut();
        // SAFETY: a C string and a valid output parameter.
        let status = unsafe { bw_get_session(client, session.as_ptr(), &raw mut out) };
        checked_document(status, out)
    };
    if let Err(document) = get(c"one") {
        let outcome = &document["error"]["outcome"];
        assert!(outcome == "unknown" || outcome == "rejected", "{document}");
        // The server has received the request, so the outcome is never `not_sent`.
        let is_4xx = document["error"]["httpStatus"]
            .as_u64()
            .is_some_and(|status| (400..500).contains(&status) || status == 503);
        assert!(outcome != "rejected" || is_4xx, "{document}");
    }
    assert!(began.elapsed() < Duration::from_secs(10), "the call took {:?}", began.elapsed());
    *RETURNED.lock().unwrap_or_else(PoisonError::into_inner) = true;
    let other = get(c"other").expect("a valid response");
    assert_eq!(other["id"], "other", "the response to another call");
    bw_client_free(client);
}
