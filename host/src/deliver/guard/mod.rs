//! Where deliveries may go. Pure: it judges texts and addresses and never resolves or connects.
//!
//! A gateway that POSTs wherever its users say is a way into the network that it stands in. Two checks prevent it:
//! [`check_target`] for a URL as somebody wrote it (at create and update), and [`Policy::allows_address`] for each
//! address that is about to be connected to. The second is the one that counts, because a name can lead anywhere;
//! the first gives the person a sentence. Everything is refused unless it is on the public internet; the operator
//! opens more with [`AllowedNetwork`] and [`AllowedName`].

mod addresses;
mod admitted;
mod allow;
mod ports;
#[cfg(test)]
pub(crate) mod suite;
mod target;
#[cfg(test)]
mod tests;

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

pub use self::allow::{AllowError, AllowedName, AllowedNetwork};
pub use self::target::{TargetError, check_target};

pub(super) use self::admitted::Admitted;
pub(super) use self::target::check_url;

pub(super) const LOOPBACK: [IpAddr; 2] = [IpAddr::V4(Ipv4Addr::LOCALHOST), IpAddr::V6(Ipv6Addr::LOCALHOST)];

/// What the operator allows beyond HTTPS to public addresses.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Policy {
    /// Whether a URL may start with `http://`.
    pub allow_http: bool,
    /// Networks that are not public and may be delivered to.
    pub allow_networks: Vec<AllowedNetwork>,
    /// Names that look internal and may be delivered to, if their addresses may.
    pub allow_names: Vec<AllowedName>,
}

impl Policy {
    /// Whether a delivery may connect to this address. An IPv4 address in IPv6 clothing is judged as IPv4.
    #[must_use]
    pub fn allows_address(&self, address: SocketAddr) -> bool {
        let (ip, port) = (address.ip().to_canonical(), address.port());
        self.opens_address(ip, port) || (addresses::is_public(ip) && ports::is_usual(port))
    }

    /// Whether the operator vouches for a name, by itself or, for `localhost`, through the loopback network.
    pub(super) fn opens_name(&self, name: &str, port: u16) -> bool {
        self.allow_names.iter().any(|allowed| allowed.covers(name))
            || (name == "localhost" && LOOPBACK.iter().any(|ip| self.opens_address(*ip, port)))
    }

    /// Whether a port can be right for some address of a name.
    fn may_open_port(&self, port: u16) -> bool {
        ports::is_usual(port) || self.allow_networks.iter().any(|allowed| allowed.names_port(port))
    }

    /// Whether the operator opened this address.
    pub(super) fn opens_address(&self, ip: IpAddr, port: u16) -> bool {
        self.allow_networks.iter().any(|allowed| {
            allowed.contains(ip)
                && if allowed.has_ports() { allowed.names_port(port) } else { ports::is_usual(port) }
        })
    }
}
