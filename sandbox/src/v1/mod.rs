//! WebRTC v1: the routes and the operations.

#[cfg(feature = "media")]
mod devices;
mod documents;
mod store;

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use axum::http::Method;
use serde_json::{Value, json};

#[cfg(feature = "media")]
pub use self::devices::ParticipantView;
pub use self::store::DeviceAction;
use self::store::{Store, StoreError};
use crate::auth::AuthError;
use crate::cli::Arguments;
use crate::clock;
use crate::jwt::Signer;
use crate::response::ServiceResponse;
use crate::webhooks::Webhook;

/// One operation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Operation {
    CreateParticipant,
    GetParticipant,
    DeleteParticipant,
    CreateSession,
    GetSession,
    DeleteSession,
    ListSessionParticipants,
    AddParticipantToSession,
    RemoveParticipantFromSession,
    GetParticipantSubscriptions,
    UpdateParticipantSubscriptions,
}

use Operation::*;

const NAMES: [(Operation, &str); 11] = [
    (CreateParticipant, "createParticipant"),
    (GetParticipant, "getParticipant"),
    (DeleteParticipant, "deleteParticipant"),
    (CreateSession, "createSession"),
    (GetSession, "getSession"),
    (DeleteSession, "deleteSession"),
    (ListSessionParticipants, "listSessionParticipants"),
    (AddParticipantToSession, "addParticipantToSession"),
    (RemoveParticipantFromSession, "removeParticipantFromSession"),
    (GetParticipantSubscriptions, "getParticipantSubscriptions"),
    (UpdateParticipantSubscriptions, "updateParticipantSubscriptions"),
];

impl Operation {
    /// The names of all operations.
    pub fn names() -> Vec<&'static str> {
        NAMES.iter().map(|(_, name)| *name).collect()
    }

    /// The operation with this name.
    pub fn from_name(name: &str) -> Option<Operation> {
        NAMES.iter().find(|(_, known)| *known == name).map(|(operation, _)| *operation)
    }

    /// The operation's name.
    pub fn name(self) -> &'static str {
        NAMES.iter().find(|(operation, _)| *operation == self).map_or("", |(_, name)| name)
    }
}

/// A route below an account: the operation and the ids in its path.
pub struct Route<'a> {
    /// The operation.
    pub operation: Operation,
    /// The account in the path.
    pub account: &'a str,
    session: &'a str,
    participant: &'a str,
}

/// The route of a request; `None` if there is no such route.
pub fn route<'a>(method: &Method, path: &'a str) -> Option<Route<'a>> {
    let segments: Vec<&str> = path.strip_prefix("/v1/accounts/")?.split('/').collect();
    let route = |operation, session, participant| {
        Some(Route { operation, account: segments[0], session, participant })
    };
    match (method.as_str(), &segments[1..]) {
        ("POST", ["participants"]) => route(CreateParticipant, "", ""),
        ("GET", ["participants", p]) => route(GetParticipant, "", p),
        ("DELETE", ["participants", p]) => route(DeleteParticipant, "", p),
        ("POST", ["sessions"]) => route(CreateSession, "", ""),
        ("GET", ["sessions", s]) => route(GetSession, s, ""),
        ("DELETE", ["sessions", s]) => route(DeleteSession, s, ""),
        ("GET", ["sessions", s, "participants"]) => route(ListSessionParticipants, s, ""),
        ("PUT", ["sessions", s, "participants", p]) => route(AddParticipantToSession, s, p),
        ("DELETE", ["sessions", s, "participants", p]) => route(RemoveParticipantFromSession, s, p),
        ("GET", ["sessions", s, "participants", p, "subscriptions"]) => {
            route(GetParticipantSubscriptions, s, p)
        }
        ("PUT", ["sessions", s, "participants", p, "subscriptions"]) => {
            route(UpdateParticipantSubscriptions, s, p)
        }
        _ => None,
    }
}

/// The receiver of a participant's webhooks.
pub struct Callback {
    url: Option<String>,
    tag: Option<String>,
}

impl Callback {
    /// The webhook that reports the action of a device.
    pub fn webhook(&self, action: DeviceAction, participant: &str, device: &str) -> Webhook {
        let mut body = json!({
            "event": action.event(),
            // A string, as in the service's own example.
            "timestamp": clock::unix_millis().to_string(),
            "participantId": participant,
            "deviceId": device,
        });
        if let Some(tag) = &self.tag {
            body["tag"] = json!(tag);
        }
        Webhook { url: self.url.clone(), fallback_url: None, body }
    }
}

/// The service behind its gateway.
pub struct Service {
    account: String,
    signer: Signer,
    /// The lifetime of a participant's token, in seconds.
    token_ttl: u64,
    store: Mutex<Store>,
}

impl Service {
    /// Creates the service without participants and sessions.
    pub fn new(arguments: &Arguments) -> Service {
        Service {
            account: arguments.account.clone(),
            signer: Signer::new(),
            token_ttl: arguments.participant_token_ttl,
            store: Mutex::new(Store::new(Duration::from_secs(arguments.session_ttl))),
        }
    }

    /// The store, without expired sessions.
    fn store(&self) -> MutexGuard<'_, Store> {
        let mut store = self.store.lock().unwrap_or_else(PoisonError::into_inner);
        store.expire();
        store
    }

    /// Returns the state of at most `limit` participants and sessions for tests.
    pub fn state(&self, limit: usize) -> Value {
        self.store().state(limit)
    }

    /// Returns a new token for a participant.
    pub fn issue_token(&self, participant: &str) -> Result<String, ServiceResponse> {
        let document = self.store().participant(participant).map_err(error_response)?;
        let version = document["deviceApiVersion"].as_str().unwrap_or_default();
        Ok(self.signer.participant_token(&self.account, participant, version, self.token_ttl))
    }

    /// Applies the action of a participant's device. Returns the webhook that is due.
    pub fn device_action(
        &self,
        participant: &str,
        action: DeviceAction,
    ) -> Result<Webhook, ServiceResponse> {
        let (url, tag) = self.store().device_action(participant, action).map_err(error_response)?;
        let device = uuid::Uuid::new_v4().to_string();
        Ok(Callback { url, tag }.webhook(action, participant, &device))
    }

    /// Executes the operation of a route.
    pub fn execute(&self, route: &Route<'_>, body: &[u8]) -> ServiceResponse {
        let ids = [route.session, route.participant];
        if ids.iter().any(|id| !id.is_empty() && !is_id(id)) || is_id_missing(route) {
            return ServiceResponse::error(400, "Invalid id");
        }
        self.try_execute(route, body).unwrap_or_else(|rejection| rejection)
    }

    fn try_execute(
        &self,
        route: &Route<'_>,
        body: &[u8],
    ) -> Result<ServiceResponse, ServiceResponse> {
        let (session, participant) = (route.session, route.participant);
        let bad_request = |message| ServiceResponse::error(400, message);
        match route.operation {
            CreateParticipant => {
                let properties = documents::parse_create_participant(body).map_err(bad_request)?;
                let version = properties.device_api_version.clone();
                let mut store = self.store();
                let id = store.create_participant(properties);
                let document = store.participant(&id).map_err(error_response)?;
                drop(store);
                let token =
                    self.signer.participant_token(&self.account, &id, &version, self.token_ttl);
                Ok(ServiceResponse::ok(&json!({"participant": document, "token": token})))
            }
            GetParticipant => document(self.store().participant(participant)),
            DeleteParticipant => no_content(self.store().delete_participant(participant)),
            CreateSession => {
                let tag = documents::parse_create_session(body).map_err(bad_request)?;
                let mut store = self.store();
                let id = store.create_session(tag);
                document(store.session(&id))
            }
            GetSession => document(self.store().session(session)),
            DeleteSession => no_content(self.store().delete_session(session)),
            ListSessionParticipants => {
                let members = self.store().members(session).map_err(error_response)?;
                Ok(if members.is_empty() {
                    ServiceResponse::no_content()
                } else {
                    ServiceResponse::ok(&Value::Array(members))
                })
            }
            AddParticipantToSession => {
                let subscriptions =
                    documents::parse_subscriptions(body, session).map_err(bad_request)?;
                no_content(self.store().add(session, participant, subscriptions))
            }
            RemoveParticipantFromSession => no_content(self.store().remove(session, participant)),
            GetParticipantSubscriptions => {
                let subscriptions = self.store().subscriptions(session, participant);
                let subscriptions = subscriptions.map_err(error_response)?;
                Ok(if subscriptions.is_empty() {
                    ServiceResponse::no_content()
                } else {
                    ServiceResponse::ok(&subscriptions.document())
                })
            }
            UpdateParticipantSubscriptions => {
                let subscriptions =
                    documents::parse_subscriptions(body, session).map_err(bad_request)?;
                no_content(self.store().subscribe(session, participant, subscriptions))
            }
        }
    }
}

fn document(result: Result<Value, StoreError>) -> Result<ServiceResponse, ServiceResponse> {
    result.map(|document| ServiceResponse::ok(&document)).map_err(error_response)
}

fn no_content(result: Result<(), StoreError>) -> Result<ServiceResponse, ServiceResponse> {
    result.map(|()| ServiceResponse::no_content()).map_err(error_response)
}

fn error_response(error: StoreError) -> ServiceResponse {
    match error {
        StoreError::NotFound(message) => ServiceResponse::error(404, message),
        StoreError::Conflict(message) => ServiceResponse::error(409, message),
    }
}

/// Whether an id that the operation needs is empty.
fn is_id_missing(route: &Route<'_>) -> bool {
    match route.operation {
        CreateParticipant | CreateSession => false,
        GetParticipant | DeleteParticipant => route.participant.is_empty(),
        GetSession | DeleteSession | ListSessionParticipants => route.session.is_empty(),
        _ => route.session.is_empty() || route.participant.is_empty(),
    }
}

/// Whether a text has the form of the service's ids: 36 characters, a UUID.
fn is_id(text: &str) -> bool {
    text.len() == 36 && uuid::Uuid::try_parse(text).is_ok()
}

/// The response to credentials that are not valid for the account in the path.
pub fn authentication_failure(error: AuthError) -> ServiceResponse {
    match error {
        AuthError::Unauthorized => ServiceResponse::unauthorized(),
        AuthError::Forbidden => ServiceResponse::forbidden(),
    }
}
