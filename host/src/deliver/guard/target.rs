//! The rules for a target URL that need no look at the network.
//!
//! One parser reads the URL, once; what is stored, signed for and connected to is its normalised result. Two parsers
//! that disagree about where the host ends are how guards like this one are walked around.

use std::net::{IpAddr, SocketAddr};

use http::uri::PathAndQuery;
use url::{Host, Position, Url};

use super::Policy;
use crate::model::normalised_url;

/// Longer than any receiver's URL, short enough for an index key.
const MAX_URL_LEN: usize = 2_000;
/// RFC 1035, 2.3.4.
const MAX_HOST_LEN: usize = 253;
const MAX_LABEL_LEN: usize = 63;

/// Last labels that mean "in here": RFC 6761, 6762, 7686, 8375, ICANN's `.internal`, and Kubernetes' own.
const INTERNAL_SUFFIXES: [&str; 7] =
    [".localhost", ".local", ".internal", ".svc", ".cluster.local", ".home.arpa", ".onion"];

/// Why a URL cannot be a target. The sentences say what to change and never what is behind the URL.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TargetError {
    /// Too long.
    #[error("the URL has more than {MAX_URL_LEN} characters; use a shorter one")]
    TooLong,
    /// Characters that URL parsers drop or read in different ways.
    #[error(
        "the URL contains white space, a control character or `\\`; write it percent-encoded or leave it out"
    )]
    Character,
    /// Not a URL.
    #[error("this is not a URL such as `https://example.com/hook`: {0}")]
    Parse(#[from] url::ParseError),
    /// Neither `https` nor `http`.
    #[error("the URL must start with `https://`, not `{0}:`")]
    Scheme(String),
    /// `http`, and the operator does not allow it.
    #[error(
        "the URL must start with `https://`; the operator can allow plain HTTP with `deliver.allow_http`"
    )]
    PlainHttp,
    /// User name or password.
    #[error("the URL contains a user name or password before `@`; leave it out")]
    UserInfo,
    /// A fragment is never sent.
    #[error("the URL contains `#`; leave out the part after it, it is never sent")]
    Fragment,
    /// No host, or one that DNS cannot hold.
    #[error(
        "the host of the URL must have 1 to {MAX_HOST_LEN} characters in parts of 1 to {MAX_LABEL_LEN}, joined by `.`"
    )]
    HostName,
    /// A name that has no meaning on the public internet.
    #[error(
        "the host `{0}` is a name of an internal network; use a public name, or ask the operator to add it to \
         `deliver.allow_names`"
    )]
    InternalName(String),
    /// A port that webhooks are not received on.
    #[error(
        "port {0} is not one that webhooks are delivered to; use 443, 80 or a port from 1024 on that no well-known \
         service uses, or ask the operator to add the network and port to `deliver.allow_networks`"
    )]
    Port(u16),
    /// An address that is not public.
    #[error(
        "the URL names an address in a private or special network; use a public address, or ask the operator to add \
         the network to `deliver.allow_networks`"
    )]
    Address,
    /// A path or query that HTTP cannot carry.
    #[error(
        "the path or query of the URL contains a character that cannot be sent; write it percent-encoded"
    )]
    Path,
}

/// The URL in this text, normalised: one spelling per target.
///
/// # Errors
/// It is no URL, or one that deliveries must not go to.
pub fn check_target(raw: &str, policy: &Policy) -> Result<Url, TargetError> {
    if raw.len() > MAX_URL_LEN {
        return Err(TargetError::TooLong);
    }
    if raw.chars().any(|c| c.is_control() || c.is_whitespace() || c == '\\') {
        return Err(TargetError::Character);
    }
    let url = normalised_url(raw)?;
    check_url(&url, policy)?;
    Ok(url)
}

/// The same rules for a URL that was parsed before, since the operator may have tightened the policy in between.
pub(in crate::deliver) fn check_url(url: &Url, policy: &Policy) -> Result<(), TargetError> {
    match url.scheme() {
        "https" => {}
        "http" if policy.allow_http => {}
        "http" => return Err(TargetError::PlainHttp),
        other => return Err(TargetError::Scheme(other.to_owned())),
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err(TargetError::UserInfo);
    }
    if url.fragment().is_some() {
        return Err(TargetError::Fragment);
    }
    PathAndQuery::try_from(&url[Position::BeforePath..Position::AfterQuery])
        .map_err(|_| TargetError::Path)?;
    let port = url.port_or_known_default().unwrap_or_default();
    match url.host().ok_or(TargetError::HostName)? {
        Host::Domain(name) => check_name(name, port, policy),
        Host::Ipv4(ip) => check_literal(ip.into(), port, policy),
        Host::Ipv6(ip) => check_literal(ip.into(), port, policy),
    }
}

fn check_name(name: &str, port: u16, policy: &Policy) -> Result<(), TargetError> {
    let is_label = |label: &str| (1..=MAX_LABEL_LEN).contains(&label.len());
    if name.len() > MAX_HOST_LEN || !name.split('.').all(is_label) {
        return Err(TargetError::HostName);
    }
    let internal = !name.contains('.') || INTERNAL_SUFFIXES.iter().any(|suffix| name.ends_with(suffix));
    if internal && !policy.opens_name(name, port) {
        return Err(TargetError::InternalName(name.to_owned()));
    }
    if policy.may_open_port(port) { Ok(()) } else { Err(TargetError::Port(port)) }
}

fn check_literal(ip: IpAddr, port: u16, policy: &Policy) -> Result<(), TargetError> {
    if policy.allows_address(SocketAddr::new(ip, port)) {
        Ok(())
    } else if policy.allows_address(SocketAddr::new(ip, 443)) {
        Err(TargetError::Port(port))
    } else {
        Err(TargetError::Address)
    }
}
