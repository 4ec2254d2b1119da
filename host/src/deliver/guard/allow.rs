//! What the operator writes to open the guard: networks and names.

use std::net::IpAddr;
use std::ops::RangeInclusive;
use std::str::FromStr;

use ipnet::IpNet;
use serde::Deserialize;

/// A network that deliveries may go to although it is not public: `10.0.0.0/8`, with the ports of every public
/// address, or `10.1.2.0/24:8080` and `fd00::/8:9000-9099`, with exactly these ports.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct AllowedNetwork {
    network: IpNet,
    ports: Option<RangeInclusive<u16>>,
}

/// A name that deliveries may go to although it looks internal: `receiver` itself, or `.svc.cluster.local` for every
/// name that ends so. Its addresses must still be public or in an [`AllowedNetwork`].
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct AllowedName(String);

/// Why a text does not open anything.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum AllowError {
    /// Not a network.
    #[error(
        "`{0}` is no network: write an address and a prefix length, such as `10.0.0.0/8` or `127.0.0.1/32`"
    )]
    Network(String),
    /// Not a port or range of ports.
    #[error(
        "`{0}` is no port or range of ports: write `8080` or `9000-9099`, from 1 to 65535, after the network"
    )]
    Ports(String),
    /// Not a name.
    #[error("`{0}` is no host name: write `receiver`, or `.svc.cluster.local` for all names that end so")]
    Name(String),
}

impl AllowedNetwork {
    pub(super) fn contains(&self, ip: IpAddr) -> bool {
        self.network.contains(&ip)
    }

    pub(super) const fn has_ports(&self) -> bool {
        self.ports.is_some()
    }

    pub(super) fn names_port(&self, port: u16) -> bool {
        self.ports.as_ref().is_some_and(|ports| ports.contains(&port))
    }
}

impl AllowedName {
    pub(super) fn covers(&self, name: &str) -> bool {
        if self.0.starts_with('.') { name.ends_with(&self.0) } else { name == self.0 }
    }
}

impl FromStr for AllowedNetwork {
    type Err = AllowError;

    fn from_str(text: &str) -> Result<Self, AllowError> {
        // An IPv6 address has colons too, but only before the `/`.
        let slash = text.find('/').ok_or_else(|| AllowError::Network(text.to_owned()))?;
        let (network, ports) = match text[slash..].find(':') {
            Some(colon) => (&text[..slash + colon], Some(&text[slash + colon + 1..])),
            None => (text, None),
        };
        Ok(Self {
            network: network.parse().map_err(|_| AllowError::Network(network.to_owned()))?,
            ports: ports.map(parse_ports).transpose()?,
        })
    }
}

impl FromStr for AllowedName {
    type Err = AllowError;

    fn from_str(text: &str) -> Result<Self, AllowError> {
        let labels = text.strip_prefix('.').unwrap_or(text);
        let is_label = |label: &str| {
            !label.is_empty() && label.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_')
        };
        if labels.split('.').all(is_label) {
            Ok(Self(text.to_ascii_lowercase()))
        } else {
            Err(AllowError::Name(text.to_owned()))
        }
    }
}

impl TryFrom<String> for AllowedNetwork {
    type Error = AllowError;

    fn try_from(text: String) -> Result<Self, AllowError> {
        text.parse()
    }
}

impl TryFrom<String> for AllowedName {
    type Error = AllowError;

    fn try_from(text: String) -> Result<Self, AllowError> {
        text.parse()
    }
}

fn parse_ports(text: &str) -> Result<RangeInclusive<u16>, AllowError> {
    let (first, last) = text.split_once('-').unwrap_or((text, text));
    match (first.parse(), last.parse()) {
        (Ok(first), Ok(last)) if 0 < first && first <= last => Ok(first..=last),
        _ => Err(AllowError::Ports(text.to_owned())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn networks_with_and_without_ports_are_read() {
        for (text, ports) in [
            ("10.0.0.0/8", None),
            ("10.0.0.0/8:8080", Some(8080..=8080)),
            ("fd00::/8", None),
            ("fd00::/8:9000-9099", Some(9000..=9099)),
        ] {
            assert_eq!(text.parse::<AllowedNetwork>().unwrap().ports, ports, "{text}");
        }
        for text in [
            "",
            "10.0.0.1",
            "10.0.0.0/33",
            "10.0.0.0/8:",
            "10.0.0.0/8:0",
            "10.0.0.0/8:9-8",
            "a/8",
            "10.0.0.0/8:1,2",
        ] {
            assert!(text.parse::<AllowedNetwork>().is_err(), "{text}");
        }
    }

    #[test]
    fn a_name_covers_itself_and_a_suffix_covers_what_ends_so() {
        let (name, suffix): (AllowedName, AllowedName) =
            ("Receiver".parse().unwrap(), ".svc.cluster.local".parse().unwrap());
        assert!(name.covers("receiver") && !name.covers("a.receiver") && !name.covers("receivers"));
        assert!(suffix.covers("hooks.shop.svc.cluster.local") && !suffix.covers("xsvc.cluster.local"));
        for text in ["", ".", "a..b", "a b", "*.local", "a."] {
            assert!(text.parse::<AllowedName>().is_err(), "{text}");
        }
    }
}
