//! Opens a connection to a target, if the guard lets it.
//!
//! The guard judges the addresses themselves, between resolving and connecting, so neither a name that leads inside
//! nor a literal address gets past it. If one answer of a name is forbidden, all are: a name that mixes public and
//! internal addresses is an attack or a mistake, and picking the good ones would hide which.

use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpStream, lookup_host};
use tokio::time::{Instant, timeout_at};
use url::{Host, Url};

use super::tls::{Tls, TlsError};
use crate::deliver::guard::{LOOPBACK, Policy, TargetError, check_url};
use crate::deliver::options::{Options, OptionsError};
use crate::model::AttemptErrorClass;

/// A resolver that needs longer has lost the question.
const DNS_TIMEOUT: Duration = Duration::from_secs(5);
/// How many addresses of a name are tried; all are checked.
const MAX_TRIED: usize = 4;

/// Bytes to and from a receiver.
pub(super) type Stream = Box<dyn Duplex>;

/// What a [`Stream`] can do.
pub(super) trait Duplex: AsyncRead + AsyncWrite + Send + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin> Duplex for T {}

/// Resolves, checks, connects and starts TLS.
pub(super) struct Connector {
    policy: Policy,
    tls: Tls,
    connect_timeout: Duration,
    tls_timeout: Duration,
}

/// Why there is no connection, by phase.
#[derive(Debug, thiserror::Error)]
pub(super) enum ConnectError {
    /// The URL itself is not allowed, or no longer.
    #[error("nothing was sent: {0}")]
    Target(#[from] TargetError),
    /// An address of the name is not allowed.
    #[error(
        "nothing was sent: the host of the URL leads to an address in a private or special network; use a public \
         address, or ask the operator to add the network to `deliver.allow_networks`"
    )]
    Address,
    /// The name does not resolve.
    #[error("the host of the URL does not resolve: {0}")]
    Resolve(#[source] io::Error),
    /// The name has no address.
    #[error("the host of the URL has no address")]
    NoAddress,
    /// The resolver did not answer in time.
    #[error("the host of the URL did not resolve in time")]
    ResolveTimeout,
    /// TCP failed.
    #[error("no connection to the receiver: {}", .0.kind())]
    Tcp(#[source] io::Error),
    /// TCP took too long.
    #[error("no connection to the receiver in time")]
    TcpTimeout,
    /// The handshake failed.
    #[error(transparent)]
    Tls(#[from] TlsError),
    /// The handshake took too long.
    #[error("the receiver did not finish the TLS handshake in time")]
    TlsTimeout,
}

impl Connector {
    /// A connector with these options.
    ///
    /// # Errors
    /// The file of authorities cannot be used.
    pub(super) fn new(options: &Options) -> Result<Self, OptionsError> {
        Ok(Self {
            policy: options.policy(),
            tls: Tls::new(options.ca_file.as_deref())?,
            connect_timeout: options.connect_timeout,
            tls_timeout: options.tls_timeout,
        })
    }

    /// A new connection to the host of this URL, ready for HTTP, before `deadline`.
    pub(super) async fn connect(&self, url: &Url, deadline: Instant) -> Result<Stream, ConnectError> {
        check_url(url, &self.policy)?;
        let host = url.host().ok_or(TargetError::HostName)?;
        let port = url.port_or_known_default().unwrap_or_default();
        let addresses = self.resolve(&host, port, deadline).await?;
        let tcp = self.dial(admit(addresses, &self.policy)?, deadline).await?;
        if url.scheme() == "http" {
            return Ok(Box::new(tcp));
        }
        let limit = deadline.min(Instant::now() + self.tls_timeout);
        let tls = timeout_at(limit, self.tls.handshake(&host, tcp)).await;
        Ok(Box::new(tls.map_err(|_| ConnectError::TlsTimeout)??))
    }

    async fn resolve(
        &self,
        host: &Host<&str>,
        port: u16,
        deadline: Instant,
    ) -> Result<Vec<SocketAddr>, ConnectError> {
        let name = match *host {
            Host::Ipv4(ip) => return Ok(vec![SocketAddr::new(ip.into(), port)]),
            Host::Ipv6(ip) => return Ok(vec![SocketAddr::new(ip.into(), port)]),
            // RFC 6761, 6.3: nobody else is asked what `localhost` is.
            Host::Domain("localhost") => {
                let mut addresses = LOOPBACK.map(|ip| SocketAddr::new(ip, port)).to_vec();
                addresses.retain(|address| self.policy.allows_address(*address));
                return if addresses.is_empty() { Err(ConnectError::Address) } else { Ok(addresses) };
            }
            // The operator's own names may live in the hosts file or in the search list.
            Host::Domain(name) if self.policy.opens_name(name, port) => name.to_owned(),
            // The final dot keeps the search list of resolv.conf out.
            Host::Domain(name) => format!("{name}."),
        };
        let limit = deadline.min(Instant::now() + DNS_TIMEOUT);
        match timeout_at(limit, lookup_host((name, port))).await {
            Ok(found) => Ok(found.map_err(ConnectError::Resolve)?.collect()),
            Err(_) => Err(ConnectError::ResolveTimeout),
        }
    }

    /// Tries the addresses in turn. Each gets its share of the time that is left, so one that swallows packets does
    /// not use up the time of the next.
    async fn dial(&self, addresses: Vec<SocketAddr>, deadline: Instant) -> Result<TcpStream, ConnectError> {
        let limit = deadline.min(Instant::now() + self.connect_timeout);
        let count = addresses.len().min(MAX_TRIED);
        let mut last = ConnectError::NoAddress;
        for (address, left) in addresses.into_iter().zip((1..=count).rev()) {
            let now = Instant::now();
            let share = limit.saturating_duration_since(now) / u32::try_from(left).unwrap_or(1);
            match timeout_at(now + share, TcpStream::connect(address)).await {
                Ok(Ok(stream)) => return self.confirm(stream, address),
                Ok(Err(error)) => last = ConnectError::Tcp(error),
                Err(_) => last = ConnectError::TcpTimeout,
            }
        }
        Err(last)
    }

    /// The other end is the address that was checked, and it is not this machine under a public address.
    fn confirm(&self, stream: TcpStream, checked: SocketAddr) -> Result<TcpStream, ConnectError> {
        let (peer, local) = (stream.peer_addr(), stream.local_addr());
        let (peer, local) = (peer.map_err(ConnectError::Tcp)?, local.map_err(ConnectError::Tcp)?);
        let same = (peer.ip(), peer.port()) == (checked.ip(), checked.port());
        if !same || (peer.ip() == local.ip() && !self.policy.opens_address(peer.ip(), peer.port())) {
            return Err(ConnectError::Address);
        }
        stream.set_nodelay(true).map_err(ConnectError::Tcp)?;
        Ok(stream)
    }
}

impl ConnectError {
    pub(super) const fn class(&self) -> AttemptErrorClass {
        match self {
            Self::Target(_) | Self::Address => AttemptErrorClass::Forbidden,
            Self::Resolve(_) | Self::NoAddress | Self::ResolveTimeout => AttemptErrorClass::Dns,
            Self::Tcp(_) => AttemptErrorClass::Connect,
            Self::TcpTimeout => AttemptErrorClass::ConnectTimeout,
            Self::Tls(_) => AttemptErrorClass::Tls,
            Self::TlsTimeout => AttemptErrorClass::TlsTimeout,
        }
    }
}

impl fmt::Debug for Connector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Connector").field("policy", &self.policy).finish_non_exhaustive()
    }
}

/// The addresses to try, in canonical form, if every one is allowed.
fn admit(addresses: Vec<SocketAddr>, policy: &Policy) -> Result<Vec<SocketAddr>, ConnectError> {
    if addresses.is_empty() {
        return Err(ConnectError::NoAddress);
    }
    if !addresses.iter().all(|address| policy.allows_address(*address)) {
        return Err(ConnectError::Address);
    }
    Ok(addresses.into_iter().map(|a| SocketAddr::new(a.ip().to_canonical(), a.port())).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn addresses(texts: &[&str]) -> Vec<SocketAddr> {
        texts.iter().map(|text| text.parse().unwrap()).collect()
    }

    #[test]
    fn one_forbidden_answer_refuses_the_name() {
        let policy = Policy::default();
        assert!(admit(addresses(&["8.8.8.8:443", "[2606:4700:4700::1111]:443"]), &policy).is_ok());
        for mixed in
            [["8.8.8.8:443", "[::1]:443"], ["10.0.0.1:443", "8.8.8.8:443"], ["8.8.8.8:443", "8.8.8.8:6379"]]
        {
            assert!(matches!(admit(addresses(&mixed), &policy), Err(ConnectError::Address)), "{mixed:?}");
        }
        assert!(matches!(admit(Vec::new(), &policy), Err(ConnectError::NoAddress)));
    }

    #[test]
    fn an_ipv4_address_in_ipv6_clothing_is_judged_and_connected_to_as_ipv4() {
        let policy = Policy::default();
        assert_eq!(
            admit(addresses(&["[::ffff:8.8.8.8]:443"]), &policy).unwrap(),
            addresses(&["8.8.8.8:443"])
        );
        assert!(admit(addresses(&["[::ffff:127.0.0.1]:443"]), &policy).is_err());
    }
}
