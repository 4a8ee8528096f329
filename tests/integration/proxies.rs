//! Proxies: tunnels with HTTP CONNECT and SOCKS5, with and without credentials. Only the proxy receives
//! its credentials, and only the service receives those of the API.

use std::collections::HashMap;
use std::io::{self, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

use crate::support::abi::Client;
use crate::support::process::Sandbox;
use crate::support::secrets;
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use serde_json::json;

const USER: &str = "proxyuser";
const PASSWORD: &str = "proxy-pass phrase@";

/// The beginning of a response whose head never ends.
static ENDLESS: [u8; 20_000] = {
    let mut bytes = [b'x'; 20_000];
    let line = b"HTTP/1.1 200 OK\r\nX: ";
    let mut at = 0;
    while at < line.len() {
        bytes[at] = line[at];
        at += 1;
    }
    bytes
};

/// The behavior of a proxy.
#[derive(Clone, Copy, PartialEq)]
enum ProxyBehavior {
    Open,
    RequiresCredentials,
    /// Responds to a request for a tunnel with these bytes.
    Sends(&'static [u8]),
}

/// An HTTP and SOCKS5 proxy. It connects to 127.0.0.1 for every name, and records all bytes that it could
/// read.
struct Proxy {
    address: String,
    received: Arc<Mutex<Vec<u8>>>,
    targets: Arc<Mutex<HashMap<String, usize>>>,
}

impl Proxy {
    fn start(behavior: ProxyBehavior) -> Proxy {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let (received, targets): (Arc<Mutex<Vec<u8>>>, _) = Default::default();
        let proxy = Proxy { address, received, targets };
        let (received, targets) = (proxy.received.clone(), proxy.targets.clone());
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let (received, targets) = (received.clone(), targets.clone());
                std::thread::spawn(move || {
                    let _ = serve(stream.unwrap(), behavior, &received, &targets);
                });
            }
        });
        proxy
    }
}

fn serve(
    mut client: TcpStream,
    behavior: ProxyBehavior,
    received: &Arc<Mutex<Vec<u8>>>,
    targets: &Mutex<HashMap<String, usize>>,
) -> io::Result<()> {
    let mut first = [0];
    client.peek(&mut first)?;
    let target =
        if first == [5] { socks5(&mut client, behavior)? } else { connect(&mut client, behavior)? };
    let Some(target) = target else { return Ok(()) };
    *targets.lock().unwrap().entry(target.clone()).or_default() += 1;
    let port = target.rsplit(':').next().unwrap();
    let mut service = TcpStream::connect(format!("127.0.0.1:{port}"))?;
    let (mut from_service, mut to_client) = (service.try_clone()?, client.try_clone()?);
    std::thread::spawn(move || io::copy(&mut from_service, &mut to_client));
    let mut bytes = [0; 4096];
    loop {
        let count = client.read(&mut bytes)?;
        if count == 0 {
            return Ok(());
        }
        received.lock().unwrap().extend_from_slice(&bytes[..count]);
        service.write_all(&bytes[..count])?;
    }
}

/// The target, or `None` if the request was rejected.
fn connect(client: &mut TcpStream, behavior: ProxyBehavior) -> io::Result<Option<String>> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        client.read_exact(&mut byte)?;
        head.extend(byte);
    }
    let head = String::from_utf8(head).unwrap();
    if let ProxyBehavior::Sends(bytes) = behavior {
        client.write_all(bytes)?;
        return Ok(None);
    }
    let basic = BASE64_STANDARD.encode(format!("{}:{PASSWORD}", USER));
    let sent = head.contains(&format!("\r\nProxy-Authorization: Basic {basic}\r\n"));
    if (behavior == ProxyBehavior::RequiresCredentials) != sent {
        client.write_all(
            b"HTTP/1.1 407 Proxy Authentication Required\r\nProxy-Authenticate: Basic realm=x\r\n\r\n",
        )?;
        return Ok(None);
    }
    assert!(!head.contains("\r\nAuthorization") && !head.contains("accounts"), "{head}");
    client.write_all(b"HTTP/1.1 200 Connection established\r\nVia: test\r\n\r\n")?;
    Ok(head.split(' ').nth(1).map(str::to_owned))
}

fn socks5(client: &mut TcpStream, behavior: ProxyBehavior) -> io::Result<Option<String>> {
    let read = |client: &mut TcpStream, count: usize| -> io::Result<Vec<u8>> {
        let mut bytes = vec![0; count];
        client.read_exact(&mut bytes).map(|()| bytes)
    };
    let count = read(client, 2)?[1];
    let methods = read(client, count.into())?;
    if let ProxyBehavior::Sends(bytes) = behavior {
        client.write_all(bytes)?;
        return Ok(None);
    }
    let method = if behavior == ProxyBehavior::RequiresCredentials { 2 } else { 0 };
    if !methods.contains(&method) {
        client.write_all(&[5, 255])?;
        return Ok(None);
    }
    client.write_all(&[5, method])?;
    if method == 2 {
        let length = read(client, 2)?[1];
        let name = read(client, length.into())?;
        let length = read(client, 1)?[0];
        let password = read(client, length.into())?;
        let good = name == USER.as_bytes() && password == PASSWORD.as_bytes();
        client.write_all(&[1, u8::from(!good)])?;
        if !good {
            return Ok(None);
        }
    }
    let form = read(client, 4)?[3];
    let host = match form {
        1 => read(client, 4)?.iter().map(u8::to_string).collect::<Vec<_>>().join("."),
        _ => {
            let length = read(client, 1)?[0];
            String::from_utf8(read(client, length.into())?).unwrap()
        }
    };
    let port = read(client, 2)?;
    client.write_all(&[5, 0, 0, 3, 4, b'h', b'e', b'r', b'e', 0, 80])?;
    Ok(Some(format!("{host}:{}", u16::from_be_bytes([port[0], port[1]]))))
}

fn proxy_url(scheme: &str, proxy: &Proxy, password: Option<&str>) -> String {
    let credentials = password.map_or(String::new(), |password| {
        format!("{USER}:{}@", password.replace(' ', "%20").replace('@', "%40"))
    });
    format!("{scheme}://{credentials}{}", proxy.address)
}

#[test]
fn proxy_cannot_read_calls_in_its_tunnel() {
    secrets::add_credentials(USER, PASSWORD);
    let sandbox = Sandbox::start_tls();
    for scheme in ["http", "socks5"] {
        for (behavior, password) in
            [(ProxyBehavior::Open, None), (ProxyBehavior::RequiresCredentials, Some(PASSWORD))]
        {
            for host in ["127.0.0.1", "localhost"] {
                let proxy = Proxy::start(behavior);
                let mut config =
                    sandbox.config(&json!({"proxy": proxy_url(scheme, &proxy, password)}));
                let url = sandbox.url.replace("127.0.0.1", host);
                config["baseUrl"] = json!(url);
                let client = Client::new(&config).unwrap();
                for _ in 0..3 {
                    client.create("{}").unwrap();
                }
                let target = url.split('/').nth(2).unwrap();
                // All calls use one tunnel. The proxy resolves the name of the service.
                assert_eq!(*proxy.targets.lock().unwrap(), HashMap::from([(target.to_owned(), 1)]));
                let received = proxy.received.lock().unwrap();
                let basic = BASE64_STANDARD.encode("user:secret");
                for secret in [basic.as_bytes(), b"Authorization", b"accounts", b"secret"] {
                    let found = received.windows(secret.len()).any(|part| part == secret);
                    assert!(!found, "the proxy could read {:?}", String::from_utf8_lossy(secret));
                }
                assert!(received.len() > 500);
            }
        }
    }
}

#[test]
fn rejection_by_a_proxy_is_reported() {
    secrets::add_credentials(USER, PASSWORD);
    let sends = ProxyBehavior::Sends;
    for (scheme, behavior, password, part, attempts) in [
        (
            "http",
            ProxyBehavior::RequiresCredentials,
            None,
            "requires credentials; put them into proxy in the configuration (HTTP 407 Proxy",
            1,
        ),
        ("http", sends(b"HTTP/1.1 407 \r\n\r\n"), None, "requires credentials; put them", 1),
        ("http", sends(b"HTTP/1.1 407 \r\n\r\n"), Some(PASSWORD), "rejected the credentials", 1),
        (
            "http",
            sends(
                b"HTTP/1.1 407 No\r\nProxy-Authenticate: Negotiate\r\nproxy-authenticate: NTLM\r\n\
                  Proxy-Authenticate: Digest realm=\"Basic , x\", nonce=y\r\n\r\n",
            ),
            Some(PASSWORD),
            "no other authentication than Negotiate, NTLM, Digest, and this library supports Basic",
            1,
        ),
        (
            "http",
            sends(
                b"HTTP/1.1 407 No\r\nProxy-Authenticate: Digest realm=x, nonce=y, Basic realm=z\r\n\r\n",
            ),
            None,
            "requires credentials",
            1,
        ),
        (
            "http",
            sends(b"HTTP/1.1 403 Not in the allow-list\r\nX-Squid-Error: ERR_ACCESS_DENIED 0\r\n\r\n"),
            None,
            "(HTTP 403 Not in the allow-list): ERR_ACCESS_DENIED 0",
            1,
        ),
        (
            "http",
            sends(
                b"HTTP/1.1 403 No\nContent-Length: 99\n\n<!DOCTYPE html>\n\nBlocked\x1b[1m by us.\nx",
            ),
            None,
            "(HTTP 403 No): Blocked[1m by us.",
            1,
        ),
        (
            "http",
            sends(
                b"HTTP/1.1 403 No\r\nTransfer-Encoding: chunked\r\n\r\nb\r\nIt's closed\r\n0\r\n\r\n",
            ),
            None,
            "(HTTP 403 No): It's closed",
            1,
        ),
        ("http", ProxyBehavior::RequiresCredentials, Some("wrong-password"), "rejected the credentials", 1),
        ("http", sends(b"HTTP/1.1 403 Forbidden\r\n\r\n"), None, "rejected the tunnel", 1),
        ("http", sends(b"HTTP/1.0 502 Bad Gateway\r\n\r\n"), None, "could not open a tunnel to", 2),
        ("http", sends(b"HTTP/1.1 200 OK\r\n\r\nhello"), None, "sent data inside the tunnel", 1),
        ("http", sends(b"SSH-2.0-OpenSSH\r\n\r\n"), None, "is not an HTTP proxy", 1),
        ("http", sends(b"HTTP/1.1 200"), None, "closed the connection", 2),
        ("http", sends(&[b'x'; 20_000]), None, "is not an HTTP proxy", 1),
        ("http", sends(&ENDLESS), None, "is too large", 1),
        ("http", sends(b"HTTP/1.1 403 No\r\nContent-Length: 9\r\n\r\nhalf"), None, "No): half", 1),
        ("socks5", ProxyBehavior::RequiresCredentials, None, "requires credentials", 1),
        ("socks5", sends(b"\x05\xff"), Some(PASSWORD), "does not accept a user and password", 1),
        ("socks5", ProxyBehavior::RequiresCredentials, Some("wrong-password"), "rejected the credentials", 1),
        ("socks5", sends(b"\x05\x00\x05\x02\x00\x01\0\0\0\0\0\0"), None, "does not allow", 1),
        (
            "socks5",
            sends(b"\x05\x00\x05\x05\x00\x01\0\0\0\0\0\0"),
            None,
            "connection was refused",
            2,
        ),
        ("socks5", sends(b"\x05\x00\x05\x00\x00\x09"), None, "violates the SOCKS5 protocol", 1),
        ("socks5", sends(b"\x04\x00"), None, "is not a SOCKS5 proxy", 1),
        ("socks5", sends(b"\x05\x02"), None, "requires credentials", 1),
        ("socks5", sends(b"\x05"), None, "closed the connection", 2),
    ] {
        let proxy = Proxy::start(behavior);
        let client = Client::new(&json!({
            "accountId": "1", "username": "user", "password": "a long password",
            "baseUrl": "https://service.invalid/v1", "proxy": proxy_url(scheme, &proxy, password),
            "maxRetries": 1, "retryBaseMs": 1,
        }))
        .unwrap();
        let error = client.create("{}").unwrap_err()["error"].take();
        assert_eq!(error["name"], "BW_E_PROXY", "{part}: {error}");
        assert!(error["message"].as_str().unwrap().contains(part), "{part}: {error}");
        assert_eq!(error["outcome"], "not_sent", "{error}");
        assert_eq!(error["attempts"], attempts, "{error}");
    }
}

/// If the proxy opens the tunnel, the client starts the TLS handshake, to which the proxy does not respond.
#[test]
fn response_to_connect_may_have_any_valid_form() {
    for bytes in [
        &b"HTTP/1.1 200 OK\r\n\r\n"[..],
        b"HTTP/1.1 200 OK\n\n",
        b"HTTP/1.1 200\n\n",
        b"HTTP/1.0 200 Connection established\r\nVia: x\n\r\n",
        b"HTTP/1.1 200 OK\r\nProxy agent: x\r\n\r\n",
        b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 102 Processing\r\nX: y\r\n\r\nHTTP/1.1 200 OK\r\n\r\n",
    ] {
        let proxy = Proxy::start(ProxyBehavior::Sends(bytes));
        let client = Client::new(&json!({
            "accountId": "1", "username": "user", "password": "a long password",
            "baseUrl": "https://service.invalid/v1", "proxy": proxy_url("http", &proxy, None),
            "maxRetries": 0,
        }))
        .unwrap();
        let error = client.create("{}").unwrap_err()["error"].take();
        let text = String::from_utf8_lossy(bytes);
        // The connection is closed or reset during the handshake.
        let message = error["message"].as_str().unwrap();
        assert!(message.contains("TLS"), "{text}: {error}");
        assert_ne!(error["name"], "BW_E_PROXY", "{text}: {error}");
    }
}

#[test]
fn secrets_in_a_response_of_the_proxy_are_removed() {
    secrets::add_credentials(USER, PASSWORD);
    static RESPONSE: &[u8] =
        b"HTTP/1.1 403 For proxyuser:proxy-pass phrase@\r\nContent-Length: 300\r\n\
        \r\nproxy-pass phrase@, cHJveHl1c2VyOnByb3h5LXBhc3MgcGhyYXNlQA==, \
        eyJhbGciOiJub25lIn0.eyJwIjoicyJ9.c2ln and https://a:pw@host.";
    let proxy = Proxy::start(ProxyBehavior::Sends(RESPONSE));
    let client = Client::new(&json!({
        "accountId": "1", "username": "user", "password": "a long password", "maxRetries": 0,
        "baseUrl": "https://service.invalid/v1", "proxy": proxy_url("http", &proxy, Some(PASSWORD)),
    }))
    .unwrap();
    let message = client.create("{}").unwrap_err()["error"]["message"].take();
    let message = message.as_str().unwrap();
    let shown =
        "(HTTP 403 For [removed]): [removed], [removed], [removed] and https://[removed]@host.";
    assert!(message.ends_with(shown), "{message}");
}

#[test]
fn unreachable_proxy_is_reported() {
    let closed = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    for (proxy, name, part) in [
        (format!("http://{closed}"), "BW_E_PROXY", "see proxy"),
        ("socks5://nowhere.invalid:1".to_owned(), "BW_E_RESOLVE", "check proxy"),
    ] {
        let client = Client::new(&json!({
            "accountId": "1", "username": "user", "password": "a long password",
            "baseUrl": "https://service.invalid/v1", "proxy": proxy, "maxRetries": 0,
        }))
        .unwrap();
        let error = client.create("{}").unwrap_err()["error"].take();
        assert_eq!(
            (&error["name"], &error["outcome"]),
            (&json!(name), &json!("not_sent")),
            "{error}"
        );
        assert!(error["message"].as_str().unwrap().contains(part), "{error}");
    }
}
