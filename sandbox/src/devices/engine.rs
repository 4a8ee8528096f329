//! The engine: one thread that owns all devices and their media.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use str0m::media::{MediaData, Mid};
use str0m::{Event, IceConnectionState, Input};
use tokio::runtime::Handle;
use tokio::sync::mpsc;

use super::device::{Device, Outgoing, Publisher, Socket, Subscriber, Wanted};
use super::peer::{self, Events, Peer, Sockets};
use super::planner::{self, DeviceKey, Kind, Participant, Plan, Subscriptions};
use super::signaling::{self, Call, Request, RpcError};
use crate::sandbox::{Sandbox, State};
use crate::v1::{DeviceAction, ParticipantView};
use crate::webhooks::Webhook;

/// How often the state of the API is compared with what the devices receive.
const TICK: Duration = Duration::from_millis(50);
/// The longest pause after a comparison that took long, for example because the machine is busy.
const MAX_PAUSE: Duration = Duration::from_millis(500);
/// How long a device may take to connect again after its websocket was lost.
const RECONNECT_TIME: Duration = Duration::from_secs(5);
/// The largest number of devices of one participant.
const MAX_DEVICES: usize = 10;
/// The largest number of datagrams that are received before anything else is done.
const MAX_BATCH: usize = 64;
/// The largest number of remote addresses that are kept.
const MAX_ADDRESSES: usize = 10_000;

/// What the websockets report.
pub enum Command {
    /// A device has connected.
    Open {
        /// The participant of its token.
        participant: String,
        /// The id that the SDK has chosen.
        unique_id: String,
        /// The state that has issued the token.
        state: Arc<State>,
        /// The websocket.
        socket: Socket,
    },
    /// A device has sent a message.
    Message {
        /// The websocket.
        socket: u64,
        /// The message.
        request: Request,
    },
    /// A websocket is closed.
    Closed {
        /// The websocket.
        socket: u64,
        /// Whether the device has closed it intentionally.
        is_intentional: bool,
    },
}

/// The two connections of a device.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Side {
    Publish,
    Subscribe,
}

/// Where a frame is forwarded to.
type Routes = HashMap<(DeviceKey, Mid), Vec<(DeviceKey, Mid)>>;

/// The state of the thread.
pub struct Engine {
    sandbox: Arc<Sandbox>,
    /// The runtime on which webhooks are sent.
    runtime: Handle,
    sockets: Sockets,
    devices: BTreeMap<DeviceKey, Device>,
    next_key: DeviceKey,
    /// The connection of each remote address.
    addresses: HashMap<SocketAddr, (DeviceKey, Side)>,
    events: Events<(DeviceKey, Side)>,
    /// What the current plan was made from.
    inputs: (BTreeMap<String, Participant>, Vec<planner::Device>),
    plan: Plan,
    routes: Routes,
    next_tick: Instant,
    /// Before this time, the next comparison would take too much of the processor's time.
    earliest_tick: Instant,
    /// The number of datagrams that belong to no connection.
    ignored: u64,
}

impl Engine {
    /// Creates the engine.
    pub fn new(sandbox: Arc<Sandbox>, runtime: Handle, sockets: Sockets) -> Engine {
        Engine {
            sandbox,
            runtime,
            sockets,
            devices: BTreeMap::new(),
            next_key: 0,
            addresses: HashMap::new(),
            events: Events::new(),
            inputs: Default::default(),
            plan: Plan::new(),
            routes: Routes::new(),
            next_tick: Instant::now(),
            earliest_tick: Instant::now(),
            ignored: 0,
        }
    }

    /// Runs until all senders of commands are dropped.
    pub async fn run(mut self, mut commands: mpsc::Receiver<Command>) {
        loop {
            let timeouts = self.devices.values().flat_map(Device::peers).map(Peer::timeout);
            let wake = timeouts.min().map_or(self.next_tick, |first| first.min(self.next_tick));
            tokio::select! {
                command = commands.recv() => match command {
                    Some(command) => self.execute(command),
                    None => return,
                },
                number = self.sockets.readable() => self.receive(number),
                () = tokio::time::sleep_until(wake.into()) => {}
            }
            let now = Instant::now();
            self.drive(now);
            if self.next_tick <= now {
                self.tick(now);
                self.earliest_tick = Instant::now() + MAX_PAUSE.min(4 * now.elapsed());
                self.next_tick = self.earliest_tick.max(now + TICK);
                self.drive(now);
            }
        }
    }

    fn execute(&mut self, command: Command) {
        match command {
            Command::Open { participant, unique_id, state, socket } => {
                self.open(participant, unique_id, state, socket);
            }
            Command::Message { socket, request } => self.message(socket, request),
            Command::Closed { socket, is_intentional } => {
                let Some(key) = self.key_of(socket) else { return };
                match is_intentional {
                    true => self.end(key, DeviceAction::Leave),
                    false => self.devices.get_mut(&key).into_iter().for_each(Device::lose_socket),
                }
            }
        }
    }

    /// The device of a websocket.
    fn key_of(&self, socket: u64) -> Option<DeviceKey> {
        let is_same = |device: &Device| device.socket.as_ref().is_some_and(|s| s.id == socket);
        self.devices.iter().find(|(_, device)| is_same(device)).map(|(key, _)| *key)
    }

    fn open(&mut self, participant: String, unique_id: String, state: Arc<State>, socket: Socket) {
        let is_same = |device: &&mut Device| {
            device.participant == participant
                && device.unique_id == unique_id
                && Arc::ptr_eq(&device.state, &state)
        };
        if let Some(device) = self.devices.values_mut().find(is_same) {
            return device.take_over(socket);
        }
        let others = self.devices.values().filter(|device| device.participant == participant);
        let Ok(callback) = state.v1.connect_device(&participant) else {
            let _ = socket.try_send(Outgoing::Close(1000));
            return;
        };
        if others.count() >= MAX_DEVICES {
            let _ = socket.try_send(Outgoing::Close(1008));
            return;
        }
        let id = uuid::Uuid::new_v4().to_string();
        let (webhooks, due) = mpsc::unbounded_channel();
        self.runtime.spawn(deliver(self.sandbox.clone(), state.clone(), due));
        let _ = webhooks.send(callback.webhook(DeviceAction::Connect, &participant, &id));
        let device = Device {
            id,
            participant,
            unique_id,
            state,
            callback,
            webhooks,
            socket: Some(socket),
            lost: None,
            publisher: None,
            subscriber: None,
            revision: 0,
            retry_after: None,
        };
        self.next_key += 1;
        self.devices.insert(self.next_key, device);
    }

    fn message(&mut self, socket: u64, request: Request) {
        let Some(key) = self.key_of(socket) else { return };
        let result = match request.call {
            Ok(Call::Leave) => return self.end(key, DeviceAction::Leave),
            Ok(call) => self.call(key, call),
            Err(error) => Err(error),
        };
        let Some(device) = self.devices.get_mut(&key) else { return };
        if let Some(id) = request.id {
            device.send(signaling::response(&id, result));
        }
    }

    /// Plans without waiting for the next comparison.
    fn plan_soon(&mut self) {
        self.next_tick = self.next_tick.min(self.earliest_tick);
    }

    fn call(&mut self, key: DeviceKey, call: Call) -> Result<Value, RpcError> {
        let gone = RpcError::new(-32000, "the participant does not exist");
        let device = self.devices.get_mut(&key).ok_or(gone)?;
        match call {
            Call::OfferSdp { sdp, aliases } => {
                let id = device.participant.as_str();
                let participant = device.state.v1.participants([id].into_iter()).remove(id);
                let participant = planned(participant.ok_or(gone)?);
                let result = device.publish(&sdp, &aliases, &participant, &self.sockets);
                self.plan_soon();
                result
            }
            Call::AnswerSdp(sdp) => {
                device.answer(&sdp)?;
                self.request_keyframes(key);
                self.plan_soon();
                Ok(json!({}))
            }
            _ => Ok(json!({})),
        }
    }

    /// Removes a device. The participant leaves its session, or is deleted if its media was lost,
    /// when this was its last device.
    fn end(&mut self, key: DeviceKey, action: DeviceAction) {
        let Some(mut device) = self.devices.remove(&key) else { return };
        self.addresses.retain(|_, (other, _)| *other != key);
        let is_same = |other: &Device| {
            other.participant == device.participant && Arc::ptr_eq(&other.state, &device.state)
        };
        if !self.devices.values().any(is_same) {
            device.state.v1.end_device(&device.participant, action);
        }
        // After the change of the state: the device may ask for it when its websocket is closed.
        device.close_socket(1000);
        device.close_media(&self.sockets);
        let webhook = device.callback.webhook(action, &device.participant, &device.id);
        let _ = device.webhooks.send(webhook);
        self.plan_soon();
    }

    fn receive(&mut self, number: usize) {
        let mut buffer = [0; 2048];
        for _ in 0..MAX_BATCH {
            let Ok((length, source, destination)) = self.sockets.receive(number, &mut buffer)
            else {
                return;
            };
            let Some(input) = peer::parse(&buffer[..length], source, destination, Instant::now())
            else {
                self.ignored += 1;
                continue;
            };
            let Some((key, side)) = self.connection_of(source, &input) else {
                self.ignored += 1;
                continue;
            };
            if let Some(peer) = self.devices.get_mut(&key).and_then(|device| device.peer(side)) {
                peer.handle(input);
                peer.poll(&self.sockets, |event| self.events.push_back(((key, side), event)));
            }
            self.process_events();
        }
    }

    /// The connection that a datagram belongs to.
    fn connection_of(
        &mut self,
        source: SocketAddr,
        input: &Input<'_>,
    ) -> Option<(DeviceKey, Side)> {
        let accepts = |(key, side): (DeviceKey, Side), devices: &BTreeMap<_, Device>| {
            let peer = devices.get(&key).and_then(|device: &Device| device.peer_ref(side));
            peer.is_some_and(|peer| peer.accepts(input))
        };
        if let Some(known) = self.addresses.get(&source).copied() {
            if accepts(known, &self.devices) {
                return Some(known);
            }
        }
        let sides = [Side::Publish, Side::Subscribe];
        let mut all = self.devices.keys().flat_map(|key| sides.map(|side| (*key, side)));
        let found = all.find(|connection| accepts(*connection, &self.devices))?;
        if self.addresses.len() >= MAX_ADDRESSES {
            self.addresses.clear();
        }
        self.addresses.insert(source, found);
        Some(found)
    }

    /// Handles the timeouts that are due, and what results from them.
    fn drive(&mut self, now: Instant) {
        for (key, device) in &mut self.devices {
            for side in [Side::Publish, Side::Subscribe] {
                let Some(peer) = device.peer(side).filter(|peer| peer.timeout() <= now) else {
                    continue;
                };
                peer.handle_timeout(now);
                peer.poll(&self.sockets, |event| self.events.push_back(((*key, side), event)));
            }
        }
        self.process_events();
    }

    fn process_events(&mut self) {
        while let Some(((key, side), event)) = self.events.pop_front() {
            match event {
                Event::MediaData(data) if side == Side::Publish => self.forward(key, &data),
                event => self.process_event(key, side, event),
            }
        }
    }

    /// Forwards a frame to the devices that receive it.
    fn forward(&mut self, key: DeviceKey, data: &MediaData) {
        let publisher = self.devices.get_mut(&key).and_then(|device| device.publisher.as_mut());
        let Some(published) = publisher.and_then(|publisher| publisher.track(data.mid)) else {
            return;
        };
        published.bytes += data.data.len() as u64;
        published.frames += 1;
        if let Some(level) = data.ext_vals.audio_level {
            published.level = Some((level, Instant::now()));
        }
        if !data.contiguous && published.track.kind == Kind::Video {
            published.keyframes.add();
        }
        for (other, mid) in self.routes.get(&(key, data.mid)).into_iter().flatten() {
            let device = self.devices.get_mut(other);
            let Some(subscriber) = device.and_then(|device| device.subscriber.as_mut()) else {
                continue;
            };
            if !subscriber.peer.forward(*mid, data) {
                continue;
            }
            if let Some(received) = subscriber.received.iter_mut().find(|r| r.mid == *mid) {
                received.bytes += data.data.len() as u64;
                received.frames += 1;
            }
            let connection = (*other, Side::Subscribe);
            subscriber.peer.poll(&self.sockets, |event| self.events.push_back((connection, event)));
        }
    }

    fn process_event(&mut self, key: DeviceKey, side: Side, event: Event) {
        let Some(device) = self.devices.get_mut(&key) else { return };
        device.peer(side).into_iter().for_each(|peer| peer.process_heartbeat(&event));
        match (side, event) {
            (Side::Subscribe, Event::Connected) => self.request_keyframes(key),
            (Side::Subscribe, Event::KeyframeRequest(request)) => {
                let received = device.subscriber.iter().flat_map(|s| &s.received);
                let source = received.filter(|r| r.mid == request.mid).map(|r| r.source.clone());
                let source = source.last();
                source.into_iter().for_each(|source| self.request_keyframe(&source));
            }
            // The SDK does not repair this connection.
            (
                Side::Subscribe,
                Event::IceConnectionStateChange(IceConnectionState::Disconnected),
            ) => {
                device.subscriber.as_mut().into_iter().for_each(|s| s.must_restart = true);
            }
            _ => {}
        }
    }

    /// Requests keyframes of everything that a device receives.
    fn request_keyframes(&mut self, key: DeviceKey) {
        let subscriber = self.devices.get(&key).and_then(|device| device.subscriber.as_ref());
        let received = subscriber.into_iter().flat_map(|subscriber| &subscriber.received);
        let current = received.filter(|received| received.is_current());
        let sources: Vec<_> = current.map(|received| received.source.clone()).collect();
        sources.iter().for_each(|source| self.request_keyframe(source));
    }

    fn request_keyframe(&mut self, source: &planner::Source) {
        let device = self.devices.get_mut(&source.device);
        let publisher = device.and_then(|device| device.publisher.as_mut());
        let published = publisher.and_then(|p| p.track(Mid::from(source.mid.as_str())));
        if let Some(published) = published.filter(|p| p.track.kind == Kind::Video) {
            published.keyframes.add();
        }
    }

    /// Compares the devices with the state of the API.
    fn tick(&mut self, now: Instant) {
        let state = self.sandbox.state();
        let ids: BTreeSet<&str> = self.devices.values().map(|d| d.participant.as_str()).collect();
        // Once for everything, because requests of the API wait meanwhile.
        let participants = state.v1.participants(ids.into_iter());
        self.remove_ended_devices(&state, &participants, now);
        for device in self.devices.values_mut() {
            // A connection that failed is replaced when the device, or the plan, needs one.
            device.publisher.take_if(|publisher| !publisher.peer.is_alive());
            device.subscriber.take_if(|subscriber| !subscriber.peer.is_alive());
            for side in [Side::Publish, Side::Subscribe] {
                device.peer(side).into_iter().for_each(|peer| peer.send_heartbeat(now));
            }
            let Some(publisher) = &mut device.publisher else { continue };
            let Publisher { peer, tracks, .. } = publisher;
            for published in tracks {
                published.keyframes.send(now, || peer.request_keyframe(published.mid));
            }
        }
        let has_changed = self.update_plan(participants);
        let must_negotiate = |(key, sources): (&DeviceKey, &BTreeSet<_>)| {
            let device = self.devices.get(key)?;
            let is_idle = device.subscriber.is_none() && sources.is_empty();
            (!is_idle && (has_changed || device.must_negotiate())).then_some(*key)
        };
        let keys: Vec<DeviceKey> = self.plan.iter().filter_map(must_negotiate).collect();
        if !keys.is_empty() {
            self.negotiate(&keys, now);
        }
        self.routes = self.routes();
        let devices = self.devices.values().map(|device| device.snapshot(now)).collect();
        self.sandbox.devices.set_snapshot(devices, self.ignored);
    }

    fn remove_ended_devices(
        &mut self,
        state: &Arc<State>,
        participants: &BTreeMap<String, ParticipantView>,
        now: Instant,
    ) {
        let ended: Vec<(DeviceKey, DeviceAction)> = self
            .devices
            .iter()
            .filter_map(|(key, device)| {
                let is_current = Arc::ptr_eq(&device.state, state);
                let exists = is_current && participants.contains_key(&device.participant);
                let is_lost = device.lost.is_some_and(|lost| now - lost >= RECONNECT_TIME);
                match (exists, is_lost) {
                    (false, _) => Some((*key, DeviceAction::Leave)),
                    (true, true) => Some((*key, DeviceAction::Disconnect)),
                    (true, false) => None,
                }
            })
            .collect();
        for (key, action) in ended {
            self.end(key, action);
        }
    }

    /// Sends the offers that these devices need.
    fn negotiate(&mut self, keys: &[DeviceKey], now: Instant) {
        let tracks = self.inputs.1.iter().flat_map(|device| {
            let source = |track: &planner::Track| planner::Source {
                device: device.key,
                mid: track.mid.clone(),
            };
            device.tracks.iter().map(source)
        });
        let published: BTreeSet<planner::Source> = tracks.collect();
        for key in keys {
            let sources = self.plan.get(key).into_iter().flatten();
            let wanted = sources.filter_map(|source| self.wanted(source)).collect();
            if let Some(device) = self.devices.get_mut(key) {
                device.negotiate(wanted, &published, &self.sockets, now);
            }
        }
    }

    /// Makes a plan if what it depends on has changed. Returns whether it has.
    fn update_plan(&mut self, participants: BTreeMap<String, ParticipantView>) -> bool {
        let devices = self.devices.iter().map(|(key, device)| device.planned(*key)).collect();
        let participants =
            participants.into_iter().map(|(id, participant)| (id, planned(participant))).collect();
        let inputs = (participants, devices);
        let has_changed = inputs != self.inputs;
        if has_changed {
            self.plan = planner::plan(&inputs.0, &inputs.1);
            self.inputs = inputs;
        }
        has_changed
    }

    /// What the offer of a planned track states.
    fn wanted(&self, source: &planner::Source) -> Option<Wanted> {
        let device = self.devices.get(&source.device)?;
        let publisher = device.publisher.as_ref()?;
        let published = publisher.tracks.iter().find(|p| p.track.mid == source.mid)?;
        Some(Wanted {
            source: source.clone(),
            participant: device.participant.clone(),
            endpoint: publisher.endpoint.clone(),
            track: published.track.clone(),
        })
    }

    /// Where frames are forwarded to: to the accepted sections of what is still planned.
    fn routes(&self) -> Routes {
        let mut routes = Routes::new();
        for (key, device) in &self.devices {
            let received = device.subscriber.iter().flat_map(|subscriber| &subscriber.received);
            for received in received.filter(|received| received.is_open && received.is_current()) {
                if self.plan.get(key).is_some_and(|sources| sources.contains(&received.source)) {
                    let source = &received.source;
                    let source = (source.device, Mid::from(source.mid.as_str()));
                    routes.entry(source).or_default().push((*key, received.mid));
                }
            }
        }
        routes
    }
}

impl Device {
    fn peer_ref(&self, side: Side) -> Option<&Peer> {
        let peer = match side {
            Side::Publish => self.publisher.as_ref().map(|publisher| &publisher.peer),
            Side::Subscribe => self.subscriber.as_ref().map(|subscriber| &subscriber.peer),
        };
        peer.filter(|peer| peer.is_alive())
    }

    fn peer(&mut self, side: Side) -> Option<&mut Peer> {
        let peer = match side {
            Side::Publish => self.publisher.as_mut().map(|Publisher { peer, .. }| peer),
            Side::Subscribe => self.subscriber.as_mut().map(|Subscriber { peer, .. }| peer),
        };
        peer.filter(|peer| peer.is_alive())
    }
}

/// Sends the webhooks of a device, one after another.
async fn deliver(
    sandbox: Arc<Sandbox>,
    state: Arc<State>,
    mut due: mpsc::UnboundedReceiver<Webhook>,
) {
    while let Some(webhook) = due.recv().await {
        state.deliveries.add(sandbox.webhook_client.deliver(webhook).await);
    }
}

/// A participant as the planner sees it.
fn planned(participant: ParticipantView) -> Participant {
    let ParticipantView { session, subscriptions, permissions } = participant;
    let aliases = |subscription: &Value| {
        let aliases = subscription["streamAliases"].as_array().into_iter().flatten();
        aliases.filter_map(|alias| alias.as_str().map(str::to_owned)).collect()
    };
    let named: BTreeMap<String, BTreeSet<String>> = subscriptions
        .participants
        .iter()
        .filter_map(|named| Some((named["participantId"].as_str()?.to_owned(), aliases(named))))
        .collect();
    let subscriptions = match (named.is_empty(), subscriptions.session_id) {
        (false, _) => Subscriptions::Participants(named),
        (true, Some(_)) => Subscriptions::Session,
        (true, None) => Subscriptions::Nothing,
    };
    let permission = |name: &String| match name.as_str() {
        "AUDIO" => Some(Kind::Audio),
        "VIDEO" => Some(Kind::Video),
        _ => None,
    };
    let permissions = permissions.iter().filter_map(permission).collect();
    Participant { session, subscriptions, permissions }
}
