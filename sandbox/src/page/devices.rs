//! What the live page shows of the devices that are connected to the sandbox: the one place that
//! connects the page with the media.
//!
//! [`snapshot`] returns null in a build without media. Otherwise it returns an object whose keys are
//! participant ids, and whose values describe the devices of the participant:
//!
//! ```json
//! {"<participantId>": [{
//!   "id": "<deviceId>",
//!   "published": [{"id": "<streamId>", "alias": null,
//!     "audio": {"level": 0.42, "bytes": 18000},
//!     "video": {"bytes": 240000}}],
//!   "received": [{"participantId": "..", "id": "<streamId>",
//!     "audio": {"bytes": 17000}, "video": {"bytes": 230000}}]
//! }]}
//! ```
//!
//! `audio` and `video` are null or missing if the stream has none. `level` is the loudness from 0 to
//! 1, or null if the device does not report it. `bytes` counts the payload since the stream began.
//! The page asks ten times a second.

use serde_json::Value;

use crate::sandbox::State;

/// Whether this build serves devices.
pub const AVAILABLE: bool = false;

/// Returns the devices and the levels of their media.
pub fn snapshot(_state: &State) -> Value {
    Value::Null
}
