//! BRTC Endpoints (v2): the routes, the operations and the webhooks.

mod cursor;
mod documents;
mod envelope;
mod store;

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

use axum::http::request::Parts;
use axum::http::{Method, header};
use serde_json::{Value, json};

use self::cursor::Cursor;
use self::documents::{ListParameters, Outbound};
use self::envelope::{ApiError, link};
use self::store::{DeviceAction, Endpoint, Store};
use crate::auth::AuthError;
use crate::cli::{Arguments, WebhookForm};
use crate::clock;
use crate::jwt::Signer;
use crate::response::ServiceResponse;
use crate::webhooks::Webhook;

/// One operation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Operation {
    CreateEndpoint,
    ListEndpoints,
    GetEndpoint,
    DeleteEndpoint,
    UpdateEndpointBxml,
}

use Operation::*;

const OPERATIONS: [Operation; 5] =
    [CreateEndpoint, ListEndpoints, GetEndpoint, DeleteEndpoint, UpdateEndpointBxml];

impl Operation {
    /// The names of all operations.
    pub fn names() -> Vec<&'static str> {
        OPERATIONS.map(Operation::name).to_vec()
    }

    /// The operation with this name.
    pub fn from_name(name: &str) -> Option<Operation> {
        OPERATIONS.into_iter().find(|operation| operation.name() == name)
    }

    /// The operation's name.
    pub fn name(self) -> &'static str {
        match self {
            CreateEndpoint => "createEndpoint",
            ListEndpoints => "listEndpoints",
            GetEndpoint => "getEndpoint",
            DeleteEndpoint => "deleteEndpoint",
            UpdateEndpointBxml => "updateEndpointBxml",
        }
    }
}

/// A resource below an account, and the operation on it.
pub struct Route<'a> {
    /// The account in the path.
    pub account: &'a str,
    /// The operation; `None` if the resource does not have this method.
    pub operation: Option<Operation>,
    /// All operations on the resource, by method.
    operations: &'static [(&'static str, Operation)],
    endpoint: &'a str,
}

/// The route of a request; `None` if there is no such resource.
pub fn route<'a>(method: &Method, path: &'a str) -> Option<Route<'a>> {
    let (account, resource) = path.strip_prefix("/v2/accounts/")?.split_once('/')?;
    let segments: Vec<&str> = resource.split('/').collect();
    let (endpoint, operations): (_, &[_]) = match segments[..] {
        ["endpoints"] => ("", &[("GET", ListEndpoints), ("POST", CreateEndpoint)]),
        ["endpoints", id] if !id.is_empty() => {
            (id, &[("DELETE", DeleteEndpoint), ("GET", GetEndpoint)])
        }
        ["endpoints", id, "bxml"] if !id.is_empty() => (id, &[("PUT", UpdateEndpointBxml)]),
        _ => return None,
    };
    let operation = operations.iter().find(|(name, _)| method.as_str() == *name);
    let operation = operation.map(|(_, operation)| *operation);
    Some(Route { account, operation, operations, endpoint })
}

/// The service behind its gateway.
pub struct Service {
    account: String,
    max_endpoints: Option<usize>,
    /// Whether `updateEndpointBxml` is served.
    has_bxml: bool,
    webhook_form: WebhookForm,
    tokens: Signer,
    cursors: Signer,
    store: Mutex<Store>,
}

impl Service {
    /// Creates the service without endpoints.
    pub fn new(arguments: &Arguments) -> Service {
        Service {
            account: arguments.account.clone(),
            max_endpoints: arguments.max_endpoints,
            has_bxml: arguments.endpoint_bxml,
            webhook_form: arguments.webhooks,
            tokens: Signer::new(),
            cursors: Signer::new(),
            store: Mutex::new(Store::new(Duration::from_secs(arguments.endpoint_ttl))),
        }
    }

    /// The store, without expired endpoints.
    fn store(&self) -> MutexGuard<'_, Store> {
        let mut store = self.store.lock().unwrap_or_else(PoisonError::into_inner);
        store.expire();
        store
    }

    /// Returns the state of the last `limit` endpoints for tests.
    pub fn state(&self, limit: usize) -> Value {
        self.store().state(limit)
    }

    /// Executes the operation of a route. `origin` is the scheme and the authority for links.
    pub fn execute(
        &self,
        route: &Route<'_>,
        head: &Parts,
        origin: &str,
        body: &[u8],
    ) -> ServiceResponse {
        let collection = format!("{origin}/v2/accounts/{}/endpoints", route.account);
        let response = match route.operation {
            None => Err(method_not_allowed(route)),
            Some(CreateEndpoint) => self.create(&collection, head, body),
            Some(ListEndpoints) => self.list(&collection, head.uri.query().unwrap_or_default()),
            Some(GetEndpoint) => self.get(&collection, route.endpoint),
            Some(DeleteEndpoint) => self.delete(route.endpoint),
            Some(UpdateEndpointBxml) => self.update_bxml(route, head, body),
        };
        response.unwrap_or_else(|rejection| rejection)
    }

    fn create(
        &self,
        collection: &str,
        head: &Parts,
        body: &[u8],
    ) -> Result<ServiceResponse, ServiceResponse> {
        check_media_type(head, "application/json")?;
        let properties = documents::parse_create_endpoint(body)?;
        let mut store = self.store();
        if self.max_endpoints.is_some_and(|max| store.len() >= max) {
            return Err(ApiError::too_many_endpoints().into());
        }
        let endpoint = store.create(properties);
        let mut document = endpoint.document();
        document["token"] = json!(self.token(endpoint));
        let links = vec![link(format!("{collection}/{}", endpoint.id), "endpoint")];
        Ok(envelope::success(201, document, links))
    }

    /// The claims are not documented. The device SDKs do not read them.
    fn token(&self, endpoint: &Endpoint) -> String {
        self.tokens.sign(&json!({
            "iss": "sandbox",
            "sub": endpoint.id,
            "a": self.account,
            "iat": clock::unix_seconds(),
            "exp": clock::unix_seconds_rounded_up(endpoint.expires),
            "jti": uuid::Uuid::new_v4().to_string(),
        }))
    }

    fn list(&self, collection: &str, query: &str) -> Result<ServiceResponse, ServiceResponse> {
        let parameters = documents::parse_list_parameters(query)?;
        let position = match &parameters.after_cursor {
            None => Cursor::default(),
            Some(text) => Cursor::decode(text, &self.cursors)
                .ok_or_else(|| ApiError::invalid_parameter("afterCursor", "is invalid"))?,
        };
        let size = parameters.page_size();
        let page = self.store().list(parameters.status.as_deref(), position, size);
        let href =
            |cursor: Option<&str>| format!("{collection}{}", list_query(&parameters, cursor));
        let mut links = vec![link(href(parameters.after_cursor.as_deref()), "self")];
        if let Some(next) = page.next {
            links.push(link(href(Some(&next.encode(&self.cursors))), "next"));
        }
        let about = json!({
            "pageSize": size,
            "totalElements": page.total,
            "totalPages": page.total.div_ceil(size),
            "pageNumber": position.page,
        });
        Ok(envelope::page(page.endpoints, links, about))
    }

    fn get(&self, collection: &str, id: &str) -> Result<ServiceResponse, ServiceResponse> {
        let mut store = self.store();
        let endpoint = store.get(id).ok_or_else(|| ApiError::not_found(id))?;
        let links = vec![link(format!("{collection}/{id}"), "self")];
        Ok(envelope::success(200, endpoint.document(), links))
    }

    fn delete(&self, id: &str) -> Result<ServiceResponse, ServiceResponse> {
        match self.store().delete(id) {
            true => Ok(ServiceResponse::no_content()),
            false => Err(ApiError::not_found(id).into()),
        }
    }

    fn update_bxml(
        &self,
        route: &Route<'_>,
        head: &Parts,
        body: &[u8],
    ) -> Result<ServiceResponse, ServiceResponse> {
        if !self.has_bxml {
            return Err(method_not_allowed(route));
        }
        check_media_type(head, "application/xml")?;
        let bxml = documents::check_bxml(body)?;
        let mut store = self.store();
        let endpoint =
            store.get(route.endpoint).ok_or_else(|| ApiError::not_found(route.endpoint))?;
        endpoint.bxml = Some(bxml);
        Ok(ServiceResponse::no_content())
    }

    /// Applies the action of a device on an endpoint. Returns the webhook that is due.
    pub fn device_action(
        &self,
        id: &str,
        action: DeviceAction,
        body: &[u8],
    ) -> Result<Webhook, ServiceResponse> {
        let outbound = match action {
            DeviceAction::Outbound => Some(documents::parse_outbound(body)?),
            _ => None,
        };
        let mut store = self.store();
        let endpoint = store.get(id).ok_or_else(|| ApiError::not_found(id))?;
        let event_type = action.spec_event_type();
        if self.webhook_form == WebhookForm::Spec && event_type.is_none() {
            return Err(conflict("with --webhooks spec, there is no event for this action"));
        }
        endpoint.apply(action).map_err(conflict)?;
        let body = match (self.webhook_form, event_type) {
            (WebhookForm::Spec, Some(event_type)) => spec_event(endpoint, event_type),
            _ => documented_event(&self.account, endpoint, action, outbound),
        };
        let properties = &endpoint.properties;
        Ok(Webhook {
            url: properties.event_callback_url.clone(),
            fallback_url: properties.event_fallback_url.clone(),
            body,
        })
    }
}

fn conflict(message: &str) -> ServiceResponse {
    ServiceResponse::json(409, &json!({"error": message}))
}

/// A webhook as the documentation's pages describe it.
fn documented_event(
    account: &str,
    endpoint: &Endpoint,
    action: DeviceAction,
    outbound: Option<Outbound>,
) -> Value {
    let mut document = json!({
        "event": action.event(),
        "accountId": account,
        "endpointId": endpoint.id,
        "timestamp": clock::unix_millis(),
    });
    if let Some(tag) = &endpoint.properties.tag {
        document["tags"] = json!(tag);
    }
    match outbound {
        None => document["deviceId"] = endpoint.device()["deviceId"].take(),
        Some(outbound) => {
            document["to"] = json!(outbound.to);
            document["toType"] = json!(outbound.to_type);
        }
    }
    document
}

/// A webhook as the OpenAPI document describes it.
fn spec_event(endpoint: &Endpoint, event_type: &str) -> Value {
    let mut document = endpoint.summary();
    document["eventType"] = json!(event_type);
    document["eventTime"] = json!(clock::iso_8601(SystemTime::now()));
    document["device"] = endpoint.device();
    document
}

/// The query of a link of `listEndpoints`. As in the specification's example, `=` in a cursor is
/// not encoded.
fn list_query(parameters: &ListParameters, cursor: Option<&str>) -> String {
    let limit = parameters.limit.map(|limit| limit.to_string());
    let cursor = cursor.map(|cursor| {
        let encoded: String = form_urlencoded::byte_serialize(cursor.as_bytes()).collect();
        encoded.replace("%3D", "=")
    });
    let pairs: Vec<String> = [
        ("type", parameters.kind.as_ref()),
        ("status", parameters.status.as_ref()),
        ("limit", limit.as_ref()),
        ("afterCursor", cursor.as_ref()),
    ]
    .into_iter()
    .filter_map(|(name, value)| Some(format!("{name}={}", value?)))
    .collect();
    match pairs.is_empty() {
        true => String::new(),
        false => format!("?{}", pairs.join("&")),
    }
}

fn check_media_type(head: &Parts, expected: &str) -> Result<(), ApiError> {
    let value = head.headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
    let media_type = value.and_then(|value| value.split(';').next()).map(str::trim);
    match media_type.is_some_and(|media_type| media_type.eq_ignore_ascii_case(expected)) {
        true => Ok(()),
        false => Err(ApiError::unsupported_media_type()),
    }
}

/// The response to credentials that are not valid for the account in the path.
pub fn authentication_failure(error: AuthError, account: &str) -> ServiceResponse {
    match error {
        AuthError::Unauthorized => ApiError::unauthorized(),
        AuthError::Forbidden if is_account_id(account) => ApiError::forbidden(),
        AuthError::Forbidden => ApiError::not_found(account),
    }
    .into()
}

/// The response to a method that the resource does not have.
pub fn method_not_allowed(route: &Route<'_>) -> ServiceResponse {
    let methods: Vec<&str> = route.operations.iter().map(|(method, _)| *method).collect();
    ServiceResponse::from(ApiError::method_not_allowed()).with_header("Allow", &methods.join(", "))
}

fn is_account_id(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())
}
