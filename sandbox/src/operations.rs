//! The service's operations: which route is which, and what each does.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use axum::http::Method;
use serde_json::{Value, json};

use crate::documents;
use crate::reply::Reply;
use crate::token::Signer;
use crate::world::{Refusal, World};

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
    /// The operation with this name.
    pub fn named(name: &str) -> Option<Operation> {
        NAMES.iter().find(|(_, known)| *known == name).map(|(operation, _)| *operation)
    }

    /// The operation's name.
    pub fn name(self) -> &'static str {
        NAMES.iter().find(|(operation, _)| *operation == self).map_or("", |(_, name)| name)
    }
}

/// A route below an account: the operation and the ids in its path.
pub struct Route<'a> {
    /// What is to be done.
    pub operation: Operation,
    /// The account in the path.
    pub account: &'a str,
    session: &'a str,
    participant: &'a str,
}

/// The route of a request; none if there is no such route.
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

/// The service behind its gateway.
pub struct Service {
    account: String,
    signer: Signer,
    world: Mutex<World>,
}

impl Service {
    /// A service with nothing in it.
    pub fn new(account: &str, session_ttl: Duration) -> Service {
        Service {
            account: account.to_owned(),
            signer: Signer::new(),
            world: Mutex::new(World::new(session_ttl)),
        }
    }

    /// Looks at or changes what the service remembers.
    pub fn with_world<T>(&self, work: impl FnOnce(&mut World) -> T) -> T {
        let mut world = self.world.lock().unwrap_or_else(PoisonError::into_inner);
        world.expire();
        work(&mut world)
    }

    /// Does what a route says.
    pub fn perform(&self, route: &Route<'_>, body: &[u8]) -> Reply {
        let ids = [route.session, route.participant];
        if ids.iter().any(|id| !id.is_empty() && !is_id(id)) || is_missing(route) {
            return Reply::error(400, "Invalid id");
        }
        self.answer(route, body).unwrap_or_else(|failure| failure)
    }

    fn answer(&self, route: &Route<'_>, body: &[u8]) -> Result<Reply, Reply> {
        let (session, participant) = (route.session, route.participant);
        let bad = |message| Reply::error(400, message);
        match route.operation {
            CreateParticipant => {
                let about = documents::new_participant(body).map_err(bad)?;
                let version = about.device_api_version.clone();
                let (id, document) = self.with_world(|world| {
                    let id = world.create_participant(about);
                    let document = world.participant(&id).unwrap_or_default();
                    (id, document)
                });
                let token = self.signer.participant_token(&self.account, &id, &version);
                Ok(Reply::ok(&json!({"participant": document, "token": token})))
            }
            GetParticipant => self.get(|world| world.participant(participant)),
            DeleteParticipant => self.change(|world| world.delete_participant(participant)),
            CreateSession => {
                let tag = documents::new_session(body).map_err(bad)?;
                self.get(|world| {
                    let id = world.create_session(tag);
                    world.session(&id)
                })
            }
            GetSession => self.get(|world| world.session(session)),
            DeleteSession => self.change(|world| world.delete_session(session)),
            ListSessionParticipants => {
                let members = self.with_world(|world| world.members(session)).map_err(refuse)?;
                Ok(if members.is_empty() {
                    Reply::nothing()
                } else {
                    Reply::ok(&Value::Array(members))
                })
            }
            AddParticipantToSession => {
                let wanted = documents::subscriptions(body, session).map_err(bad)?;
                self.change(|world| world.add(session, participant, wanted))
            }
            RemoveParticipantFromSession => self.change(|world| world.remove(session, participant)),
            GetParticipantSubscriptions => {
                let known = self.with_world(|world| world.subscriptions(session, participant));
                let known = known.map_err(refuse)?;
                Ok(if known.is_empty() { Reply::nothing() } else { Reply::ok(&known.document()) })
            }
            UpdateParticipantSubscriptions => {
                let wanted = documents::subscriptions(body, session).map_err(bad)?;
                self.change(|world| world.subscribe(session, participant, wanted))
            }
        }
    }

    fn get(&self, work: impl FnOnce(&mut World) -> Result<Value, Refusal>) -> Result<Reply, Reply> {
        self.with_world(work).map(|document| Reply::ok(&document)).map_err(refuse)
    }

    fn change(&self, work: impl FnOnce(&mut World) -> Result<(), Refusal>) -> Result<Reply, Reply> {
        self.with_world(work).map(|()| Reply::nothing()).map_err(refuse)
    }
}

/// A refusal as an answer.
pub fn refuse(refusal: Refusal) -> Reply {
    match refusal {
        Refusal::NotFound(message) => Reply::error(404, message),
        Refusal::Conflict(message) => Reply::error(409, message),
    }
}

/// Whether an id that the operation needs is empty.
fn is_missing(route: &Route<'_>) -> bool {
    match route.operation {
        CreateParticipant | CreateSession => false,
        GetParticipant | DeleteParticipant => route.participant.is_empty(),
        GetSession | DeleteSession | ListSessionParticipants => route.session.is_empty(),
        _ => route.session.is_empty() || route.participant.is_empty(),
    }
}

/// Whether it has the form of the service's ids: 36 characters, a UUID.
fn is_id(text: &str) -> bool {
    text.len() == 36 && uuid::Uuid::try_parse(text).is_ok()
}
