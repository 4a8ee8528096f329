//! The state of WebRTC v1: participants, sessions, membership and subscriptions.

use std::collections::BTreeMap;
use std::str::FromStr;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::documents::{CreateParticipant, Subscriptions};

/// The largest number of participants in a session.
const MAX_PARTICIPANTS: usize = 20;

/// Why an operation is rejected.
#[derive(Debug, PartialEq, Eq)]
pub enum StoreError {
    /// The session or participant does not exist, or the participant is not in the session.
    NotFound(&'static str),
    /// The operation is not possible in the current state.
    Conflict(&'static str),
}

struct Participant {
    properties: CreateParticipant,
    session: Option<String>,
    subscriptions: Subscriptions,
    connected: bool,
}

struct Session {
    tag: Option<String>,
    created: Instant,
    /// Participant ids, in the order in which they joined.
    members: Vec<String>,
}

/// The participants and sessions of one account.
pub struct Store {
    session_ttl: Duration,
    participants: BTreeMap<String, Participant>,
    sessions: BTreeMap<String, Session>,
}

/// An action of a participant's device, which the service reports with a webhook.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DeviceAction {
    /// The device connects.
    Connect,
    /// The device leaves its session.
    Leave,
    /// The device's media is lost, which deletes the participant.
    Disconnect,
}

impl DeviceAction {
    /// The name of the webhook's event.
    pub fn event(self) -> &'static str {
        match self {
            DeviceAction::Connect => "onConnect",
            DeviceAction::Leave => "onLeave",
            DeviceAction::Disconnect => "onDisconnect",
        }
    }
}

impl FromStr for DeviceAction {
    type Err = ();

    fn from_str(name: &str) -> Result<DeviceAction, ()> {
        match name {
            "connect" => Ok(DeviceAction::Connect),
            "leave" => Ok(DeviceAction::Leave),
            "disconnect" => Ok(DeviceAction::Disconnect),
            _ => Err(()),
        }
    }
}

impl Store {
    /// Creates an empty store.
    pub fn new(session_ttl: Duration) -> Store {
        Store { session_ttl, participants: BTreeMap::new(), sessions: BTreeMap::new() }
    }

    /// Deletes the sessions whose lifetime has ended.
    pub fn expire(&mut self) {
        let ttl = self.session_ttl;
        let expired: Vec<String> = self
            .sessions
            .iter()
            .filter(|(_, session)| session.created.elapsed() >= ttl)
            .map(|(id, _)| id.clone())
            .collect();
        for id in expired {
            let _ = self.delete_session(&id);
        }
    }

    /// Creates a participant and returns its id.
    pub fn create_participant(&mut self, properties: CreateParticipant) -> String {
        let id = uuid::Uuid::new_v4().to_string();
        let participant = Participant {
            properties,
            session: None,
            subscriptions: Subscriptions::default(),
            connected: false,
        };
        self.participants.insert(id.clone(), participant);
        id
    }

    /// Returns the Participant document.
    pub fn participant(&self, id: &str) -> Result<Value, StoreError> {
        self.participants
            .get(id)
            .map(|participant| document(id, participant))
            .ok_or(StoreError::NotFound("Participant does not exist"))
    }

    /// Deletes a participant, which also leaves its session.
    pub fn delete_participant(&mut self, id: &str) -> Result<(), StoreError> {
        self.leave(id);
        self.participants
            .remove(id)
            .map(drop)
            .ok_or(StoreError::NotFound("Participant does not exist"))
    }

    /// Creates a session and returns its id.
    pub fn create_session(&mut self, tag: Option<String>) -> String {
        let id = uuid::Uuid::new_v4().to_string();
        let session = Session { tag, created: Instant::now(), members: Vec::new() };
        self.sessions.insert(id.clone(), session);
        id
    }

    /// Returns the Session document.
    pub fn session(&self, id: &str) -> Result<Value, StoreError> {
        self.find_session(id).map(|session| json!({"id": id, "tag": session.tag}))
    }

    /// Deletes a session, but not its participants.
    pub fn delete_session(&mut self, id: &str) -> Result<(), StoreError> {
        for member in self.find_session(id)?.members.clone() {
            self.leave(&member);
        }
        self.sessions.remove(id);
        Ok(())
    }

    /// Returns the Participant documents of a session.
    pub fn members(&self, session: &str) -> Result<Vec<Value>, StoreError> {
        let members = &self.find_session(session)?.members;
        Ok(members.iter().filter_map(|id| self.participant(id).ok()).collect())
    }

    /// Adds a participant to a session.
    pub fn add(
        &mut self,
        session: &str,
        participant: &str,
        subscriptions: Subscriptions,
    ) -> Result<(), StoreError> {
        let is_full = self.find_session(session)?.members.len() >= MAX_PARTICIPANTS;
        let joining = self
            .participants
            .get_mut(participant)
            .ok_or(StoreError::NotFound("Participant does not exist"))?;
        if joining.session.is_some() {
            return Err(StoreError::Conflict("Participant is already in a session"));
        }
        if is_full {
            return Err(StoreError::Conflict("Session is full"));
        }
        joining.session = Some(session.to_owned());
        joining.subscriptions = subscriptions;
        if let Some(session) = self.sessions.get_mut(session) {
            session.members.push(participant.to_owned());
        }
        Ok(())
    }

    /// Removes a participant from a session.
    pub fn remove(&mut self, session: &str, participant: &str) -> Result<(), StoreError> {
        self.member(session, participant)?;
        self.leave(participant);
        Ok(())
    }

    /// Returns a participant's subscriptions.
    pub fn subscriptions(
        &self,
        session: &str,
        participant: &str,
    ) -> Result<Subscriptions, StoreError> {
        self.member(session, participant).map(|member| member.subscriptions.clone())
    }

    /// Replaces a participant's subscriptions.
    pub fn subscribe(
        &mut self,
        session: &str,
        participant: &str,
        subscriptions: Subscriptions,
    ) -> Result<(), StoreError> {
        self.member(session, participant)?;
        if let Some(member) = self.participants.get_mut(participant) {
            member.subscriptions = subscriptions;
        }
        Ok(())
    }

    /// Applies the action of a device. Returns the participant's callbackUrl and tag.
    pub fn device_action(
        &mut self,
        id: &str,
        action: DeviceAction,
    ) -> Result<(Option<String>, Option<String>), StoreError> {
        let participant = self
            .participants
            .get_mut(id)
            .ok_or(StoreError::NotFound("Participant does not exist"))?;
        participant.connected = action == DeviceAction::Connect;
        let properties = &participant.properties;
        let callback = (properties.callback_url.clone(), properties.tag.clone());
        match action {
            DeviceAction::Connect => {}
            DeviceAction::Leave => self.leave(id),
            DeviceAction::Disconnect => self.delete_participant(id)?,
        }
        Ok(callback)
    }

    /// What the devices of a participant may send and receive.
    #[cfg(feature = "media")]
    pub fn view(&self, id: &str) -> Option<super::ParticipantView> {
        let participant = self.participants.get(id)?;
        Some(super::ParticipantView {
            session: participant.session.clone(),
            subscriptions: participant.subscriptions.clone(),
            permissions: participant.properties.publish_permissions.clone(),
        })
    }

    /// Returns the state for tests: at most `limit` sessions, newest first, and at most `limit`
    /// participants, those in a session first. `hears` lists the participants that one hears now.
    pub fn state(&self, limit: usize) -> Value {
        let with_session = |expected| {
            self.participants.iter().filter(move |(_, p)| p.session.is_some() == expected)
        };
        let participants: Vec<Value> = with_session(true)
            .chain(with_session(false))
            .take(limit)
            .map(|(id, participant)| {
                let mut state = document(id, participant);
                state["connected"] = json!(participant.connected);
                state["hears"] = json!(self.hears(id, participant));
                state
            })
            .collect();
        let mut newest: Vec<_> = self.sessions.iter().collect();
        newest.sort_by_key(|(_, session)| std::cmp::Reverse(session.created));
        let sessions: Vec<Value> = newest
            .into_iter()
            .take(limit)
            .map(|(id, s)| json!({"id": id, "tag": s.tag, "participants": s.members}))
            .collect();
        json!({"participants": participants, "sessions": sessions})
    }

    /// The participants that one hears: those that are named, otherwise everyone in the session.
    fn hears(&self, id: &str, participant: &Participant) -> Vec<String> {
        let Some(session) = participant.session.as_ref().and_then(|id| self.sessions.get(id))
        else {
            return Vec::new();
        };
        let subscriptions = &participant.subscriptions;
        let named = subscriptions.participant_ids();
        session
            .members
            .iter()
            .filter(|other| *other != id)
            .filter(|other| match named.is_empty() {
                true => subscriptions.session_id.is_some(),
                false => named.contains(&other.as_str()),
            })
            .cloned()
            .collect()
    }

    fn find_session(&self, id: &str) -> Result<&Session, StoreError> {
        self.sessions.get(id).ok_or(StoreError::NotFound("Session does not exist"))
    }

    fn member(&self, session: &str, participant: &str) -> Result<&Participant, StoreError> {
        self.find_session(session)?;
        self.participants
            .get(participant)
            .filter(|found| found.session.as_deref() == Some(session))
            .ok_or(StoreError::NotFound("Participant is not in the session"))
    }

    fn leave(&mut self, id: &str) {
        let Some(participant) = self.participants.get_mut(id) else { return };
        participant.subscriptions = Subscriptions::default();
        if let Some(session) = participant.session.take() {
            if let Some(session) = self.sessions.get_mut(&session) {
                session.members.retain(|member| member != id);
            }
        }
    }
}

fn document(id: &str, participant: &Participant) -> Value {
    let properties = &participant.properties;
    json!({
        "id": id,
        "callbackUrl": properties.callback_url,
        "publishPermissions": properties.publish_permissions,
        "sessions": participant.session.iter().collect::<Vec<_>>(),
        "subscriptions": participant.subscriptions.document(),
        "tag": properties.tag,
        "deviceApiVersion": properties.device_api_version,
    })
}
