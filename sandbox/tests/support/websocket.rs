//! A websocket client that writes and reads frames itself, so that it can also send invalid ones.

use std::io::{Read, Write};
use std::net::TcpStream;

use serde_json::{Value, json};

use super::Sandbox;

pub const TEXT: u8 = 1;
pub const CLOSE: u8 = 8;
const PING: u8 = 9;
const PONG: u8 = 10;

/// An open websocket.
pub struct WebSocket {
    pub stream: TcpStream,
    /// The messages that arrived while `call` waited for a response.
    pub events: Vec<Value>,
    next_id: u64,
}

impl WebSocket {
    /// Connects as a device. The error is the status of the response.
    pub fn connect(sandbox: &Sandbox, token: &str, unique_id: &str) -> Result<WebSocket, u16> {
        let mut stream = sandbox.connect();
        let path = format!("/v3/?token={token}&client=browser&uniqueId={unique_id}");
        stream.write_all(handshake(&path).as_bytes()).unwrap();
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            let mut byte = [0];
            stream.read_exact(&mut byte).expect("a response");
            head.push(byte[0]);
        }
        let head = String::from_utf8(head).unwrap();
        match head.split(' ').nth(1).and_then(|status| status.parse().ok()) {
            Some(101) => Ok(WebSocket { stream, events: Vec::new(), next_id: 1 }),
            status => Err(status.unwrap_or_default()),
        }
    }

    /// Sends a text frame.
    pub fn send(&mut self, text: &str) {
        self.stream.write_all(&frame(TEXT, text.as_bytes())).unwrap();
    }

    /// Returns the next frame with text or the code of a close frame; `None` if the connection ends.
    pub fn receive(&mut self) -> Option<(u8, String)> {
        loop {
            let mut head = [0; 2];
            self.stream.read_exact(&mut head).ok()?;
            let mut length = u64::from(head[1] & 0x7f);
            if length == 126 {
                let mut bytes = [0; 2];
                self.stream.read_exact(&mut bytes).ok()?;
                length = u64::from(u16::from_be_bytes(bytes));
            } else if length == 127 {
                let mut bytes = [0; 8];
                self.stream.read_exact(&mut bytes).ok()?;
                length = u64::from_be_bytes(bytes);
            }
            let mut payload = vec![0; length as usize];
            self.stream.read_exact(&mut payload).ok()?;
            match head[0] & 0x0f {
                TEXT => return Some((TEXT, String::from_utf8(payload).unwrap())),
                CLOSE => {
                    let code = payload.get(..2).map_or(1005, |c| u16::from_be_bytes([c[0], c[1]]));
                    return Some((CLOSE, code.to_string()));
                }
                PING | PONG => continue,
                opcode => panic!("unexpected frame {opcode}"),
            }
        }
    }

    /// Returns the next message.
    pub fn message(&mut self) -> Value {
        let (opcode, text) = self.receive().expect("the connection is open");
        assert_eq!(opcode, TEXT, "closed with {text}");
        serde_json::from_str(&text).unwrap()
    }

    /// Calls a method, and returns the response.
    pub fn call(&mut self, method: &str, params: Value) -> Value {
        let id = self.next_id;
        self.next_id += 1;
        let call = json!({"jsonrpc": "2.0", "method": method, "params": params, "id": id});
        self.send(&call.to_string());
        loop {
            let message = self.message();
            if message["id"] == json!(id) {
                return message;
            }
            self.events.push(message);
        }
    }
}

/// The request for a websocket.
pub fn handshake(path: &str) -> String {
    format!(
        "GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
         Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
    )
}

/// A final frame of a client, with a mask of zeros.
pub fn frame(opcode: u8, payload: &[u8]) -> Vec<u8> {
    let mut bytes = vec![0x80 | opcode];
    match payload.len() {
        length @ 0..126 => bytes.push(0x80 | length as u8),
        length @ 126..0x1_0000 => {
            bytes.push(0x80 | 126);
            bytes.extend((length as u16).to_be_bytes());
        }
        length => {
            bytes.push(0x80 | 127);
            bytes.extend((length as u64).to_be_bytes());
        }
    }
    bytes.extend([0; 4]);
    bytes.extend(payload);
    bytes
}
