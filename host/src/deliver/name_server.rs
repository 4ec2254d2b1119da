//! The address of a DNS server, as the operator writes it.

use std::net::{IpAddr, SocketAddr};
use std::str::FromStr;

use serde::Deserialize;

/// The port of DNS: RFC 1035, 4.2.
const PORT: u16 = 53;

/// A DNS server: `10.0.0.2`, `10.0.0.2:5353`, `fd00::2` or `[fd00::2]:5353`. Without a port it is 53.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct NameServer(SocketAddr);

/// A text that is no address of a DNS server.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is no address of a DNS server: write `10.0.0.2`, or `10.0.0.2:5353` if its port is not 53")]
pub struct NameServerError(String);

impl NameServer {
    /// Where it listens, over UDP and TCP.
    #[must_use]
    pub const fn address(self) -> SocketAddr {
        self.0
    }
}

impl FromStr for NameServer {
    type Err = NameServerError;

    fn from_str(text: &str) -> Result<Self, NameServerError> {
        let with_port = |ip: IpAddr| SocketAddr::new(ip, PORT);
        let address: Option<SocketAddr> = text.parse().ok().or_else(|| text.parse().ok().map(with_port));
        let usable = |address: &SocketAddr| address.port() != 0 && !address.ip().is_unspecified();
        address.filter(usable).map(Self).ok_or_else(|| NameServerError(text.to_owned()))
    }
}

impl TryFrom<String> for NameServer {
    type Error = NameServerError;

    fn try_from(text: String) -> Result<Self, NameServerError> {
        text.parse()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_is_an_address_with_or_without_a_port() {
        for (text, address) in [
            ("10.0.0.2", "10.0.0.2:53"),
            ("10.0.0.2:5353", "10.0.0.2:5353"),
            ("fd00::2", "[fd00::2]:53"),
            ("[fd00::2]:5353", "[fd00::2]:5353"),
        ] {
            assert_eq!(text.parse::<NameServer>().unwrap().address(), address.parse().unwrap(), "{text}");
        }
        for text in ["", "dns.example.com", "10.0.0.2:", "10.0.0.2:0", "0.0.0.0", "10.0.0.0/8"] {
            assert!(text.parse::<NameServer>().is_err(), "{text}");
        }
    }
}
