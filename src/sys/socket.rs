//! TCP sockets that are used and closed only while their descriptor number still names them.
//!
//! Daemons close every descriptor from 3 up and open others, which then get the same numbers.
//! Therefore a socket stores its identity (on Linux, device and inode). A descriptor with another
//! identity belongs to the host, and is neither written, read nor closed.
//!
//! Deadlines and the meaning of the bytes belong in `transport`.

use std::io;
use std::mem::size_of;
use std::net::{IpAddr, SocketAddr};
use std::os::fd::{AsRawFd, FromRawFd, IntoRawFd, OwnedFd, RawFd};
use std::time::Duration;

use libc::{c_int, c_void, socklen_t};

use super::descriptor::{raise_above_streams, stat_of, with_streams_occupied};
use super::inherited_sockets::Registration;
use super::os;

/// A socket that the library opened.
#[derive(Debug)]
pub struct Socket {
    fd: RawFd,
    identity: (u64, u64),
    /// Only for connections, and dropped after the socket is closed.
    registration: Option<Registration>,
}

/// What to wait for.
#[derive(Clone, Copy, Debug)]
pub enum Interest {
    /// Readable: bytes, end of file, or an error.
    Read,
    /// Writable, or the connection attempt has finished.
    Write,
}

impl Socket {
    /// Starts a non-blocking connection attempt. When the socket is writable,
    /// [`Socket::connect_result`] returns the result.
    ///
    /// # Errors
    /// Returns the errors of the operating system that occur immediately.
    pub fn connect(to: &SocketAddr, from: Option<IpAddr>) -> io::Result<Socket> {
        let family = if to.is_ipv4() { libc::AF_INET } else { libc::AF_INET6 };
        let kind = libc::SOCK_STREAM | os::SOCKET_FLAGS;
        // SAFETY: socket takes no pointer.
        let fd = with_streams_occupied(|| check(unsafe { libc::socket(family, kind, 0) }))?;
        // SAFETY: the descriptor was opened above and nothing else has it.
        let mut socket = Socket::from_descriptor(unsafe { OwnedFd::from_raw_fd(fd) })?;
        socket.registration = Some(Registration::new(socket.fd, socket.identity));
        let started = socket.start_connecting(to, from);
        if os::CONNECT_CHANGES_IDENTITY {
            // Even if the attempt failed, so that the descriptor is closed.
            socket.identity = identity_of(socket.fd)?;
            socket.registration = Some(Registration::new(socket.fd, socket.identity));
        }
        started.map(|()| socket)
    }

    fn start_connecting(&self, to: &SocketAddr, from: Option<IpAddr>) -> io::Result<()> {
        if let Some(from) = from.filter(|from| from.is_ipv4() == to.is_ipv4()) {
            let (address, length) = raw_address(&SocketAddr::new(from, 0));
            // SAFETY: the address lives through the call and the length is its own.
            check(unsafe { libc::bind(self.fd, (&raw const address).cast(), length) })?;
        }
        let (address, length) = raw_address(to);
        // SAFETY: as for bind.
        match check(unsafe { libc::connect(self.fd, (&raw const address).cast(), length) }) {
            // An interrupted connect continues in the background, like one in progress.
            Err(e) if matches!(e.raw_os_error(), Some(libc::EINPROGRESS | libc::EINTR)) => Ok(()),
            Err(error) => Err(error),
            Ok(_) => Ok(()),
        }
    }

    /// A socket that was just opened. If its identity cannot be read, it is closed, because it could
    /// not be distinguished from a host's socket later.
    fn from_descriptor(descriptor: OwnedFd) -> io::Result<Socket> {
        let descriptor = raise_above_streams(descriptor)?;
        os::prepare_socket(descriptor.as_raw_fd())?;
        let identity = identity_of(descriptor.as_raw_fd())?;
        Ok(Socket { fd: descriptor.into_raw_fd(), identity, registration: None })
    }

    /// The result of the connection attempt.
    ///
    /// # Errors
    /// Returns why the attempt failed.
    pub fn connect_result(&self) -> io::Result<()> {
        let mut error: c_int = 0;
        let mut length = size_of::<c_int>() as socklen_t;
        // SAFETY: both pointers are to locals of the stated size.
        check(unsafe {
            libc::getsockopt(
                self.fd,
                libc::SOL_SOCKET,
                libc::SO_ERROR,
                (&raw mut error).cast(),
                &raw mut length,
            )
        })?;
        if error == 0 { Ok(()) } else { Err(io::Error::from_raw_os_error(error)) }
    }

    /// Configures a connected socket: blocking, with `tick` as the timeout of each call, and without
    /// a delay for small writes (`TCP_NODELAY`).
    ///
    /// # Errors
    /// Returns the operating system's error.
    pub fn configure(&self, tick: Duration) -> io::Result<()> {
        let mut off: c_int = 0;
        // SAFETY: FIONBIO reads one int.
        check(unsafe { libc::ioctl(self.fd, libc::FIONBIO, &raw mut off) })?;
        // The types differ between systems, and musl's are deprecated in the libc crate.
        let tick =
            libc::timeval { tv_sec: tick.as_secs() as _, tv_usec: tick.subsec_micros() as _ };
        self.set_option(libc::SOL_SOCKET, libc::SO_RCVTIMEO, &tick)?;
        self.set_option(libc::SOL_SOCKET, libc::SO_SNDTIMEO, &tick)?;
        self.set_option(libc::IPPROTO_TCP, libc::TCP_NODELAY, &(1 as c_int))
    }

    fn set_option<T>(&self, level: c_int, name: c_int, value: &T) -> io::Result<()> {
        let length = size_of::<T>() as socklen_t;
        let value: *const T = value;
        // SAFETY: the value lives through the call and the length is its own.
        check(unsafe { libc::setsockopt(self.fd, level, name, value.cast(), length) }).map(drop)
    }

    /// Whether the descriptor number still names this socket.
    pub fn owns_descriptor(&self) -> bool {
        has_identity(self.fd, self.identity)
    }

    /// Whether the peer has neither sent bytes nor closed the connection.
    pub fn is_idle(&self) -> bool {
        self.peek() < 0 && io::Error::last_os_error().kind() == io::ErrorKind::WouldBlock
    }

    /// Whether bytes of the peer can be read without waiting.
    pub fn has_unread_bytes(&self) -> bool {
        self.peek() > 0
    }

    fn peek(&self) -> isize {
        let mut byte = 0u8;
        // SAFETY: one byte may be written, and there is room for one.
        unsafe {
            libc::recv(self.fd, (&raw mut byte).cast(), 1, libc::MSG_PEEK | libc::MSG_DONTWAIT)
        }
    }

    /// Sends some of the bytes. Raises no SIGPIPE.
    ///
    /// # Errors
    /// Returns the operating system's error; `WouldBlock` after the socket's timeout, or immediately
    /// if `block` is false.
    pub fn send(&self, bytes: &[u8], block: bool) -> io::Result<usize> {
        let flags = os::SEND_FLAGS | if block { 0 } else { libc::MSG_DONTWAIT };
        // SAFETY: pointer and length are of one slice.
        let sent = unsafe { libc::send(self.fd, bytes.as_ptr().cast(), bytes.len(), flags) };
        usize::try_from(sent).map_err(|_| io::Error::last_os_error())
    }

    /// Receives some bytes; 0 at the end of the stream.
    ///
    /// # Errors
    /// As for [`Socket::send`].
    pub fn recv(&self, buffer: &mut [u8], block: bool) -> io::Result<usize> {
        let flags = if block { 0 } else { libc::MSG_DONTWAIT };
        let room: *mut c_void = buffer.as_mut_ptr().cast();
        // SAFETY: pointer and length are of one exclusively borrowed slice.
        let got = unsafe { libc::recv(self.fd, room, buffer.len(), flags) };
        usize::try_from(got).map_err(|_| io::Error::last_os_error())
    }
}

impl Drop for Socket {
    fn drop(&mut self) {
        if self.owns_descriptor() {
            // SAFETY: the number still names the socket that was opened here.
            unsafe { libc::close(self.fd) };
        }
    }
}

/// Two connected sockets, one of which the host polls: it is readable while it contains a byte.
#[derive(Debug)]
pub struct SocketPair {
    write_end: Socket,
    /// The end that the host polls.
    read_end: Socket,
}

impl SocketPair {
    /// Creates a pair that is not readable.
    ///
    /// # Errors
    /// Returns the operating system's error.
    pub fn new() -> io::Result<SocketPair> {
        let mut fds: [c_int; 2] = [-1; 2];
        let kind = libc::SOCK_STREAM | os::SOCKET_FLAGS;
        with_streams_occupied(|| {
            // SAFETY: two descriptors are written where there is room for two.
            check(unsafe { libc::socketpair(libc::AF_UNIX, kind, 0, fds.as_mut_ptr()) })
        })?;
        // SAFETY: the descriptors were opened above and nothing else has them.
        let [write_end, read_end] =
            fds.map(|fd| Socket::from_descriptor(unsafe { OwnedFd::from_raw_fd(fd) }));
        Ok(SocketPair { write_end: write_end?, read_end: read_end? })
    }

    /// Whether both descriptor numbers still name these sockets.
    pub fn owns_descriptors(&self) -> bool {
        self.write_end.owns_descriptor() && self.read_end.owns_descriptor()
    }

    /// The descriptor that the host polls.
    pub fn poll_descriptor(&self) -> RawFd {
        self.read_end.fd
    }

    /// Makes the polled descriptor readable.
    pub fn set_readable(&self) {
        if self.write_end.owns_descriptor() {
            // It fails only if the socket is full, and then the descriptor is already readable.
            let _ = self.write_end.send(b"!", false);
        }
    }

    /// Makes the polled descriptor not readable.
    pub fn clear(&self) {
        let mut bytes = [0; 8];
        if self.read_end.owns_descriptor() {
            while self.read_end.recv(&mut bytes, false).is_ok_and(|count| count == bytes.len()) {}
        }
    }
}

/// Waits until one of the sockets is ready or the time is over, and returns which are ready. If a
/// signal interrupts the wait, it returns early, and none is ready.
///
/// # Errors
/// Returns the operating system's error.
pub fn poll(sockets: &[(&Socket, Interest)], time: Duration) -> io::Result<Vec<bool>> {
    let mut entries: Vec<libc::pollfd> = sockets
        .iter()
        .map(|(socket, interest)| libc::pollfd {
            fd: socket.fd,
            events: match interest {
                Interest::Read => libc::POLLIN,
                Interest::Write => libc::POLLOUT,
            },
            revents: 0,
        })
        .collect();
    // Rounded up, so that a wait for part of a millisecond does not spin.
    let millis = time.as_micros().div_ceil(1000).min(60_000) as c_int;
    let count = entries.len() as libc::nfds_t;
    // SAFETY: pointer and count are of one vector.
    match check(unsafe { libc::poll(entries.as_mut_ptr(), count, millis) }) {
        Ok(_) => Ok(entries.iter().map(|entry| entry.revents != 0).collect()),
        Err(e) if e.kind() == io::ErrorKind::Interrupted => Ok(vec![false; sockets.len()]),
        Err(error) => Err(error),
    }
}

/// What distinguishes an open socket from others with the same number; an error for any other
/// descriptor.
fn identity_of(fd: RawFd) -> io::Result<(u64, u64)> {
    let stat = stat_of(fd)?;
    if stat.st_mode & libc::S_IFMT != libc::S_IFSOCK {
        return Err(io::Error::from_raw_os_error(libc::ENOTSOCK));
    }
    Ok(os::socket_identity(fd, &stat))
}

/// Whether the number names the socket with this identity.
pub(super) fn has_identity(fd: RawFd, identity: (u64, u64)) -> bool {
    identity_of(fd).is_ok_and(|found| os::is_same_socket(found, identity))
}

/// Converts an address to the C library's form. A system whose addresses contain their length sets it.
fn raw_address(address: &SocketAddr) -> (libc::sockaddr_storage, socklen_t) {
    // SAFETY: sockaddr_storage is plain integers, for which zeros are valid.
    let mut storage: libc::sockaddr_storage = unsafe { std::mem::zeroed() };
    let place = &raw mut storage;
    let length = match address {
        SocketAddr::V4(v4) => {
            // SAFETY: storage is larger than any address and aligned for each, and is initialized.
            let raw = unsafe { &mut *place.cast::<libc::sockaddr_in>() };
            raw.sin_family = libc::AF_INET as libc::sa_family_t;
            raw.sin_port = v4.port().to_be();
            raw.sin_addr.s_addr = u32::from_ne_bytes(v4.ip().octets());
            size_of::<libc::sockaddr_in>()
        }
        SocketAddr::V6(v6) => {
            // SAFETY: as above.
            let raw = unsafe { &mut *place.cast::<libc::sockaddr_in6>() };
            raw.sin6_family = libc::AF_INET6 as libc::sa_family_t;
            raw.sin6_port = v6.port().to_be();
            raw.sin6_flowinfo = v6.flowinfo();
            raw.sin6_addr.s6_addr = v6.ip().octets();
            raw.sin6_scope_id = v6.scope_id();
            size_of::<libc::sockaddr_in6>()
        }
    };
    (storage, length as socklen_t)
}

fn check(result: c_int) -> io::Result<c_int> {
    if result < 0 { Err(io::Error::last_os_error()) } else { Ok(result) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::{Read, Write};
    use std::net::TcpListener;

    const TICK: Duration = Duration::from_millis(100);

    fn connected() -> (Socket, std::net::TcpStream) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let socket = Socket::connect(&listener.local_addr().unwrap(), None).unwrap();
        let (peer, _) = listener.accept().unwrap();
        let ready = poll(&[(&socket, Interest::Write)], Duration::from_secs(10)).unwrap();
        assert_eq!(ready, [true]);
        socket.connect_result().unwrap();
        socket.configure(TICK).unwrap();
        (socket, peer)
    }

    #[test]
    fn bytes_pass_in_both_directions_and_idle_socket_is_recognized() {
        let (socket, mut peer) = connected();
        assert!(socket.owns_descriptor() && socket.is_idle() && !socket.has_unread_bytes());
        assert_eq!(socket.send(b"ping", true).unwrap(), 4);
        let mut buffer = [0; 4];
        peer.read_exact(&mut buffer).unwrap();
        assert_eq!(&buffer, b"ping");
        let error = socket.recv(&mut buffer, true).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::WouldBlock);
        peer.write_all(b"pong").unwrap();
        poll(&[(&socket, Interest::Read)], Duration::from_secs(10)).unwrap();
        assert!(!socket.is_idle() && socket.has_unread_bytes());
        assert_eq!(socket.recv(&mut buffer, false).unwrap(), 4);
    }

    #[test]
    fn reused_descriptor_number_is_not_closed() {
        let (socket, _peer) = connected();
        let foreign = TcpListener::bind("127.0.0.1:0").unwrap();
        // As when a daemon closes all its descriptors and opens others.
        // SAFETY: dup2 takes no pointer; the number is this test's own.
        assert_eq!(unsafe { libc::dup2(foreign.as_raw_fd(), socket.fd) }, socket.fd);
        assert!(!socket.owns_descriptor());
        let number = socket.fd;
        drop(socket);
        assert!(identity_of(number).is_ok(), "the foreign descriptor was closed");
        // SAFETY: the number is this test's own.
        unsafe { libc::close(number) };
    }

    #[test]
    fn send_to_closed_peer_raises_no_signal() {
        let (socket, peer) = connected();
        peer.shutdown(std::net::Shutdown::Write).unwrap();
        drop(peer);
        // The peer resets the connection after the first byte; without MSG_NOSIGNAL, the next send
        // would end the process.
        // SAFETY: the child only sends and exits.
        let child = unsafe { libc::fork() };
        if child == 0 {
            // SAFETY: takes no pointer that is not null.
            unsafe { libc::signal(libc::SIGPIPE, libc::SIG_DFL) };
            let _ = socket.send(b"x", true);
            std::thread::sleep(TICK);
            let code = i32::from(socket.send(b"x", true).is_ok());
            // SAFETY: takes no pointer.
            unsafe { libc::_exit(code) };
        }
        let mut status = -1;
        // SAFETY: the status is writable.
        unsafe { libc::waitpid(child, &raw mut status, 0) };
        assert_eq!(status, 0);
    }

    #[test]
    fn refused_connection_is_reported() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        drop(listener);
        let refused = Socket::connect(&address, None).and_then(|socket| {
            poll(&[(&socket, Interest::Write)], Duration::from_secs(10))?;
            socket.connect_result()
        });
        assert_eq!(refused.unwrap_err().kind(), io::ErrorKind::ConnectionRefused);
    }
}
