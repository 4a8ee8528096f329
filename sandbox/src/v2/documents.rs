//! The documents and parameters in requests, and their checks.

use serde_json::{Map, Value, json};

use super::envelope::ApiError;
use crate::response::ServiceResponse;
use crate::webhooks::is_receiver_url;

/// The largest length of a tag, in characters.
const MAX_TAG: usize = 1024;
/// The largest and the default value of `limit`.
const MAX_LIMIT: usize = 1000;
const DEFAULT_LIMIT: usize = 100;

/// A valid CreateEndpoint document.
pub struct CreateEndpoint {
    /// INBOUND, OUTBOUND or BIDIRECTIONAL.
    pub direction: String,
    /// The receiver of webhooks.
    pub event_callback_url: Option<String>,
    /// The receiver of webhooks that the first receiver did not accept.
    pub event_fallback_url: Option<String>,
    /// The client's text.
    pub tag: Option<String>,
    /// The client's object.
    pub connection_metadata: Option<Value>,
}

/// Parses a CreateEndpoint body. The errors name all invalid fields.
pub fn parse_create_endpoint(body: &[u8]) -> Result<CreateEndpoint, Vec<ApiError>> {
    let Ok(Value::Object(fields)) = serde_json::from_slice(body) else {
        return Err(vec![ApiError::invalid_body("The request body must be a JSON object.")]);
    };
    let mut errors = Vec::new();
    required_enum(&fields, "type", &["WEBRTC"], &mut errors);
    let directions = ["INBOUND", "OUTBOUND", "BIDIRECTIONAL"];
    let direction = required_enum(&fields, "direction", &directions, &mut errors);
    let event_callback_url = optional_url(&fields, "eventCallbackUrl", &mut errors);
    let event_fallback_url = optional_url(&fields, "eventFallbackUrl", &mut errors);
    let tag = optional_string(&fields, "tag", &mut errors);
    if tag.as_ref().is_some_and(|tag| tag.chars().count() > MAX_TAG) {
        errors.push(ApiError::invalid_field("tag", "must have at most 1024 characters"));
    }
    let connection_metadata = fields.get("connectionMetadata").cloned();
    if connection_metadata.as_ref().is_some_and(|value| !value.is_object()) {
        errors.push(ApiError::invalid_field("connectionMetadata", "must be an object"));
    }
    match direction {
        Some(direction) if errors.is_empty() => Ok(CreateEndpoint {
            direction,
            event_callback_url,
            event_fallback_url,
            tag,
            connection_metadata,
        }),
        _ => Err(errors),
    }
}

fn optional_string(
    fields: &Map<String, Value>,
    name: &str,
    errors: &mut Vec<ApiError>,
) -> Option<String> {
    match fields.get(name)? {
        Value::String(text) => Some(text.clone()),
        _ => {
            errors.push(ApiError::invalid_field(name, "must be a string"));
            None
        }
    }
}

fn optional_url(
    fields: &Map<String, Value>,
    name: &str,
    errors: &mut Vec<ApiError>,
) -> Option<String> {
    let url = optional_string(fields, name, errors)?;
    if !is_receiver_url(&url) {
        errors.push(ApiError::invalid_field(name, "must be an absolute URL"));
    }
    Some(url)
}

fn required_enum(
    fields: &Map<String, Value>,
    name: &str,
    allowed: &[&str],
    errors: &mut Vec<ApiError>,
) -> Option<String> {
    match fields.get(name).and_then(Value::as_str) {
        Some(value) if allowed.contains(&value) => return Some(value.to_owned()),
        _ if !fields.contains_key(name) => {
            errors.push(ApiError::invalid_field(name, "is required"));
        }
        _ => {
            let problem = format!("must be {}", allowed.join(", "));
            errors.push(ApiError::invalid_field(name, &problem));
        }
    }
    None
}

/// The valid parameters of `listEndpoints`.
#[derive(Default)]
pub struct ListParameters {
    /// `type`, whose only value is WEBRTC.
    pub kind: Option<String>,
    /// `status`: CONNECTED or DISCONNECTED.
    pub status: Option<String>,
    /// `limit`.
    pub limit: Option<usize>,
    /// `afterCursor`, which is not checked here.
    pub after_cursor: Option<String>,
}

impl ListParameters {
    /// The number of endpoints of a page.
    pub fn page_size(&self) -> usize {
        self.limit.unwrap_or(DEFAULT_LIMIT)
    }
}

/// Parses the query of `listEndpoints`. Unknown parameters are ignored.
pub fn parse_list_parameters(query: &str) -> Result<ListParameters, Vec<ApiError>> {
    let mut parameters = ListParameters::default();
    let mut errors = Vec::new();
    let mut names = Vec::new();
    for (name, value) in form_urlencoded::parse(query.as_bytes()) {
        let mut check = |is_valid: bool, problem: &str| {
            if !is_valid {
                errors.push(ApiError::invalid_parameter(&name, problem));
            }
        };
        let is_repeated = names.contains(&name);
        match &*name {
            "type" => {
                check(value == "WEBRTC", "must be WEBRTC");
                parameters.kind = Some(value.into_owned());
            }
            "status" => {
                let is_valid = matches!(&*value, "CONNECTED" | "DISCONNECTED");
                check(is_valid, "must be CONNECTED, DISCONNECTED");
                parameters.status = Some(value.into_owned());
            }
            "limit" => {
                let is_number = value.bytes().all(|byte| byte.is_ascii_digit());
                let limit = value.parse().ok().filter(|limit| (1..=MAX_LIMIT).contains(limit));
                check(is_number && limit.is_some(), "must be an integer from 1 to 1000");
                parameters.limit = limit;
            }
            "afterCursor" => parameters.after_cursor = Some(value.into_owned()),
            _ => continue,
        }
        check(!is_repeated, "must not be repeated");
        names.push(name);
    }
    match errors.is_empty() {
        true => Ok(parameters),
        false => Err(errors),
    }
}

/// The destination of an outbound connection request.
pub struct Outbound {
    /// ENDPOINT, CALL_ID or PHONE_NUMBER.
    pub to_type: String,
    /// An endpoint id, a call id or a phone number.
    pub to: String,
}

/// Parses the destination of an outbound connection request. The error is one of `/_sandbox`.
pub fn parse_outbound(body: &[u8]) -> Result<Outbound, ServiceResponse> {
    let body: Value = serde_json::from_slice(body).unwrap_or_default();
    let (to, to_type) = (body["to"].as_str(), body["toType"].as_str());
    match (to, to_type) {
        (Some(to), Some(to_type @ ("ENDPOINT" | "CALL_ID" | "PHONE_NUMBER"))) => {
            Ok(Outbound { to_type: to_type.to_owned(), to: to.to_owned() })
        }
        _ => {
            let message = "the body must have to, and toType (ENDPOINT, CALL_ID or PHONE_NUMBER)";
            Err(ServiceResponse::json(400, &json!({"error": message})))
        }
    }
}

/// Checks a BXML document: well-formed XML with the root element Response or Bxml. The documents of
/// the specification and of the SDKs' tests have one of these two.
pub fn check_bxml(body: &[u8]) -> Result<String, ApiError> {
    let invalid = |problem: &str| {
        ApiError::invalid_body(&format!("The request body must be a BXML document: {problem}."))
    };
    let text = std::str::from_utf8(body).map_err(|_| invalid("it is not UTF-8"))?;
    // The parser rejects DTDs, and with them all entities but the predefined ones.
    let document = roxmltree::Document::parse(text).map_err(|e| invalid(&e.to_string()))?;
    match document.root_element().tag_name().name() {
        "Response" | "Bxml" => Ok(text.to_owned()),
        _ => Err(invalid("the root element is not Response")),
    }
}
