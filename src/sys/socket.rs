//! A TCP socket that knows itself: it is used and closed only while its number still names it.
//!
//! Daemons close every descriptor from 3 up and open others, which then take the numbers. So a
//! socket remembers its device and inode; what has another identity is somebody else's, and is
//! neither written, read nor closed.
//!
//! Not here: deadlines, and what the bytes mean (`transport`).

use std::io;
use std::mem::size_of;
use std::net::{IpAddr, SocketAddr};
use std::os::fd::{AsRawFd, FromRawFd, IntoRawFd, OwnedFd, RawFd};
use std::time::Duration;

use libc::{c_int, c_void, socklen_t};

use super::descriptor::{above_streams, raised, stat_of};
use super::inherited::Registration;

/// A socket of our own.
#[derive(Debug)]
pub struct Socket {
    fd: RawFd,
    identity: (u64, u64),
    /// For a connection. Ends after the socket is closed.
    registration: Option<Registration>,
}

/// What to wait for.
#[derive(Clone, Copy, Debug)]
pub enum Interest {
    /// Bytes (or an end, or an error) to read.
    Read,
    /// Room to write, or the end of a connection attempt.
    Write,
}

impl Socket {
    /// Starts connecting, without blocking. When the socket is writable, [`Socket::connected`]
    /// tells how it went.
    ///
    /// # Errors
    /// The operating system's, as far as they are known at once.
    pub fn connect(to: &SocketAddr, from: Option<IpAddr>) -> io::Result<Socket> {
        let family = if to.is_ipv4() { libc::AF_INET } else { libc::AF_INET6 };
        let kind = libc::SOCK_STREAM | libc::SOCK_CLOEXEC | libc::SOCK_NONBLOCK;
        // SAFETY: socket takes no pointer.
        let fd = above_streams(|| check(unsafe { libc::socket(family, kind, 0) }))?;
        // SAFETY: the descriptor was opened above and nothing else has it.
        let mut socket = Socket::of(unsafe { OwnedFd::from_raw_fd(fd) })?;
        let fd = socket.fd;
        socket.registration = Some(Registration::new(fd, socket.identity));
        if let Some(from) = from.filter(|from| from.is_ipv4() == to.is_ipv4()) {
            let (address, length) = raw_address(&SocketAddr::new(from, 0));
            // SAFETY: the address lives through the call and the length is its own.
            check(unsafe { libc::bind(fd, (&raw const address).cast(), length) })?;
        }
        let (address, length) = raw_address(to);
        // SAFETY: as for bind.
        match check(unsafe { libc::connect(fd, (&raw const address).cast(), length) }) {
            // An interrupted connect goes on by itself, as one in progress does.
            Err(e) if matches!(e.raw_os_error(), Some(libc::EINPROGRESS | libc::EINTR)) => {
                Ok(socket)
            }
            Err(error) => Err(error),
            Ok(_) => Ok(socket),
        }
    }

    /// A socket that was just opened. One whose identity cannot be read is closed: it could not be
    /// distinguished from another's later.
    fn of(descriptor: OwnedFd) -> io::Result<Socket> {
        let descriptor = raised(descriptor)?;
        let identity = identity_of(descriptor.as_raw_fd())?;
        Ok(Socket { fd: descriptor.into_raw_fd(), identity, registration: None })
    }

    /// How the attempt to connect ended.
    ///
    /// # Errors
    /// Why there is no connection.
    pub fn connected(&self) -> io::Result<()> {
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

    /// Makes a connected socket ready for use: blocking, but never longer than `tick` in one
    /// call, and without delay for small writes.
    ///
    /// # Errors
    /// The operating system's.
    pub fn settle(&self, tick: Duration) -> io::Result<()> {
        let mut off: c_int = 0;
        // SAFETY: FIONBIO reads one int.
        check(unsafe { libc::ioctl(self.fd, libc::FIONBIO, &raw mut off) })?;
        let tick = libc::timeval {
            tv_sec: tick.as_secs() as libc::time_t,
            tv_usec: libc::suseconds_t::from(tick.subsec_micros()),
        };
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

    /// Whether the number still names this socket.
    pub fn is_ours(&self) -> bool {
        identity_of(self.fd).is_ok_and(|identity| identity == self.identity)
    }

    /// Whether the peer has neither sent anything nor closed: what an idle connection must be.
    pub fn is_quiet(&self) -> bool {
        let mut byte = 0u8;
        // SAFETY: one byte may be written, and there is room for one.
        let got = unsafe {
            libc::recv(self.fd, (&raw mut byte).cast(), 1, libc::MSG_PEEK | libc::MSG_DONTWAIT)
        };
        got < 0 && io::Error::last_os_error().kind() == io::ErrorKind::WouldBlock
    }

    /// Sends some of the bytes; `WouldBlock` after a tick, or at once if not to `block`.
    /// Raises no SIGPIPE.
    ///
    /// # Errors
    /// The operating system's.
    pub fn send(&self, bytes: &[u8], block: bool) -> io::Result<usize> {
        let flags = libc::MSG_NOSIGNAL | if block { 0 } else { libc::MSG_DONTWAIT };
        // SAFETY: pointer and length are of one slice.
        let sent = unsafe { libc::send(self.fd, bytes.as_ptr().cast(), bytes.len(), flags) };
        usize::try_from(sent).map_err(|_| io::Error::last_os_error())
    }

    /// Receives some bytes, 0 at the end; `WouldBlock` after a tick, or at once if not to `block`.
    ///
    /// # Errors
    /// The operating system's.
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
        if self.is_ours() {
            // SAFETY: the number still names the socket that was opened here.
            unsafe { libc::close(self.fd) };
        }
    }
}

/// Two connected sockets of which one is for somebody else to watch: it is readable while there is
/// a byte in it.
#[derive(Debug)]
pub struct SocketPair {
    /// Where the byte goes in.
    inner: Socket,
    /// Where it comes out: the end to watch.
    outer: Socket,
}

impl SocketPair {
    /// A pair with nothing in it.
    ///
    /// # Errors
    /// The operating system's.
    pub fn new() -> io::Result<SocketPair> {
        let mut fds: [c_int; 2] = [-1; 2];
        let kind = libc::SOCK_STREAM | libc::SOCK_CLOEXEC | libc::SOCK_NONBLOCK;
        above_streams(|| {
            // SAFETY: two descriptors are written where there is room for two.
            check(unsafe { libc::socketpair(libc::AF_UNIX, kind, 0, fds.as_mut_ptr()) })
        })?;
        // SAFETY: the descriptors were opened above and nothing else has them.
        let [inner, outer] = fds.map(|fd| unsafe { OwnedFd::from_raw_fd(fd) });
        Ok(SocketPair { inner: Socket::of(inner)?, outer: Socket::of(outer)? })
    }

    /// Whether both numbers still name these sockets.
    pub fn is_ours(&self) -> bool {
        self.inner.is_ours() && self.outer.is_ours()
    }

    /// The number of the end to watch.
    pub fn end(&self) -> RawFd {
        self.outer.fd
    }

    /// Puts the byte in.
    pub fn fill(&self) {
        if self.inner.is_ours() {
            // There is room for one byte, or there is one already.
            let _ = self.inner.send(b"!", false);
        }
    }

    /// Takes out whatever is in.
    pub fn empty(&self) {
        let mut bytes = [0; 8];
        if self.outer.is_ours() {
            while self.outer.recv(&mut bytes, false).is_ok_and(|count| count == bytes.len()) {}
        }
    }
}

/// Waits until one of the sockets is ready or the time is over; tells which are. An interrupting
/// signal ends the wait early, with none ready.
///
/// # Errors
/// The operating system's.
pub fn wait(sockets: &[(&Socket, Interest)], time: Duration) -> io::Result<Vec<bool>> {
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

/// Device and inode of what a descriptor names; an error if it is not an open socket.
pub(super) fn identity_of(fd: RawFd) -> io::Result<(u64, u64)> {
    let stat = stat_of(fd)?;
    if stat.st_mode & libc::S_IFMT != libc::S_IFSOCK {
        return Err(io::Error::from_raw_os_error(libc::ENOTSOCK));
    }
    Ok((stat.st_dev, stat.st_ino))
}

/// An address in the form of the C library.
fn raw_address(address: &SocketAddr) -> (libc::sockaddr_storage, socklen_t) {
    // SAFETY: sockaddr_storage is plain integers, for which zeros are valid.
    let mut storage: libc::sockaddr_storage = unsafe { std::mem::zeroed() };
    let place = &raw mut storage;
    let length = match address {
        SocketAddr::V4(v4) => {
            let raw = libc::sockaddr_in {
                sin_family: libc::AF_INET as libc::sa_family_t,
                sin_port: v4.port().to_be(),
                sin_addr: libc::in_addr { s_addr: u32::from_ne_bytes(v4.ip().octets()) },
                sin_zero: [0; 8],
            };
            // SAFETY: storage is larger than any address and aligned for each.
            unsafe { place.cast::<libc::sockaddr_in>().write(raw) };
            size_of::<libc::sockaddr_in>()
        }
        SocketAddr::V6(v6) => {
            let raw = libc::sockaddr_in6 {
                sin6_family: libc::AF_INET6 as libc::sa_family_t,
                sin6_port: v6.port().to_be(),
                sin6_flowinfo: v6.flowinfo(),
                sin6_addr: libc::in6_addr { s6_addr: v6.ip().octets() },
                sin6_scope_id: v6.scope_id(),
            };
            // SAFETY: as above.
            unsafe { place.cast::<libc::sockaddr_in6>().write(raw) };
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
        let ready = wait(&[(&socket, Interest::Write)], Duration::from_secs(10)).unwrap();
        assert_eq!(ready, [true]);
        socket.connected().unwrap();
        socket.settle(TICK).unwrap();
        (socket, peer)
    }

    #[test]
    fn bytes_go_both_ways_and_an_idle_socket_is_quiet() {
        let (socket, mut peer) = connected();
        assert!(socket.is_ours() && socket.is_quiet());
        assert_eq!(socket.send(b"ping", true).unwrap(), 4);
        let mut buffer = [0; 4];
        peer.read_exact(&mut buffer).unwrap();
        assert_eq!(&buffer, b"ping");
        let silent = socket.recv(&mut buffer, true).unwrap_err();
        assert_eq!(silent.kind(), io::ErrorKind::WouldBlock);
        peer.write_all(b"pong").unwrap();
        wait(&[(&socket, Interest::Read)], Duration::from_secs(10)).unwrap();
        assert!(!socket.is_quiet());
        assert_eq!(socket.recv(&mut buffer, false).unwrap(), 4);
    }

    #[test]
    fn a_descriptor_that_became_somebody_elses_is_not_closed() {
        let (socket, _peer) = connected();
        let stranger = TcpListener::bind("127.0.0.1:0").unwrap();
        // The stranger takes over the number, as after a daemon's sweep of its descriptors.
        // SAFETY: dup2 takes no pointer; the number is this test's own.
        assert_eq!(unsafe { libc::dup2(stranger.as_raw_fd(), socket.fd) }, socket.fd);
        assert!(!socket.is_ours());
        let number = socket.fd;
        drop(socket);
        assert!(identity_of(number).is_ok(), "the stranger's descriptor was closed");
        // SAFETY: the number is this test's own.
        unsafe { libc::close(number) };
    }

    #[test]
    fn a_peer_that_closed_raises_no_signal() {
        let (socket, peer) = connected();
        peer.shutdown(std::net::Shutdown::Write).unwrap();
        drop(peer);
        // The first byte is answered by a reset; without MSG_NOSIGNAL the next would end us.
        // SAFETY: the child does nothing but send and exit.
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
    fn a_refused_connection_is_told() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        drop(listener);
        let refused = Socket::connect(&address, None).and_then(|socket| {
            wait(&[(&socket, Interest::Write)], Duration::from_secs(10))?;
            socket.connected()
        });
        assert_eq!(refused.unwrap_err().kind(), io::ErrorKind::ConnectionRefused);
    }
}
