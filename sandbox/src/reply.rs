//! Answers, and the service's error bodies.

use axum::body::Body;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::Response;
use futures_util::{StreamExt, stream};
use serde_json::{Value, json};

/// What an operation answers.
#[derive(Clone)]
pub struct Reply {
    /// The HTTP status.
    pub status: u16,
    /// Headers beyond Content-Type and Content-Length.
    pub headers: Vec<(String, String)>,
    /// The body; none for 204.
    pub body: Option<String>,
}

impl Reply {
    /// 200 with a document.
    pub fn ok(document: &Value) -> Reply {
        Reply::json(200, document)
    }

    /// 204.
    pub fn nothing() -> Reply {
        Reply { status: 204, headers: Vec::new(), body: None }
    }

    /// Any status with a document.
    pub fn json(status: u16, document: &Value) -> Reply {
        Reply { status, headers: Vec::new(), body: Some(document.to_string()) }
    }

    /// The service's own error form.
    pub fn error(status: u16, message: impl Into<String>) -> Reply {
        let request_id = uuid::Uuid::new_v4().to_string();
        Reply::json(status, &json!({"error": message.into(), "requestId": request_id}))
    }

    /// What wrong credentials get, from the gateway in front of the service.
    pub fn unauthorized() -> Reply {
        Reply::json(401, &json!({"message": "Unauthorized"}))
    }

    /// What another account and an unknown route get, likewise.
    pub fn forbidden() -> Reply {
        Reply::json(403, &json!({"message": "Missing Authentication Token"}))
    }

    /// As HTTP; `cut` sends half of the body and then closes.
    pub fn into_response(self, cut: bool) -> Response {
        let mut response = Response::new(Body::empty());
        *response.status_mut() =
            StatusCode::from_u16(self.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let headers = response.headers_mut();
        if self.body.is_some() {
            headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
        }
        for (name, value) in &self.headers {
            if let (Ok(name), Ok(value)) =
                (header::HeaderName::try_from(name), HeaderValue::try_from(value))
            {
                headers.insert(name, value);
            }
        }
        let text = self.body.unwrap_or_default();
        if cut {
            headers.insert(header::CONTENT_LENGTH, HeaderValue::from(text.len().max(2)));
            let half = text.as_bytes()[..text.len() / 2].to_vec();
            // The error makes hyper close the connection in the middle of the body; the pause lets
            // it send first what it has.
            let cut = stream::once(async {
                tokio::task::yield_now().await;
                Err(std::io::Error::other("cut by a fault"))
            });
            let pieces = stream::once(async { Ok(half) }).chain(cut);
            *response.body_mut() = Body::from_stream(pieces);
        } else if !text.is_empty() {
            *response.body_mut() = Body::from(text);
        }
        response
    }
}
