//! What the live page shows of the devices that are connected to the sandbox: the one place that
//! connects the page with the media.
//!
//! [`snapshot`] returns null in a build without media. Otherwise it returns an array with an element
//! for each device:
//!
//! ```json
//! {"participantId": "..", "deviceId": "..", "connected": true,
//!   "published": [{"streamId": "..", "alias": null, "mediaType": "AUDIO", "bytes": 18000,
//!     "frames": 300, "level": -35}],
//!   "received": [{"participantId": "..", "streamId": "..", "mediaType": "VIDEO", "bytes": 230000,
//!     "frames": 150}]}
//! ```
//!
//! `level` is the audio level in dBov, from -127 to 0, or null if it is not known. `bytes` and
//! `frames` count since the stream began. The page asks ten times a second.

use serde_json::Value;

use crate::sandbox::Sandbox;

/// Whether this build serves devices.
pub const AVAILABLE: bool = cfg!(feature = "media");

/// Returns the devices and their media. Does not block.
#[cfg(feature = "media")]
pub fn snapshot(sandbox: &Sandbox) -> Value {
    sandbox.devices.snapshot()["devices"].clone()
}

/// Returns null: this build serves no devices.
#[cfg(not(feature = "media"))]
pub fn snapshot(_sandbox: &Sandbox) -> Value {
    Value::Null
}
