//! A device: what it publishes, what it receives, and the offers for both.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use str0m::change::{SdpAnswer, SdpOffer, SdpPendingOffer};
use str0m::media::{Direction, MediaKind, Mid};
use tokio::sync::mpsc;
use tokio::sync::mpsc::error::TrySendError;

use super::peer::{KeyframeRequests, Peer, Sockets};
use super::planner::{self, DeviceKey, Kind, Participant, Source, Track};
use super::sdp::{self, Section};
use super::signaling::{self, RpcError};
use crate::sandbox::State;
use crate::v1::Callback;
use crate::webhooks::Webhook;

/// How long a device may take to answer an offer. The SDK ignores an offer that it considers old.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(10);
/// How long an audio level is current.
const LEVEL_LIFETIME: Duration = Duration::from_secs(1);

/// What is sent to a device.
pub enum Outgoing {
    /// A text frame.
    Text(String),
    /// The end of the connection, with a code of RFC 6455.
    Close(u16),
}

/// A websocket of a device.
pub struct Socket {
    /// Identifies the websocket.
    pub id: u64,
    outbox: Option<mpsc::Sender<Outgoing>>,
}

impl Socket {
    /// A websocket that sends what is put into the outbox, and ends when the outbox is dropped.
    pub fn new(id: u64, outbox: mpsc::Sender<Outgoing>) -> Socket {
        Socket { id, outbox: Some(outbox) }
    }

    /// Puts something into the outbox, if there is one.
    pub fn try_send(&self, message: Outgoing) -> Option<Result<(), TrySendError<Outgoing>>> {
        self.outbox.as_ref().map(|outbox| outbox.try_send(message))
    }
}

/// A device of a participant.
pub struct Device {
    /// The id in webhooks.
    pub id: String,
    /// The id of the participant.
    pub participant: String,
    /// The id that the SDK has chosen for itself, and repeats when it connects again.
    pub unique_id: String,
    /// The state in which the participant exists.
    pub state: Arc<State>,
    /// The receiver of webhooks.
    pub callback: Callback,
    /// Sends webhooks in their order.
    pub webhooks: mpsc::UnboundedSender<Webhook>,
    /// The websocket; `None` while it is lost.
    pub socket: Option<Socket>,
    /// When the websocket was lost.
    pub lost: Option<Instant>,
    /// The connection on which the device sends.
    pub publisher: Option<Publisher>,
    /// The connection on which the device receives.
    pub subscriber: Option<Subscriber>,
    /// The number of the last offer. The SDK ignores an offer without a higher number.
    pub revision: u64,
    /// After an invalid answer, no offer is sent before this time.
    pub retry_after: Option<Instant>,
}

/// The connection on which a device sends.
pub struct Publisher {
    /// The connection.
    pub peer: Peer,
    /// The id of the connection in messages.
    pub endpoint: String,
    /// What the device sends.
    pub tracks: Vec<Published>,
}

/// A track that a device sends.
pub struct Published {
    /// The track.
    pub track: Track,
    /// The track's media section.
    pub mid: Mid,
    /// The requests for keyframes.
    pub keyframes: KeyframeRequests,
    /// The number of bytes that have arrived, without headers.
    pub bytes: u64,
    /// The number of frames that have arrived.
    pub frames: u64,
    /// The last audio level, and when it arrived.
    pub level: Option<(i8, Instant)>,
}

/// The connection on which a device receives.
pub struct Subscriber {
    /// The connection.
    pub peer: Peer,
    /// What the device receives.
    pub received: Vec<Received>,
    /// Whether the connection must be established again.
    pub must_restart: bool,
    endpoint: String,
    /// Whether the device receives what it should.
    is_complete: bool,
    /// Whether the device has accepted an offer.
    is_established: bool,
    pending: Option<Pending>,
}

/// An offer that the device has not answered yet.
struct Pending {
    offer: SdpPendingOffer,
    params: Value,
    sent: Instant,
}

/// A track that a device receives.
pub struct Received {
    /// The track of the other device.
    pub source: Source,
    /// The id of the other participant.
    pub participant: String,
    /// The id of the stream.
    pub stream: String,
    /// Audio or video.
    pub kind: Kind,
    /// The media section in which the device receives it.
    pub mid: Mid,
    /// Whether the device has accepted the media section.
    pub is_open: bool,
    /// Whether the device no longer receives it. The media section stays, for the case that the
    /// device receives it again.
    pub is_paused: bool,
    /// Whether the other device no longer publishes it. The media section is removed.
    pub is_ended: bool,
    /// The number of bytes that were sent, without headers.
    pub bytes: u64,
    /// The number of frames that were sent.
    pub frames: u64,
    metadata: (String, Value),
}

/// A track that a device should receive, with what its offer states.
pub struct Wanted {
    /// The track of the other device.
    pub source: Source,
    /// The id of the other participant.
    pub participant: String,
    /// The other device's connection.
    pub endpoint: String,
    /// The track.
    pub track: Track,
}

impl Device {
    /// Sends a text. A device that does not read loses its websocket.
    pub fn send(&mut self, text: String) {
        let Some(socket) = &mut self.socket else { return };
        // If the websocket has ended, its last messages are still to be processed.
        if let Some(Err(TrySendError::Full(_))) = socket.try_send(Outgoing::Text(text)) {
            socket.outbox = None;
        }
    }

    /// Ends the websocket, with the code that decides whether the SDK connects again.
    pub fn close_socket(&mut self, code: u16) {
        if let Some(socket) = self.socket.take() {
            // If the device does not read, dropping the sender ends the connection.
            let _ = socket.try_send(Outgoing::Close(code));
        }
    }

    /// Starts the time in which the device may connect again.
    pub fn lose_socket(&mut self) {
        self.socket = None;
        self.lost = Some(Instant::now());
    }

    /// Replaces the websocket by that of a device that has connected again. An offer that was not
    /// answered is sent again.
    pub fn take_over(&mut self, socket: Socket) {
        self.close_socket(1000);
        (self.socket, self.lost) = (Some(socket), None);
        let revision = &mut self.revision;
        let again = self.subscriber.as_mut().and_then(|s| s.repeat_offer(revision));
        if let Some(text) = again {
            self.send(text);
        }
    }

    /// The device as the planner sees it.
    pub fn planned(&self, key: DeviceKey) -> planner::Device {
        let tracks = self.publisher.iter().flat_map(|publisher| &publisher.tracks);
        planner::Device {
            key,
            participant: self.participant.clone(),
            tracks: tracks.map(|published| published.track.clone()).collect(),
        }
    }

    /// Accepts an offer of what the device publishes. Returns the result of the call.
    pub fn publish(
        &mut self,
        offer: &str,
        aliases: &BTreeMap<String, String>,
        participant: &Participant,
        sockets: &Sockets,
    ) -> Result<Value, RpcError> {
        let invalid = |message| RpcError::new(-32602, message);
        let is_permitted = |kind| participant.permissions.contains(&kind);
        let (sections, offer) = sdp::read_offer(offer, is_permitted).map_err(invalid)?;
        let mut publisher = self.publisher.take().unwrap_or_else(|| Publisher::new(sockets));
        // A connection whose offer fails is unusable, and the next offer starts a new one.
        let answer = publisher.accept(&offer).ok_or(invalid("the offer is invalid"))?;
        publisher.set_tracks(sections, aliases);
        let metadata = publisher.metadata(&self.participant);
        let endpoint = publisher.endpoint.clone();
        self.publisher = Some(publisher);
        Ok(json!({"sdpAnswer": answer, "endpointId": endpoint, "streamMetadata": metadata}))
    }

    /// Whether `negotiate` may have something to do although the plan has not changed.
    pub fn must_negotiate(&self) -> bool {
        self.subscriber.as_ref().is_none_or(|s| s.must_restart || !s.is_complete)
    }

    /// Sends an offer if the device should receive something else, and no offer is pending.
    /// `published` contains all tracks of all devices.
    pub fn negotiate(
        &mut self,
        wanted: Vec<Wanted>,
        published: &BTreeSet<Source>,
        sockets: &Sockets,
        now: Instant,
    ) {
        let is_early = self.retry_after.is_some_and(|time| now < time);
        if is_early || (self.subscriber.is_none() && wanted.is_empty()) {
            return;
        }
        let subscriber = self.subscriber.get_or_insert_with(|| Subscriber::new(sockets));
        if let Some(text) = subscriber.offer(wanted, published, &mut self.revision, now) {
            self.send(text);
        }
    }

    /// The connections that are alive.
    pub fn peers(&self) -> impl Iterator<Item = &Peer> {
        let publisher = self.publisher.as_ref().map(|publisher| &publisher.peer);
        let subscriber = self.subscriber.as_ref().map(|subscriber| &subscriber.peer);
        publisher.into_iter().chain(subscriber).filter(|peer| peer.is_alive())
    }

    /// Accepts the answer to the pending offer. After an invalid one, the connection starts again.
    pub fn answer(&mut self, answer: &str) -> Result<(), RpcError> {
        let result = self.subscriber.as_mut().map_or(Ok(()), |s| s.answer(answer));
        if result.is_err() {
            self.subscriber = None;
            self.retry_after = Some(Instant::now() + ANSWER_TIMEOUT);
        }
        result
    }

    /// Closes both connections.
    pub fn close_media(&mut self, sockets: &Sockets) {
        let publisher = self.publisher.take().map(|publisher| publisher.peer);
        let subscriber = self.subscriber.take().map(|subscriber| subscriber.peer);
        for peer in publisher.into_iter().chain(subscriber) {
            peer.close(sockets);
        }
    }

    /// What the page and the tests show of the device.
    pub fn snapshot(&self, now: Instant) -> Value {
        let published: Vec<Value> = self
            .publisher
            .iter()
            .flat_map(|publisher| &publisher.tracks)
            .map(|published| {
                let level = published.level.filter(|(_, time)| now - *time < LEVEL_LIFETIME);
                json!({
                    "streamId": published.track.stream, "alias": published.track.alias,
                    "mediaType": published.track.kind.name(), "bytes": published.bytes,
                    "frames": published.frames, "level": level.map(|(level, _)| level),
                })
            })
            .collect();
        let received: Vec<Value> = self
            .subscriber
            .iter()
            .flat_map(|subscriber| &subscriber.received)
            .filter(|received| received.is_open && received.is_current())
            .map(|received| {
                json!({
                    "participantId": received.participant, "streamId": received.stream,
                    "mediaType": received.kind.name(), "bytes": received.bytes,
                    "frames": received.frames,
                })
            })
            .collect();
        json!({
            "participantId": self.participant, "deviceId": self.id,
            "connected": self.socket.is_some(),
            "heartbeats": self.peers().map(Peer::pongs).sum::<u64>(),
            "published": published, "received": received,
        })
    }
}

impl Publisher {
    fn new(sockets: &Sockets) -> Publisher {
        let mut peer = Peer::new(sockets, Instant::now());
        peer.with(|rtc| rtc.direct_api().create_data_channel(Peer::heartbeat_channel()));
        Publisher { peer, endpoint: uuid::Uuid::new_v4().to_string(), tracks: Vec::new() }
    }

    /// Accepts an offer. Returns the answer.
    fn accept(&mut self, offer: &str) -> Option<String> {
        let answer = self.peer.with(|rtc| {
            let offer = SdpOffer::from_sdp_string(offer).ok()?;
            Some(rtc.sdp_api().accept_offer(offer).ok()?.to_sdp_string())
        });
        answer.flatten()
    }

    /// The track with this media section.
    pub fn track(&mut self, mid: Mid) -> Option<&mut Published> {
        self.tracks.iter_mut().find(|published| published.mid == mid)
    }

    /// Replaces the tracks, but keeps the counters of those that continue.
    fn set_tracks(&mut self, sections: Vec<Section>, aliases: &BTreeMap<String, String>) {
        let mut before = std::mem::take(&mut self.tracks);
        for Section { mid, kind, stream } in sections {
            let same = |published: &Published| {
                published.track.mid == mid && published.track.stream == stream
            };
            let alias = aliases.get(&stream).cloned();
            let published = match before.iter().position(same) {
                Some(index) => {
                    let mut published = before.swap_remove(index);
                    published.track.alias = alias.or(published.track.alias);
                    published
                }
                None => Published {
                    mid: Mid::from(mid.as_str()),
                    track: Track { mid, stream, alias, kind },
                    keyframes: KeyframeRequests::default(),
                    bytes: 0,
                    frames: 0,
                    level: None,
                },
            };
            self.tracks.push(published);
        }
    }

    fn metadata(&self, participant: &str) -> Value {
        stream_metadata(
            self.tracks
                .iter()
                .map(|published| metadata(&published.track, &self.endpoint, participant)),
        )
    }
}

impl Subscriber {
    fn new(sockets: &Sockets) -> Subscriber {
        Subscriber {
            peer: Peer::new(sockets, Instant::now()),
            received: Vec::new(),
            must_restart: false,
            is_complete: false,
            endpoint: uuid::Uuid::new_v4().to_string(),
            is_established: false,
            pending: None,
        }
    }

    /// Makes the next offer, unless the device already receives what it should, or has an offer to
    /// answer. Returns the text of the event.
    fn offer(
        &mut self,
        mut wanted: Vec<Wanted>,
        published: &BTreeSet<Source>,
        revision: &mut u64,
        now: Instant,
    ) -> Option<String> {
        if self.pending.as_ref().is_some_and(|pending| now - pending.sent < ANSWER_TIMEOUT) {
            return None;
        }
        let unanswered = self.pending.take();
        let mut changed = Vec::new();
        for received in &mut self.received {
            let index = wanted.iter().position(|wanted| wanted.is(received));
            index.into_iter().for_each(|index| drop(wanted.swap_remove(index)));
            let is_ended = !published.contains(&received.source);
            if received.is_paused != index.is_none() || received.is_ended != is_ended {
                received.is_paused = index.is_none();
                received.is_ended |= is_ended;
                changed.push((received.mid, received.is_paused, received.is_ended));
            }
        }
        let is_complete = changed.is_empty() && wanted.is_empty() && unanswered.is_none();
        self.is_complete = is_complete && !self.must_restart;
        if self.is_complete {
            return None;
        }
        // The tracks of a stream one after another, so that the device gets them together.
        wanted.sort_by(|a, b| a.source.cmp(&b.source));
        let must_restart = std::mem::take(&mut self.must_restart);
        let is_established = self.is_established;
        let made = self.peer.with(|rtc| {
            let mut changes = rtc.sdp_api();
            if let Some(unanswered) = unanswered {
                changes.merge(unanswered.offer);
            } else if !is_established {
                // First, because the connection needs a section that never ends.
                changes.add_channel_with_config(Peer::heartbeat_channel());
            }
            for (mid, is_paused, is_ended) in changed {
                match (is_ended, is_paused) {
                    (true, _) => changes.stop_media(mid),
                    (false, true) => changes.set_direction(mid, Direction::Inactive),
                    (false, false) => changes.set_direction(mid, Direction::SendOnly),
                }
            }
            let mut added = Vec::new();
            for wanted in wanted {
                let kind = match wanted.track.kind {
                    Kind::Audio => MediaKind::Audio,
                    Kind::Video => MediaKind::Video,
                };
                let stream = Some(wanted.track.stream.clone());
                let mid = changes.add_media(kind, Direction::SendOnly, stream, None, None);
                added.push(wanted.received(mid));
            }
            if must_restart {
                changes.ice_restart(true);
            }
            let (offer, pending) = changes.apply()?;
            Some((offer.to_sdp_string(), pending, added))
        });
        let (sdp, offer, added) = made.flatten()?;
        self.received.extend(added);
        *revision += 1;
        let current = self.received.iter().filter(|received| received.is_current());
        let params = json!({
            "sdpOffer": sdp, "sdpRevision": revision, "endpointId": self.endpoint,
            "streamMetadata": stream_metadata(current.map(|received| received.metadata.clone())),
        });
        let text = signaling::event("sdpOffer", &params);
        self.pending = Some(Pending { offer, params, sent: now });
        Some(text)
    }

    /// The pending offer with a new revision, because the SDK ignores one that it has seen.
    fn repeat_offer(&mut self, revision: &mut u64) -> Option<String> {
        let pending = self.pending.as_mut()?;
        *revision += 1;
        pending.params["sdpRevision"] = json!(revision);
        pending.sent = Instant::now();
        Some(signaling::event("sdpOffer", &pending.params))
    }

    /// Accepts the answer to the pending offer. An answer without an offer is ignored: the device may
    /// answer an offer twice after it has connected again.
    fn answer(&mut self, answer: &str) -> Result<(), RpcError> {
        let Some(pending) = self.pending.take() else { return Ok(()) };
        let accepted = self.peer.with(|rtc| {
            let answer = SdpAnswer::from_sdp_string(answer).ok()?;
            rtc.sdp_api().accept_answer(pending.offer, answer).ok()
        });
        if accepted.flatten().is_none() {
            return Err(RpcError::new(-32602, "the answer is invalid"));
        }
        self.is_established = true;
        self.received.retain(|received| !received.is_ended);
        for received in &mut self.received {
            received.is_open = true;
        }
        Ok(())
    }
}

impl Received {
    /// Whether the device should receive the track.
    pub fn is_current(&self) -> bool {
        !self.is_paused && !self.is_ended
    }
}

impl Wanted {
    fn is(&self, received: &Received) -> bool {
        !received.is_ended
            && received.source == self.source
            && received.stream == self.track.stream
            && received.kind == self.track.kind
    }

    fn received(self, mid: Mid) -> Received {
        Received {
            metadata: metadata(&self.track, &self.endpoint, &self.participant),
            source: self.source,
            participant: self.participant,
            stream: self.track.stream,
            kind: self.track.kind,
            mid,
            is_open: false,
            is_paused: false,
            is_ended: false,
            bytes: 0,
            frames: 0,
        }
    }
}

/// The id of a track's stream, and the metadata of a stream with this track only.
fn metadata(track: &Track, endpoint: &str, participant: &str) -> (String, Value) {
    let mut metadata = json!({
        "endpointId": endpoint, "mediaTypes": [track.kind.name()], "participantId": participant,
    });
    if let Some(alias) = &track.alias {
        metadata["alias"] = json!(alias);
    }
    (track.stream.clone(), metadata)
}

/// `streamMetadata`: the metadata of the tracks, joined by stream.
fn stream_metadata(tracks: impl Iterator<Item = (String, Value)>) -> Value {
    let mut streams = BTreeMap::<String, Value>::new();
    for (stream, metadata) in tracks {
        let known = streams.entry(stream).or_insert_with(|| metadata.clone());
        if let Some(types) = known["mediaTypes"].as_array_mut() {
            if !types.contains(&metadata["mediaTypes"][0]) {
                types.push(metadata["mediaTypes"][0].clone());
            }
        }
    }
    json!(streams)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use str0m::Rtc;

    use super::*;

    /// The sockets of the tests, whose runtime must exist as long.
    fn sockets() -> (tokio::runtime::Runtime, Sockets) {
        str0m::crypto::from_feature_flags().install_process_default();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let socket = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
        let sockets = runtime.block_on(async { Sockets::new(vec![socket]).unwrap() });
        (runtime, sockets)
    }

    /// An offer with audio and video, as a browser makes it.
    fn browser_offer() -> String {
        str0m::crypto::from_feature_flags().install_process_default();
        let mut rtc = Rtc::builder().build(Instant::now());
        let mut changes = rtc.sdp_api();
        changes.add_channel("__heartbeat__".into());
        for kind in [MediaKind::Audio, MediaKind::Video] {
            changes.add_media(kind, Direction::SendOnly, Some("stream".into()), None, None);
        }
        changes.apply().unwrap().0.to_sdp_string()
    }

    /// The offer with lines that are removed, repeated, moved and changed.
    fn changed_offer() -> impl Strategy<Value = String> {
        let lines: Vec<String> = browser_offer().lines().map(str::to_owned).collect();
        let replacement = prop_oneof![
            "a=(mid|msid|ssrc|rtpmap|fmtp|extmap|setup|candidate|group|ssrc-group|simulcast|rid):.{0,40}",
            "m=(audio|video|application|text) [0-9]{1,6} [A-Z/]{1,20} [0-9 ]{0,12}",
            "[a-z]=.{0,80}",
            "a=(sendrecv|recvonly|inactive|ice-lite|rtcp-rsize|end-of-candidates)",
        ];
        let change =
            (0..6_u8, any::<prop::sample::Index>(), any::<prop::sample::Index>(), replacement);
        prop::collection::vec(change, 0..5).prop_map(move |changes| {
            let mut lines = lines.clone();
            for (kind, from, to, text) in changes {
                let (from, to) = (from.index(lines.len()), to.index(lines.len()));
                match kind {
                    0 if lines.len() > 1 => drop(lines.remove(from)),
                    1 => lines.insert(to, lines[from].clone()),
                    2 => lines.swap(from, to),
                    3 => lines[from] = lines[from].replace(['0', '1', '9'], "99999999999"),
                    4 => lines[from] = text,
                    _ => lines.insert(to, text),
                }
            }
            lines.join("\r\n") + "\r\n"
        })
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(100))]

        #[test]
        fn invalid_sdp_ends_at_most_its_connection(
            first in changed_offer(), second in changed_offer(),
        ) {
            let (_runtime, sockets) = sockets();
            let mut publisher = Publisher::new(&sockets);
            for offer in [&first, &second] {
                if let Ok((sections, offer)) = sdp::read_offer(offer, |_| true) {
                    let is_alive = publisher.peer.is_alive();
                    let answer = publisher.accept(&offer);
                    prop_assert!(is_alive || answer.is_none());
                    publisher.set_tracks(sections, &BTreeMap::new());
                    publisher.peer.poll(&sockets, drop);
                }
            }
            let mut subscriber = Subscriber::new(&sockets);
            let source = Source { device: 1, mid: "1".into() };
            let wanted = Wanted {
                source: source.clone(),
                participant: "p".into(),
                endpoint: "e".into(),
                track: Track { mid: "1".into(), stream: "s".into(), alias: None, kind: Kind::Audio },
            };
            let published = [source].into();
            let now = Instant::now();
            prop_assert!(subscriber.offer(vec![wanted], &published, &mut 0, now).is_some());
            prop_assert!(!subscriber.is_complete);
            let _ = subscriber.answer(&first);
            subscriber.peer.poll(&sockets, drop);
        }
    }

    #[test]
    fn metadata_of_audio_and_video_is_joined_by_stream() {
        let track = |stream: &str, kind| Track {
            mid: String::new(),
            stream: stream.into(),
            alias: (stream == "s").then(|| "camera".to_owned()),
            kind,
        };
        let tracks = [track("s", Kind::Audio), track("t", Kind::Audio), track("s", Kind::Video)];
        let joined = stream_metadata(tracks.iter().map(|track| metadata(track, "e", "p")));
        let expected = json!({
            "s": {"endpointId": "e", "mediaTypes": ["AUDIO", "VIDEO"], "participantId": "p",
                "alias": "camera"},
            "t": {"endpointId": "e", "mediaTypes": ["AUDIO"], "participantId": "p"},
        });
        assert_eq!(joined, expected);
    }
}
