//! What the service remembers: sessions, participants, who is where and hears whom.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::documents::{NewParticipant, Subscriptions};

/// How many participants a session takes.
const SESSION_SIZE: usize = 20;

/// Why something cannot be done.
#[derive(Debug, PartialEq, Eq)]
pub enum Refusal {
    /// There is no such session or participant, or not there.
    NotFound(&'static str),
    /// The state forbids it.
    Conflict(&'static str),
}

struct Participant {
    about: NewParticipant,
    session: Option<String>,
    subscriptions: Subscriptions,
    connected: bool,
}

struct Session {
    tag: Option<String>,
    born: Instant,
    /// In the order in which they joined.
    members: Vec<String>,
}

/// Everything of one account.
pub struct World {
    session_ttl: Duration,
    participants: BTreeMap<String, Participant>,
    sessions: BTreeMap<String, Session>,
}

/// What a device does, which the service tells by a webhook.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Event {
    /// It connects.
    Connect,
    /// It leaves its session.
    Leave,
    /// Its media is lost, and with it the participant.
    Disconnect,
}

/// Where and about whom a webhook goes.
pub struct Notice {
    /// The participant's callbackUrl.
    pub callback_url: Option<String>,
    /// The participant's tag.
    pub tag: Option<String>,
}

impl World {
    /// Empty.
    pub fn new(session_ttl: Duration) -> World {
        World { session_ttl, participants: BTreeMap::new(), sessions: BTreeMap::new() }
    }

    /// Takes away the sessions whose time is over.
    pub fn expire(&mut self) {
        let ttl = self.session_ttl;
        let old: Vec<String> = self
            .sessions
            .iter()
            .filter(|(_, session)| session.born.elapsed() >= ttl)
            .map(|(id, _)| id.clone())
            .collect();
        for id in old {
            let _ = self.delete_session(&id);
        }
    }

    /// A new participant's id.
    pub fn create_participant(&mut self, about: NewParticipant) -> String {
        let id = uuid::Uuid::new_v4().to_string();
        let participant = Participant {
            about,
            session: None,
            subscriptions: Subscriptions::default(),
            connected: false,
        };
        self.participants.insert(id.clone(), participant);
        id
    }

    /// The Participant document.
    pub fn participant(&self, id: &str) -> Result<Value, Refusal> {
        self.participants
            .get(id)
            .map(|participant| document(id, participant))
            .ok_or(Refusal::NotFound("Participant does not exist"))
    }

    /// Takes a participant away, out of its session too.
    pub fn delete_participant(&mut self, id: &str) -> Result<(), Refusal> {
        self.leave(id);
        self.participants
            .remove(id)
            .map(drop)
            .ok_or(Refusal::NotFound("Participant does not exist"))
    }

    /// A new session's id.
    pub fn create_session(&mut self, tag: Option<String>) -> String {
        let id = uuid::Uuid::new_v4().to_string();
        let session = Session { tag, born: Instant::now(), members: Vec::new() };
        self.sessions.insert(id.clone(), session);
        id
    }

    /// The Session document.
    pub fn session(&self, id: &str) -> Result<Value, Refusal> {
        self.find_session(id).map(|session| json!({"id": id, "tag": session.tag}))
    }

    /// Takes a session away; its participants stay.
    pub fn delete_session(&mut self, id: &str) -> Result<(), Refusal> {
        for member in self.find_session(id)?.members.clone() {
            self.leave(&member);
        }
        self.sessions.remove(id);
        Ok(())
    }

    /// The documents of a session's participants.
    pub fn members(&self, session: &str) -> Result<Vec<Value>, Refusal> {
        let members = &self.find_session(session)?.members;
        Ok(members.iter().filter_map(|id| self.participant(id).ok()).collect())
    }

    /// Puts a participant into a session.
    pub fn add(
        &mut self,
        session: &str,
        participant: &str,
        subscriptions: Subscriptions,
    ) -> Result<(), Refusal> {
        let room = self.find_session(session)?.members.len() < SESSION_SIZE;
        let joining = self
            .participants
            .get_mut(participant)
            .ok_or(Refusal::NotFound("Participant does not exist"))?;
        if joining.session.is_some() {
            return Err(Refusal::Conflict("Participant is already in a session"));
        }
        if !room {
            return Err(Refusal::Conflict("Session is full"));
        }
        joining.session = Some(session.to_owned());
        joining.subscriptions = subscriptions;
        if let Some(session) = self.sessions.get_mut(session) {
            session.members.push(participant.to_owned());
        }
        Ok(())
    }

    /// Takes a participant out of a session.
    pub fn remove(&mut self, session: &str, participant: &str) -> Result<(), Refusal> {
        self.member(session, participant)?;
        self.leave(participant);
        Ok(())
    }

    /// Whom a participant hears, as ordered.
    pub fn subscriptions(
        &self,
        session: &str,
        participant: &str,
    ) -> Result<Subscriptions, Refusal> {
        self.member(session, participant).map(|member| member.subscriptions.clone())
    }

    /// Changes whom a participant hears.
    pub fn subscribe(
        &mut self,
        session: &str,
        participant: &str,
        subscriptions: Subscriptions,
    ) -> Result<(), Refusal> {
        self.member(session, participant)?;
        if let Some(member) = self.participants.get_mut(participant) {
            member.subscriptions = subscriptions;
        }
        Ok(())
    }

    /// A device does something; tells whom to notify.
    pub fn device(&mut self, id: &str, event: Event) -> Result<Notice, Refusal> {
        let participant =
            self.participants.get_mut(id).ok_or(Refusal::NotFound("Participant does not exist"))?;
        let notice = Notice {
            callback_url: participant.about.callback_url.clone(),
            tag: participant.about.tag.clone(),
        };
        participant.connected = event == Event::Connect;
        match event {
            Event::Connect => {}
            Event::Leave => self.leave(id),
            Event::Disconnect => self.delete_participant(id)?,
        }
        Ok(notice)
    }

    /// Everything, for tests to look at; `hears` is what the subscriptions come to now.
    pub fn state(&self, account: &str) -> Value {
        let participants: Vec<Value> = self
            .participants
            .iter()
            .map(|(id, participant)| {
                let mut state = document(id, participant);
                state["connected"] = json!(participant.connected);
                state["hears"] = json!(self.hears(id, participant));
                state
            })
            .collect();
        let sessions: Vec<Value> = self
            .sessions
            .iter()
            .map(|(id, s)| json!({"id": id, "tag": s.tag, "participants": s.members}))
            .collect();
        json!({"accounts": [{"id": account, "participants": participants, "sessions": sessions}]})
    }

    /// The participants that one hears: those named, else everyone in the session.
    fn hears(&self, id: &str, participant: &Participant) -> Vec<String> {
        let Some(session) = participant.session.as_ref().and_then(|id| self.sessions.get(id))
        else {
            return Vec::new();
        };
        let subscriptions = &participant.subscriptions;
        let named = subscriptions.named();
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

    fn find_session(&self, id: &str) -> Result<&Session, Refusal> {
        self.sessions.get(id).ok_or(Refusal::NotFound("Session does not exist"))
    }

    fn member(&self, session: &str, participant: &str) -> Result<&Participant, Refusal> {
        self.find_session(session)?;
        self.participants
            .get(participant)
            .filter(|found| found.session.as_deref() == Some(session))
            .ok_or(Refusal::NotFound("Participant is not in the session"))
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
    let about = &participant.about;
    json!({
        "id": id,
        "callbackUrl": about.callback_url,
        "publishPermissions": about.publish_permissions,
        "sessions": participant.session.iter().collect::<Vec<_>>(),
        "subscriptions": participant.subscriptions.document(),
        "tag": about.tag,
        "deviceApiVersion": about.device_api_version,
    })
}
