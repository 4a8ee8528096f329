//! Responses, and the service's error bodies.

use axum::body::Body;
use axum::http::{HeaderName, HeaderValue, StatusCode, header};
use axum::response::Response;
use futures_util::{StreamExt, stream};
use serde_json::{Value, json};

/// The response of an operation.
#[derive(Clone)]
pub struct ServiceResponse {
    /// The HTTP status.
    pub status: u16,
    /// Headers other than Content-Type and Content-Length.
    pub headers: Vec<(String, String)>,
    /// The body; `None` for 204.
    pub body: Option<String>,
}

impl ServiceResponse {
    /// 200 with a document.
    pub fn ok(document: &Value) -> ServiceResponse {
        ServiceResponse::json(200, document)
    }

    /// 204.
    pub fn no_content() -> ServiceResponse {
        ServiceResponse { status: 204, headers: Vec::new(), body: None }
    }

    /// Any status with a document.
    pub fn json(status: u16, document: &Value) -> ServiceResponse {
        ServiceResponse { status, headers: Vec::new(), body: Some(document.to_string()) }
    }

    /// An error in the form of WebRTC v1.
    pub fn error(status: u16, message: impl Into<String>) -> ServiceResponse {
        let request_id = uuid::Uuid::new_v4().to_string();
        ServiceResponse::json(status, &json!({"error": message.into(), "requestId": request_id}))
    }

    /// The gateway's response to wrong credentials.
    pub fn unauthorized() -> ServiceResponse {
        ServiceResponse::json(401, &json!({"message": "Unauthorized"}))
    }

    /// The gateway's response to another account and to an unknown route.
    pub fn forbidden() -> ServiceResponse {
        ServiceResponse::json(403, &json!({"message": "Missing Authentication Token"}))
    }

    /// Adds a header.
    pub fn with_header(mut self, name: &str, value: &str) -> ServiceResponse {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    /// The HTTP response.
    pub fn into_http(self) -> Response {
        let (mut response, text) = self.into_head();
        if !text.is_empty() {
            *response.body_mut() = Body::from(text);
        }
        response
    }

    /// The HTTP response with half of its body, after which the connection is closed.
    pub fn into_truncated_http(self) -> Response {
        let (mut response, text) = self.into_head();
        let length = HeaderValue::from(text.len().max(2));
        response.headers_mut().insert(header::CONTENT_LENGTH, length);
        let half = text.as_bytes()[..text.len() / 2].to_vec();
        // The error makes hyper close the connection in the middle of the body; the pause lets it
        // send the first half before that.
        let end = stream::once(async {
            tokio::task::yield_now().await;
            Err(std::io::Error::other("cut by a fault"))
        });
        *response.body_mut() = Body::from_stream(stream::once(async { Ok(half) }).chain(end));
        response
    }

    /// The head, and the text of the body.
    fn into_head(self) -> (Response, String) {
        let mut response = Response::new(Body::empty());
        *response.status_mut() =
            StatusCode::from_u16(self.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let headers = response.headers_mut();
        if self.body.is_some() {
            headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
        }
        for (name, value) in &self.headers {
            if let (Ok(name), Ok(value)) =
                (HeaderName::try_from(name), HeaderValue::try_from(value))
            {
                headers.insert(name, value);
            }
        }
        (response, self.body.unwrap_or_default())
    }
}
