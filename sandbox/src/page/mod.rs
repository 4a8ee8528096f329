//! The live page: `GET /` shows what happens in the sandbox, and `GET /join` joins a session from the
//! browser. The files of the page are in `sandbox/page/`.

mod devices;
mod events;
mod mask;

use std::convert::Infallible;
use std::sync::Arc;

use axum::Router;
use axum::body::Bytes;
use axum::extract::{self, Request};
use axum::http::{HeaderMap, HeaderValue, header};
use axum::middleware::{self, Next};
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use futures_util::stream;

use self::events::Feed;
use crate::response::ServiceResponse;
use crate::sandbox::Sandbox;
use crate::{gateway, origin};

const HTML: &str = "text/html; charset=utf-8";
const CSS: &str = "text/css; charset=utf-8";
const JAVASCRIPT: &str = "text/javascript; charset=utf-8";
const SVG: &str = "image/svg+xml";
const TEXT: &str = "text/plain; charset=utf-8";

/// The official device SDK as a JavaScript module, and its licences. Empty unless `make device-sdk`
/// has built them and `BW_DEVICE_SDK` named the directory at build time.
const DEVICE_SDK: &str = include_str!(concat!(env!("OUT_DIR"), "/device-sdk.js"));
const DEVICE_SDK_LICENSES: &str = include_str!(concat!(env!("OUT_DIR"), "/device-sdk.txt"));

/// A file of the page, by path: the media type and the content.
macro_rules! files {
    ($($path:literal $kind:ident $file:literal,)*) => {
        [$(($path, $kind, include_str!(concat!("../../page/", $file))),)*]
    };
}

const FILES: &[(&str, &str, &str)] = &files! {
    "/" HTML "index.html",
    "/join" HTML "join.html",
    "/page/icon.svg" SVG "icon.svg",
    "/page/page.css" CSS "page.css",
    "/page/page.js" JAVASCRIPT "page.js",
    "/page/dom.js" JAVASCRIPT "dom.js",
    "/page/picture.js" JAVASCRIPT "picture.js",
    "/page/sessions.js" JAVASCRIPT "sessions.js",
    "/page/activity.js" JAVASCRIPT "activity.js",
    "/page/faults.js" JAVASCRIPT "faults.js",
    "/page/join.js" JAVASCRIPT "join.js",
    "/page/sources.js" JAVASCRIPT "sources.js",
};

/// The headers of every response. Nothing is fetched from another site, and no other site can embed
/// the page or read it.
const HEADERS: [(&str, &str); 6] = [
    (
        "content-security-policy",
        "default-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; \
         object-src 'none'",
    ),
    ("cache-control", "no-store"),
    ("cross-origin-opener-policy", "same-origin"),
    ("cross-origin-resource-policy", "same-origin"),
    ("referrer-policy", "no-referrer"),
    ("x-content-type-options", "nosniff"),
];

/// The routes of the page. Other methods belong to the simulated service.
pub fn routes() -> Router<Arc<Sandbox>> {
    let mut files = FILES.to_vec();
    if !DEVICE_SDK.is_empty() {
        files.push(("/page/device-sdk.js", JAVASCRIPT, DEVICE_SDK));
        files.push(("/page/device-sdk.txt", TEXT, DEVICE_SDK_LICENSES));
    }
    files.into_iter().fold(Router::new(), |router, (path, kind, text)| {
        let text = match kind {
            HTML => Bytes::from(text.replace("{{sdk}}", sdk())),
            _ => Bytes::from_static(text.as_bytes()),
        };
        let file = async move || ([(header::CONTENT_TYPE, kind)], text);
        let file = get(file).layer(middleware::from_fn(protect));
        router.route(path, file.fallback(gateway::handle))
    })
}

/// For the page that joins: whether the parts that it needs are in this build.
fn sdk() -> &'static str {
    match (devices::AVAILABLE, DEVICE_SDK.is_empty()) {
        (false, _) => "no-media",
        (true, true) => "no-sdk",
        (true, false) => "available",
    }
}

/// `GET /_sandbox/events`: server-sent events, each a document with the parts that have changed.
pub async fn events(sandbox: extract::State<Arc<Sandbox>>) -> Response {
    let Some(feed) = Feed::new(sandbox.0) else {
        let error = serde_json::json!({"error": "too many pages are open"});
        return ServiceResponse::json(503, &error).into_http();
    };
    let events = stream::unfold(feed, async |mut feed: Feed| {
        let event = Event::default().data(feed.next().await.to_string());
        Some((Ok::<_, Infallible>(event), feed))
    });
    let mut response = Sse::new(Box::pin(events)).keep_alive(KeepAlive::default()).into_response();
    add_headers(response.headers_mut());
    response
}

/// Rejects requests that a browser sends for a page of another site, except for a link that the user
/// has followed.
async fn protect(mut request: Request, next: Next) -> Response {
    if is_followed_link(request.headers()) {
        request.headers_mut().remove("sec-fetch-site");
    }
    let mut response = match origin::check(request.uri(), request.headers()) {
        Ok(()) => next.run(request).await,
        Err(message) => {
            ServiceResponse::json(403, &serde_json::json!({"error": message})).into_http()
        }
    };
    add_headers(response.headers_mut());
    response
}

fn is_followed_link(headers: &HeaderMap) -> bool {
    let is = |name, value| headers.get(name).is_some_and(|found| found == value);
    is("sec-fetch-mode", "navigate") && is("sec-fetch-dest", "document")
}

fn add_headers(headers: &mut HeaderMap) {
    for (name, value) in HEADERS {
        headers.insert(name, HeaderValue::from_static(value));
    }
}
