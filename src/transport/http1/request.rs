//! A request as the bytes that are sent, head and body in one.

use std::io::Write;

/// One request.
pub struct Request<'a> {
    /// The method, in capitals.
    pub method: &'a str,
    /// Path and query, percent-encoded.
    pub target: &'a str,
    /// The body.
    pub body: Option<&'a str>,
    /// The media type of the body.
    pub content_type: &'static str,
    /// The Authorization header's value.
    pub authorization: &'a [u8],
}

/// What all requests of a client have in common, made once.
pub struct Common(Vec<u8>);

impl Common {
    /// The host as the URL has it, and the User-Agent; neither may hold a line break.
    pub fn new(host: &str, user_agent: &[u8]) -> Common {
        let mut text = format!(" HTTP/1.1\r\nHost: {host}\r\nUser-Agent: ").into_bytes();
        text.extend_from_slice(user_agent);
        text.extend_from_slice(b"\r\nAccept: application/json\r\nAuthorization: ");
        Common(text)
    }

    /// Writes the request into an empty buffer, which is made large enough first: growing would
    /// leave copies of the credentials behind.
    pub fn write(&self, request: &Request<'_>, to: &mut Vec<u8>) {
        /// More than the fixed text below.
        const REST: usize = 128;
        let body = request.body.unwrap_or("");
        let (method, target, secret) = (request.method, request.target, request.authorization);
        to.reserve(method.len() + target.len() + self.0.len() + secret.len() + body.len() + REST);
        for part in [method.as_bytes(), b" ", target.as_bytes(), &self.0, secret, b"\r\n"] {
            to.extend_from_slice(part);
        }
        if request.body.is_some() {
            for part in ["Content-Type: ", request.content_type, "\r\n"] {
                to.extend_from_slice(part.as_bytes());
            }
        }
        // A body is usual for these methods, so that there is none must be said (RFC 9110, 8.6).
        if request.body.is_some() || matches!(method, "POST" | "PUT") {
            // Writing to a vector cannot fail.
            let _ = write!(to, "Content-Length: {}\r\n", body.len());
        }
        to.extend_from_slice(b"\r\n");
        to.extend_from_slice(body.as_bytes());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(method: &str, body: Option<&str>) -> String {
        let mut bytes = Vec::new();
        let common = Common::new("h:1", b"me/1");
        let content_type = "application/json";
        let authorization = b"Basic eA==";
        let request = Request { method, target: "/v1/x", body, content_type, authorization };
        common.write(&request, &mut bytes);
        String::from_utf8(bytes).unwrap()
    }

    #[test]
    fn a_request_says_what_is_in_it() {
        let head = " /v1/x HTTP/1.1\r\nHost: h:1\r\nUser-Agent: me/1\r\n\
                    Accept: application/json\r\nAuthorization: Basic eA==\r\n";
        for (method, body, rest) in [
            ("GET", None, "\r\n"),
            ("DELETE", None, "\r\n"),
            ("PUT", None, "Content-Length: 0\r\n\r\n"),
            ("PUT", Some("{}"), "Content-Type: application/json\r\nContent-Length: 2\r\n\r\n{}"),
            ("POST", Some("é"), "Content-Type: application/json\r\nContent-Length: 2\r\n\r\né"),
        ] {
            assert_eq!(written(method, body), format!("{method}{head}{rest}"));
        }
    }

    #[test]
    fn the_buffer_does_not_grow_while_credentials_are_in_it() {
        let (target, body, secret) = ("/t".repeat(500), "b".repeat(60_000), "s".repeat(3000));
        let request = Request {
            method: "DELETE",
            target: &target,
            body: Some(&body),
            content_type: "application/json",
            authorization: secret.as_bytes(),
        };
        let common = Common::new(&"h".repeat(300), &[b'u'; 400]);
        let mut bytes = Vec::new();
        common.write(&request, &mut bytes);
        // A new vector has what was asked for; if that was too little, it has doubled since.
        let (has, needs) = (bytes.capacity(), bytes.len());
        assert!(has < needs + 200, "{has} for {needs}");
    }
}
