//! One peer connection of a device, over the sockets that all connections share.

use std::collections::VecDeque;
use std::io;
use std::net::SocketAddr;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::{Duration, Instant};

use str0m::channel::{ChannelConfig, ChannelId};
use str0m::media::{KeyframeRequestKind, MediaData, Mid};
use str0m::net::{Protocol, Receive};
use str0m::{Candidate, Event, Input, Output, Rtc};
use tokio::net::UdpSocket;

/// The size of a socket's buffer for datagrams that have arrived, in bytes: those of 20 participants while
/// an offer is made. The system may limit it (`net.core.rmem_max`).
const RECEIVE_BUFFER: usize = 4 << 20;
/// The time between two heartbeats.
const HEARTBEAT_INTERVAL: Duration = Duration::from_secs(5);

/// The UDP sockets, one for each announced address.
pub struct Sockets(Vec<(SocketAddr, UdpSocket)>);

impl Sockets {
    /// Takes over bound sockets. Must be called in a runtime.
    pub fn new(sockets: Vec<std::net::UdpSocket>) -> io::Result<Sockets> {
        let register = |socket: std::net::UdpSocket| {
            socket.set_nonblocking(true)?;
            // A smaller buffer loses media only while the machine is busy.
            let _ = socket2::SockRef::from(&socket).set_recv_buffer_size(RECEIVE_BUFFER);
            Ok((socket.local_addr()?, UdpSocket::from_std(socket)?))
        };
        sockets.into_iter().map(register).collect::<io::Result<_>>().map(Sockets)
    }

    /// Waits until a datagram can be received. Returns the number of its socket.
    pub async fn readable(&self) -> usize {
        std::future::poll_fn(|context| {
            let ready = |(_, socket): &(_, UdpSocket)| socket.poll_recv_ready(context).is_ready();
            match self.0.iter().position(ready) {
                Some(number) => std::task::Poll::Ready(number),
                None => std::task::Poll::Pending,
            }
        })
        .await
    }

    /// Receives a datagram: its length, its source and the address that it was sent to.
    pub fn receive(
        &self,
        number: usize,
        buffer: &mut [u8],
    ) -> io::Result<(usize, SocketAddr, SocketAddr)> {
        let (address, socket) = &self.0[number];
        socket.try_recv_from(buffer).map(|(length, source)| (length, source, *address))
    }

    fn send(&self, from: SocketAddr, to: SocketAddr, bytes: &[u8]) {
        if let Some((_, socket)) = self.0.iter().find(|(address, _)| *address == from) {
            // A datagram that cannot be sent now is lost, as on any network.
            let _ = socket.try_send_to(bytes, to);
        }
    }
}

/// A peer connection.
pub struct Peer {
    rtc: Rtc,
    timeout: Instant,
    is_alive: bool,
    heartbeat: Option<ChannelId>,
    last_ping: Option<Instant>,
    pongs: u64,
}

impl Peer {
    /// Creates a connection with these addresses as candidates.
    pub fn new(sockets: &Sockets, now: Instant) -> Peer {
        let mut rtc = Rtc::builder().build(now);
        for (address, _) in &sockets.0 {
            if let Ok(candidate) = Candidate::host(*address, "udp") {
                rtc.add_local_candidate(candidate);
            }
        }
        Peer { rtc, timeout: now, is_alive: true, heartbeat: None, last_ping: None, pongs: 0 }
    }

    /// The channel that the SDK opens on both of its connections, with a fixed number and without
    /// a handshake. It answers PING there.
    pub fn heartbeat_channel() -> ChannelConfig {
        ChannelConfig {
            label: "__heartbeat__".into(),
            negotiated: Some(0),
            protocol: "udp".into(),
            ..ChannelConfig::default()
        }
    }

    /// The number of heartbeats that the device has answered.
    pub fn pongs(&self) -> u64 {
        self.pongs
    }

    /// Sends a heartbeat that is due.
    pub fn send_heartbeat(&mut self, now: Instant) {
        let Some(channel) = self.heartbeat else { return };
        if self.last_ping.is_none_or(|last| now - last >= HEARTBEAT_INTERVAL) {
            self.last_ping = Some(now);
            self.with(|rtc| rtc.channel(channel).map(|mut c| c.write(false, b"PING").is_ok()));
        }
    }

    /// Processes an event of the heartbeat channel.
    pub fn process_heartbeat(&mut self, event: &Event) {
        match event {
            Event::ChannelOpen(channel, _) => self.heartbeat = Some(*channel),
            Event::ChannelData(data) if data.data == b"PONG" => self.pongs += 1,
            _ => {}
        }
    }

    /// Whether the connection can be used. It cannot after an error, or when the device closed it.
    pub fn is_alive(&self) -> bool {
        self.is_alive
    }

    /// When `handle_timeout` must be called.
    pub fn timeout(&self) -> Instant {
        self.timeout
    }

    /// Calls the engine, which must not end the sandbox: a panic ends only this connection.
    pub fn with<T>(&mut self, call: impl FnOnce(&mut Rtc) -> T) -> Option<T> {
        if !self.is_alive {
            return None;
        }
        // The engine may have changed anything: let it be polled.
        self.timeout = Instant::now();
        let result = catch_unwind(AssertUnwindSafe(|| call(&mut self.rtc)));
        self.is_alive = result.is_ok();
        result.ok()
    }

    /// Whether a datagram belongs to this connection.
    pub fn accepts(&self, input: &Input<'_>) -> bool {
        self.is_alive && self.rtc.accepts(input)
    }

    /// Processes a datagram.
    pub fn handle(&mut self, input: Input<'_>) {
        let handled = self.with(|rtc| rtc.handle_input(input).is_ok());
        self.is_alive &= handled == Some(true);
    }

    /// Processes the time.
    pub fn handle_timeout(&mut self, now: Instant) {
        self.handle(Input::Timeout(now));
    }

    /// Sends the datagrams that are due, and adds the events that have happened.
    pub fn poll(&mut self, sockets: &Sockets, mut add: impl FnMut(Event)) {
        let polled = self.with(|rtc| {
            loop {
                match rtc.poll_output() {
                    Ok(Output::Transmit(packet)) => {
                        sockets.send(packet.source, packet.destination, &packet.contents);
                    }
                    Ok(Output::Event(event)) => add(event),
                    Ok(Output::Timeout(time)) if rtc.is_alive() => return Some(time),
                    _ => return None,
                }
            }
        });
        match polled.flatten() {
            Some(time) => self.timeout = time,
            None => self.is_alive = false,
        }
    }

    /// Sends a frame of another connection. Returns whether there is a codec for it.
    pub fn forward(&mut self, mid: Mid, data: &MediaData) -> bool {
        self.with(|rtc| {
            let Some(mut writer) = rtc.writer(mid) else { return false };
            let Some(payload_type) = writer.match_params(data.params) else { return false };
            if let Some(level) = data.ext_vals.audio_level {
                writer = writer.audio_level(level, data.ext_vals.voice_activity.unwrap_or(true));
            }
            if let Some(orientation) = data.ext_vals.video_orientation {
                writer = writer.video_orientation(orientation);
            }
            writer.write(payload_type, data.network_time, data.time, data.data.clone()).is_ok()
        })
        .unwrap_or_default()
    }

    /// Requests a keyframe. Returns false if there is no media yet.
    pub fn request_keyframe(&mut self, mid: Mid) -> bool {
        let request =
            |rtc: &mut Rtc| rtc.writer(mid)?.request_keyframe(None, KeyframeRequestKind::Pli).ok();
        self.with(request).flatten().is_some()
    }

    /// Closes the connection and informs the device.
    pub fn close(mut self, sockets: &Sockets) {
        self.with(|rtc| rtc.close());
        self.poll(sockets, drop);
    }
}

/// Limits how often keyframes of a track are requested.
#[derive(Default)]
pub struct KeyframeRequests {
    last: Option<Instant>,
    is_due: bool,
}

impl KeyframeRequests {
    const INTERVAL: Duration = Duration::from_millis(500);

    /// Requests a keyframe, now or when the interval has passed.
    pub fn add(&mut self) {
        self.is_due = true;
    }

    /// Sends a request that is due. `send` returns whether it was sent.
    pub fn send(&mut self, now: Instant, send: impl FnOnce() -> bool) {
        let is_early = self.last.is_some_and(|last| now - last < KeyframeRequests::INTERVAL);
        if self.is_due && !is_early && send() {
            (self.last, self.is_due) = (Some(now), false);
        }
    }
}

/// Parses a datagram.
pub fn parse(
    bytes: &[u8],
    source: SocketAddr,
    destination: SocketAddr,
    now: Instant,
) -> Option<Input<'_>> {
    let receive = |()| Receive::new(Protocol::Udp, source, destination, bytes).ok();
    let receive = catch_unwind(AssertUnwindSafe(|| receive(()))).ok().flatten()?;
    Some(Input::Receive(now, receive))
}

/// Events, with what they belong to.
pub type Events<T> = VecDeque<(T, Event)>;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keyframe_requests_are_throttled_and_not_forgotten() {
        let (mut requests, start) = (KeyframeRequests::default(), Instant::now());
        let at = |millis| start + Duration::from_millis(millis);
        let sent = |requests: &mut KeyframeRequests, millis, is_possible: bool| {
            let mut count = 0;
            requests.send(at(millis), || {
                count += 1;
                is_possible
            });
            count
        };
        assert_eq!(sent(&mut requests, 0, true), 0);
        requests.add();
        assert_eq!(sent(&mut requests, 10, false), 1);
        assert_eq!(sent(&mut requests, 20, true), 1);
        requests.add();
        requests.add();
        assert_eq!(sent(&mut requests, 100, true), 0);
        assert_eq!(sent(&mut requests, 520, true), 1);
        assert_eq!(sent(&mut requests, 2000, true), 0);
    }

    #[test]
    fn datagrams_that_are_not_media_are_ignored() {
        let address = "127.0.0.1:9".parse().unwrap();
        for bytes in [b"".as_slice(), b"\0", b"\xff\xff", b"GET / HTTP/1.1\r\n\r\n"] {
            assert!(parse(bytes, address, address, Instant::now()).is_none(), "{bytes:?}");
        }
    }
}
