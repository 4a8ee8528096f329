//! What devices read and change of the state.

use std::collections::BTreeMap;

use super::documents::Subscriptions;
use super::store::DeviceAction;
use super::{Callback, Service};

/// What the devices of a participant may send and receive.
pub struct ParticipantView {
    /// The session that the participant is in.
    pub session: Option<String>,
    /// What the participant has subscribed to.
    pub subscriptions: Subscriptions,
    /// AUDIO, VIDEO or both.
    pub permissions: Vec<String>,
}

impl Service {
    /// Returns the participant of a token. The error states why the token is rejected.
    pub fn participant_of_token(&self, token: &str) -> Result<String, &'static str> {
        let claims = self
            .signer
            .verify(token)
            .ok_or("the token has expired, or another sandbox issued it")?;
        let participant = claims["p"].as_str().ok_or("the token names no participant")?;
        match self.store().participant(participant) {
            Ok(_) => Ok(participant.to_owned()),
            Err(_) => Err("the participant does not exist"),
        }
    }

    /// A device has connected. Returns the receiver of its webhooks.
    pub fn connect_device(&self, participant: &str) -> Result<Callback, ()> {
        let result = self.store().device_action(participant, DeviceAction::Connect);
        result.map(|(url, tag)| Callback { url, tag }).map_err(drop)
    }

    /// The last device of a participant has ended. The participant may have been deleted before.
    pub fn end_device(&self, participant: &str, action: DeviceAction) {
        let _ = self.store().device_action(participant, action);
    }

    /// Returns those of the participants that exist.
    pub fn participants<'a>(
        &self,
        ids: impl Iterator<Item = &'a str>,
    ) -> BTreeMap<String, ParticipantView> {
        let store = self.store();
        ids.filter_map(|id| Some((id.to_owned(), store.view(id)?))).collect()
    }
}
