//! The envelope of all responses: `links`, `data`, `errors` and `page`.

use serde_json::{Value, json};

use crate::response::ServiceResponse;

/// The value of Retry-After if there are too many endpoints, in seconds.
const QUOTA_RETRY_AFTER: &str = "900";

/// A successful response.
pub fn success(status: u16, data: Value, links: Vec<Value>) -> ServiceResponse {
    ServiceResponse::json(status, &json!({"links": links, "data": data, "errors": []}))
}

/// A successful response with one page of a list.
pub fn page(data: Vec<Value>, links: Vec<Value>, page: Value) -> ServiceResponse {
    let envelope = json!({"links": links, "data": data, "errors": [], "page": page});
    ServiceResponse::json(200, &envelope)
}

/// An element of `links`.
pub fn link(href: String, rel: &str) -> Value {
    json!({"href": href, "rel": rel, "method": "GET"})
}

/// An element of `errors`, and the status of its response.
pub struct ApiError {
    status: u16,
    kind: &'static str,
    description: String,
    /// The key and the value of `source`.
    source: Option<(&'static str, String)>,
}

impl ApiError {
    fn new(status: u16, kind: &'static str, description: impl Into<String>) -> ApiError {
        ApiError { status, kind, description: description.into(), source: None }
    }

    fn with_source(mut self, key: &'static str, value: &str) -> ApiError {
        self.source = Some((key, value.to_owned()));
        self
    }

    /// The body is not a document of the right kind.
    pub fn invalid_body(description: &str) -> ApiError {
        ApiError::new(400, "invalid_parameter", description)
    }

    /// A field of the body is invalid. `problem` follows the field's name in the description.
    pub fn invalid_field(field: &str, problem: &str) -> ApiError {
        ApiError::new(400, "invalid_parameter", format!("{field} {problem}."))
            .with_source("field", field)
    }

    /// A parameter of the query is invalid. `problem` follows the parameter's name.
    pub fn invalid_parameter(parameter: &str, problem: &str) -> ApiError {
        ApiError::new(400, "invalid_parameter", format!("{parameter} {problem}."))
            .with_source("parameter", parameter)
    }

    /// The credentials are missing or wrong.
    pub fn unauthorized() -> ApiError {
        ApiError::not_authorized(401, "unauthorized")
    }

    /// The credentials are valid, but not for this account.
    pub fn forbidden() -> ApiError {
        ApiError::not_authorized(403, "forbidden")
    }

    fn not_authorized(status: u16, kind: &'static str) -> ApiError {
        let description = "The provided credentials are not authorized to access this resource.";
        ApiError::new(status, kind, description).with_source("header", "Authorization")
    }

    /// There is no such endpoint or account.
    pub fn not_found(id: &str) -> ApiError {
        ApiError::new(404, "resource_not_found", "The requested resource was not found.")
            .with_source("reference", id)
    }

    /// The resource does not have this method.
    pub fn method_not_allowed() -> ApiError {
        let description = "The requested method is not allowed on this resource.";
        // As in the specification's example.
        ApiError::new(405, "method_not_allowed", description).with_source("parameter", "accountId")
    }

    /// The body does not have the operation's media type.
    pub fn unsupported_media_type() -> ApiError {
        let description = "The provided media type is not supported.";
        ApiError::new(415, "unsupported_media_type", description)
            .with_source("header", "Content-Type")
    }

    /// The quota is reached.
    pub fn too_many_endpoints() -> ApiError {
        let description = "Too many endpoints. Please delete an existing endpoint or wait 24 hours \
                           for an endpoint to be removed.";
        ApiError::new(429, "too_many_endpoints", description)
    }

    fn document(&self) -> Value {
        let mut error = json!({"type": self.kind, "description": self.description});
        // This error has neither an id nor a code.
        if self.status != 429 {
            error["id"] = json!(uuid::Uuid::new_v4().to_string());
            error["code"] = json!(self.status.to_string());
        }
        if let Some((key, value)) = &self.source {
            error["source"] = json!({*key: value});
        }
        error
    }
}

/// The response with these errors, which have the same status.
fn failure(errors: &[ApiError]) -> ServiceResponse {
    let status = errors.first().map_or(500, |error| error.status);
    let documents: Vec<Value> = errors.iter().map(ApiError::document).collect();
    let envelope = json!({"links": [], "data": null, "errors": documents});
    let response = ServiceResponse::json(status, &envelope);
    match status {
        429 => response.with_header("Retry-After", QUOTA_RETRY_AFTER),
        _ => response,
    }
}

impl From<ApiError> for ServiceResponse {
    fn from(error: ApiError) -> ServiceResponse {
        failure(&[error])
    }
}

impl From<Vec<ApiError>> for ServiceResponse {
    fn from(errors: Vec<ApiError>) -> ServiceResponse {
        failure(&errors)
    }
}
