//! The state of BRTC Endpoints: endpoints and their devices.

use std::collections::{BTreeMap, HashMap};
use std::str::FromStr;
use std::time::{Duration, Instant, SystemTime};

use serde_json::{Value, json};

use super::cursor::Cursor;
use super::documents::CreateEndpoint;
use crate::clock::iso_8601;

const CONNECTED: &str = "CONNECTED";
const DISCONNECTED: &str = "DISCONNECTED";

/// One endpoint.
pub struct Endpoint {
    /// The endpoint's id.
    pub id: String,
    /// What the client requested.
    pub properties: CreateEndpoint,
    /// The end of the lifetime.
    pub expires: SystemTime,
    /// The document that `updateEndpointBxml` stored.
    pub bxml: Option<String>,
    created: SystemTime,
    /// The start of the lifetime; independent of changes of the system's time.
    started: Instant,
    /// In the order of their connections; only the last one can be connected.
    devices: Vec<Device>,
    /// Whether the device has published audio, so that a call can be connected to it.
    is_eligible: bool,
}

struct Device {
    id: String,
    is_connected: bool,
    created: SystemTime,
}

/// An action of a device on an endpoint.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DeviceAction {
    /// A device connects with the endpoint's token.
    Connect,
    /// The device disconnects.
    Disconnect,
    /// The device has published audio and can take part in a call.
    Eligible,
    /// The device cannot take part in another call.
    Ineligible,
    /// The device requests an outbound connection.
    Outbound,
}

impl DeviceAction {
    /// The name of the event in the documentation's form.
    pub fn event(self) -> &'static str {
        match self {
            DeviceAction::Connect => "endpointConnected",
            DeviceAction::Disconnect => "endpointDisconnected",
            DeviceAction::Eligible => "endpointEligible",
            DeviceAction::Ineligible => "endpointIneligible",
            DeviceAction::Outbound => "outboundConnectionRequest",
        }
    }

    /// The `eventType` in the OpenAPI document's form, which has only two.
    pub fn spec_event_type(self) -> Option<&'static str> {
        match self {
            DeviceAction::Connect => Some("DEVICE_CONNECTED"),
            DeviceAction::Disconnect => Some("DEVICE_DISCONNECTED"),
            _ => None,
        }
    }
}

impl FromStr for DeviceAction {
    type Err = ();

    fn from_str(name: &str) -> Result<DeviceAction, ()> {
        match name {
            "connect" => Ok(DeviceAction::Connect),
            "disconnect" => Ok(DeviceAction::Disconnect),
            "eligible" => Ok(DeviceAction::Eligible),
            "ineligible" => Ok(DeviceAction::Ineligible),
            "outbound" => Ok(DeviceAction::Outbound),
            _ => Err(()),
        }
    }
}

impl Endpoint {
    /// The EndpointSummary document.
    pub fn summary(&self) -> Value {
        let mut summary = json!({
            "endpointId": self.id,
            "type": "WEBRTC",
            "status": self.status(),
            "creationTimestamp": iso_8601(self.created),
            "expirationTimestamp": iso_8601(self.expires),
        });
        if let Some(tag) = &self.properties.tag {
            summary["tag"] = json!(tag);
        }
        summary
    }

    /// The Endpoint document, without a token.
    pub fn document(&self) -> Value {
        let mut document = self.summary();
        document["devices"] = self.devices.iter().map(Device::document).collect();
        document
    }

    /// The document and everything else, for tests.
    fn state(&self) -> Value {
        let properties = &self.properties;
        let mut state = self.document();
        state["direction"] = json!(properties.direction);
        state["eventCallbackUrl"] = json!(properties.event_callback_url);
        state["eventFallbackUrl"] = json!(properties.event_fallback_url);
        state["connectionMetadata"] = json!(properties.connection_metadata);
        state["eligible"] = json!(self.is_eligible);
        state["bxml"] = json!(self.bxml);
        state
    }

    fn status(&self) -> &'static str {
        self.devices.last().map_or(DISCONNECTED, Device::status)
    }

    /// The Device document of the last device; null if there is none.
    pub fn device(&self) -> Value {
        self.devices.last().map(Device::document).unwrap_or_default()
    }

    /// Applies an action of a device.
    pub fn apply(&mut self, action: DeviceAction) -> Result<(), &'static str> {
        let is_connected = self.status() == CONNECTED;
        if action != DeviceAction::Connect && !is_connected {
            return Err("no device is connected");
        }
        match action {
            DeviceAction::Connect if is_connected => {
                return Err("another device is connected");
            }
            DeviceAction::Connect => self.devices.push(Device {
                id: new_id("d"),
                is_connected: true,
                created: SystemTime::now(),
            }),
            DeviceAction::Disconnect => {
                self.is_eligible = false;
                if let Some(device) = self.devices.last_mut() {
                    device.is_connected = false;
                }
            }
            DeviceAction::Eligible if self.is_eligible => {
                return Err("the endpoint is already eligible");
            }
            DeviceAction::Eligible => self.is_eligible = true,
            DeviceAction::Ineligible if !self.is_eligible => {
                return Err("the endpoint is not eligible");
            }
            DeviceAction::Ineligible => self.is_eligible = false,
            DeviceAction::Outbound => {}
        }
        Ok(())
    }
}

impl Device {
    fn status(&self) -> &'static str {
        if self.is_connected { CONNECTED } else { DISCONNECTED }
    }

    fn document(&self) -> Value {
        json!({
            "deviceId": self.id,
            "status": self.status(),
            "creationTimestamp": iso_8601(self.created),
        })
    }
}

/// The endpoints of one account.
pub struct Store {
    ttl: Duration,
    /// By sequence number, which is the order of creation and of expiry.
    endpoints: BTreeMap<u64, Endpoint>,
    sequence_numbers: HashMap<String, u64>,
    last: u64,
}

/// A part of the list of endpoints.
pub struct Page {
    /// The EndpointSummary documents.
    pub endpoints: Vec<Value>,
    /// The position of the next page, if there is one.
    pub next: Option<Cursor>,
    /// The number of endpoints of all pages.
    pub total: usize,
}

impl Store {
    /// Creates an empty store.
    pub fn new(ttl: Duration) -> Store {
        Store { ttl, endpoints: BTreeMap::new(), sequence_numbers: HashMap::new(), last: 0 }
    }

    /// Deletes the endpoints whose lifetime has ended.
    pub fn expire(&mut self) {
        while let Some(first) = self.endpoints.first_entry() {
            if first.get().started.elapsed() < self.ttl {
                break;
            }
            let endpoint = first.remove();
            self.sequence_numbers.remove(&endpoint.id);
        }
    }

    /// The number of endpoints.
    pub fn len(&self) -> usize {
        self.endpoints.len()
    }

    /// Creates an endpoint.
    pub fn create(&mut self, properties: CreateEndpoint) -> &Endpoint {
        let created = SystemTime::now();
        let endpoint = Endpoint {
            id: new_id("e"),
            properties,
            expires: created + self.ttl,
            bxml: None,
            created,
            started: Instant::now(),
            devices: Vec::new(),
            is_eligible: false,
        };
        self.last += 1;
        self.sequence_numbers.insert(endpoint.id.clone(), self.last);
        self.endpoints.entry(self.last).or_insert(endpoint)
    }

    /// Finds an endpoint.
    pub fn get(&mut self, id: &str) -> Option<&mut Endpoint> {
        self.endpoints.get_mut(self.sequence_numbers.get(id)?)
    }

    /// Deletes an endpoint. Returns whether it existed.
    pub fn delete(&mut self, id: &str) -> bool {
        let number = self.sequence_numbers.remove(id);
        number.and_then(|number| self.endpoints.remove(&number)).is_some()
    }

    /// Returns the page at a position, in the order of creation.
    pub fn list(&self, status: Option<&str>, position: Cursor, size: usize) -> Page {
        let matches =
            |endpoint: &&Endpoint| status.is_none_or(|status| endpoint.status() == status);
        let mut rest = self
            .endpoints
            .range(position.after.saturating_add(1)..)
            .filter(|(_, endpoint)| matches(endpoint));
        let mut after = position.after;
        let mut endpoints = Vec::new();
        for (number, endpoint) in rest.by_ref().take(size) {
            after = *number;
            endpoints.push(endpoint.summary());
        }
        let next = rest.next().map(|_| Cursor { after, page: position.page.saturating_add(1) });
        let total = match status {
            None => self.len(),
            Some(_) => self.endpoints.values().filter(matches).count(),
        };
        Page { endpoints, next, total }
    }

    /// Returns the state of the last `limit` endpoints for tests.
    pub fn state(&self, limit: usize) -> Value {
        let first = self.len().saturating_sub(limit);
        self.endpoints.values().skip(first).map(Endpoint::state).collect()
    }
}

/// A new id in the form of the specification's examples: a prefix, and 8-8-4-4-4-12 hexadecimal
/// digits.
fn new_id(prefix: &str) -> String {
    let first = uuid::Uuid::new_v4().simple().to_string();
    format!("{prefix}-{}-{}", &first[..8], uuid::Uuid::new_v4())
}
