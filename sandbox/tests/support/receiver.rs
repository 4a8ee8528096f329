//! A receiver of webhooks.

use std::io::{BufRead, BufReader, Write};
use std::net::TcpListener;
use std::sync::mpsc::{self, Receiver};

use serde_json::Value;

use super::{TIMEOUT, header};

/// An HTTP server that responds to each webhook with the same status.
pub struct WebhookReceiver {
    pub url: String,
    received: Receiver<(String, Value)>,
}

impl WebhookReceiver {
    /// `status` is the rest of the status line, such as `204 No Content`.
    pub fn start(status: &'static str) -> WebhookReceiver {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}/hook?x=1", listener.local_addr().unwrap());
        let (sender, received) = mpsc::channel();
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let mut stream = BufReader::new(stream.unwrap());
                let webhook = read_webhook(&mut stream);
                let response = format!("HTTP/1.1 {status}\r\nContent-Length: 0\r\n\r\n");
                stream.get_mut().write_all(response.as_bytes()).unwrap();
                if sender.send(webhook).is_err() {
                    break;
                }
            }
        });
        WebhookReceiver { url, received }
    }

    /// The head and the document of the next webhook.
    pub fn next(&self) -> (String, Value) {
        self.received.recv_timeout(TIMEOUT).unwrap()
    }
}

fn read_webhook(stream: &mut impl BufRead) -> (String, Value) {
    let (mut head, mut line) = (String::new(), String::new());
    while stream.read_line(&mut line).unwrap() > 2 {
        head.push_str(&line);
        line.clear();
    }
    let length = header(&head, "content-length").unwrap().parse().unwrap();
    let mut body = vec![0; length];
    stream.read_exact(&mut body).unwrap();
    (head, serde_json::from_slice(&body).unwrap())
}
