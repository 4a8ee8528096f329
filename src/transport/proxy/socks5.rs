//! The tunnel through a SOCKS5 proxy (RFC 1928, RFC 1929).

use std::net::IpAddr;

use zeroize::Zeroizing;

use super::{Proxy, permanent, read_some};
use crate::error::Status;
use crate::transport::error::TransportError;
use crate::transport::stream::Stream;

impl Proxy {
    /// Opens a tunnel to this host and port.
    pub(super) fn open_socks5_tunnel(
        &self,
        host: &str,
        port: u16,
        stream: &Stream<'_>,
    ) -> Result<(), TransportError> {
        let offered: &[u8] = if self.user.is_some() { &[5, 2, 0, 2] } else { &[5, 1, 0] };
        stream.write_all(offered)?;
        match (read_exact::<2>(stream)?, &self.user) {
            ([5, 0], _) => {}
            ([5, 2], Some((name, password))) => {
                let mut login = Zeroizing::new(Vec::with_capacity(3 + 2 * 255));
                for (text, version) in [(name, Some(1)), (password, None)] {
                    login.extend(version);
                    // `parse` allows no more than 255 bytes.
                    login.push(text.len() as u8);
                    login.extend_from_slice(text.as_bytes());
                }
                stream.write_all(&login)?;
                if read_exact::<2>(stream)?[1] != 0 {
                    return Err(permanent(format!(
                        "the proxy {self} rejected the credentials; check proxy in the configuration"
                    )));
                }
            }
            ([5, _], None) => {
                return Err(permanent(format!(
                    "the proxy {self} requires credentials; put them into proxy in the \
                     configuration"
                )));
            }
            ([5, _], Some(_)) => {
                return Err(permanent(format!(
                    "the proxy {self} does not accept a user and password"
                )));
            }
            _ => {
                return Err(permanent(format!("the server at {self} is not a SOCKS5 proxy")));
            }
        }
        let mut request = vec![5, 1, 0];
        match host.parse() {
            Ok(IpAddr::V4(ip)) => {
                request.push(1);
                request.extend(ip.octets());
            }
            Ok(IpAddr::V6(ip)) => {
                request.push(4);
                request.extend(ip.octets());
            }
            Err(_) => {
                // A host name of a URL has at most 253 bytes, which DNS allows.
                let length = u8::try_from(host.len())
                    .map_err(|_| permanent("the service's name is too long for SOCKS5"))?;
                request.extend([3, length]);
                request.extend(host.as_bytes());
            }
        }
        request.extend(port.to_be_bytes());
        stream.write_all(&request)?;
        let [version, reply, _, address_type] = read_exact::<4>(stream)?;
        if version != 5 {
            return Err(permanent(format!("the server at {self} is not a SOCKS5 proxy")));
        }
        if reply != 0 {
            let why = match reply {
                2 => {
                    return Err(permanent(format!(
                        "the proxy {self} does not allow {host}:{port}"
                    )));
                }
                3 | 4 => "it cannot reach the host",
                5 => "the connection was refused",
                6 => "the host did not respond in time",
                _ => "it failed",
            };
            return Err(TransportError::new(
                Status::Proxy,
                format!(
                    "the proxy {self} could not open a tunnel to {host}:{port}: {why} (reply {reply})"
                ),
            ));
        }
        // The address that the proxy uses must be read, but is not used.
        match address_type {
            1 => read_exact::<6>(stream).map(drop),
            4 => read_exact::<18>(stream).map(drop),
            3 => {
                let [length] = read_exact::<1>(stream)?;
                (0..usize::from(length) + 2).try_for_each(|_| read_exact::<1>(stream).map(drop))
            }
            _ => Err(permanent(format!("the proxy {self} violates the SOCKS5 protocol"))),
        }
    }
}

fn read_exact<const N: usize>(stream: &Stream<'_>) -> Result<[u8; N], TransportError> {
    let mut bytes = [0; N];
    let mut length = 0;
    while length < N {
        length += read_some(stream, &mut bytes[length..])?;
    }
    Ok(bytes)
}
