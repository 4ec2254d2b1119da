//! Opens a connection to a target, if the guard lets it.
//!
//! The guard judges the addresses themselves, between resolving and connecting, so neither a name that leads inside
//! nor a literal address gets past it. What it let through is an [`Admitted`], and this file, the only one that
//! connects, takes nothing else. A connection that leads elsewhere all the same is closed before it carries a byte.

use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::time::{Instant, timeout_at};
use url::{Host, Url};

use super::resolve::{Lookup, ResolveError, Resolver};
use super::tls::{Tls, TlsError};
use crate::deliver::guard::{Admitted, LOOPBACK, Policy, TargetError, check_url};
use crate::deliver::options::{Options, OptionsError};
use crate::model::AttemptErrorClass;

/// A resolver that needs longer has lost the question.
const DNS_TIMEOUT: Duration = Duration::from_secs(5);
/// How many addresses of a name are tried; all are checked.
const MAX_TRIED: usize = 4;

/// A connection that is ready for HTTP.
pub(super) struct Wire {
    /// Its bytes.
    pub(super) stream: Stream,
    /// Whether the receiver wants HTTP/2; otherwise it is HTTP/1.1.
    pub(super) http2: bool,
}

/// Bytes to and from a receiver.
pub(super) type Stream = Box<dyn Duplex>;

/// What a [`Stream`] can do.
pub(super) trait Duplex: AsyncRead + AsyncWrite + Send + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin> Duplex for T {}

/// Resolves, checks, connects and starts TLS.
pub(super) struct Connector {
    policy: Policy,
    resolver: Resolver,
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
    #[error(transparent)]
    Resolve(#[from] ResolveError),
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
    /// The file of authorities or the DNS servers cannot be used.
    pub(super) fn new(options: &Options) -> Result<Self, OptionsError> {
        Ok(Self {
            policy: options.policy(),
            resolver: Resolver::new(&options.dns_servers)?,
            tls: Tls::new(options.ca_file.as_deref(), options.http2)?,
            connect_timeout: options.connect_timeout,
            tls_timeout: options.tls_timeout,
        })
    }

    /// A new connection to the host of this URL, ready for HTTP, before `deadline`.
    pub(super) async fn connect(&self, url: &Url, deadline: Instant) -> Result<Wire, ConnectError> {
        check_url(url, &self.policy)?;
        let host = url.host().ok_or(TargetError::HostName)?;
        let port = url.port_or_known_default().unwrap_or_default();
        let addresses = self.resolve(&host, port, deadline).await?;
        let admitted = self.policy.admit(addresses).ok_or(ConnectError::Address)?;
        let tcp = self.dial(&admitted, deadline).await?;
        if url.scheme() == "http" {
            return Ok(Wire { stream: Box::new(tcp), http2: false });
        }
        let limit = deadline.min(Instant::now() + self.tls_timeout);
        let tls = timeout_at(limit, self.tls.handshake(&host, tcp)).await;
        let (stream, http2) = tls.map_err(|_| ConnectError::TlsTimeout)??;
        Ok(Wire { stream: Box::new(stream), http2 })
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
            Host::Domain(name) => name,
        };
        let vouched_for = self.policy.opens_name(name, port);
        let lookup = if vouched_for { Lookup::Searched } else { Lookup::Absolute };
        let limit = deadline.min(Instant::now() + DNS_TIMEOUT);
        let found = timeout_at(limit, self.resolver.addresses(name, lookup)).await;
        let found = found.map_err(|_| ConnectError::ResolveTimeout)??;
        Ok(found.into_iter().map(|ip| SocketAddr::new(ip, port)).collect())
    }

    /// Tries the addresses in turn. Each gets its share of the time that is left, so one that swallows packets does
    /// not use up the time of the next.
    async fn dial(&self, admitted: &Admitted, deadline: Instant) -> Result<TcpStream, ConnectError> {
        let limit = deadline.min(Instant::now() + self.connect_timeout);
        let count = admitted.addresses().len().min(MAX_TRIED);
        let mut last = ConnectError::Resolve(ResolveError::NoAddress);
        for (&address, left) in admitted.addresses().iter().zip((1..=count).rev()) {
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
        if (peer.ip(), peer.port()) != (checked.ip(), checked.port()) {
            // No system does this. If one did, every promise of the guard would hang on this line.
            tracing::error!(%checked, %peer, "a connection led to another address than the checked one; it was closed");
            return Err(ConnectError::Address);
        }
        if peer.ip() == local.ip() && !self.policy.opens_address(peer.ip(), peer.port()) {
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
            Self::Resolve(_) | Self::ResolveTimeout => AttemptErrorClass::Dns,
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

#[cfg(test)]
mod tests {
    use tokio::net::TcpListener;

    use super::*;

    #[tokio::test]
    async fn a_connection_that_leads_elsewhere_is_closed() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let allow_networks = vec!["127.0.0.0/8".parse().unwrap()];
        let open = Connector::new(&Options { allow_networks, ..Options::default() }).unwrap();
        let stream = TcpStream::connect(address).await.unwrap();
        assert!(open.confirm(stream, address).is_ok());
        for checked in ["127.0.0.2:80".parse().unwrap(), SocketAddr::new(address.ip(), 80)] {
            let stream = TcpStream::connect(address).await.unwrap();
            assert!(matches!(open.confirm(stream, checked), Err(ConnectError::Address)), "{checked}");
        }
    }

    #[tokio::test]
    async fn this_machine_under_a_public_address_is_refused() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let strict = Connector::new(&Options::default()).unwrap();
        let stream = TcpStream::connect(address).await.unwrap();
        assert!(matches!(strict.confirm(stream, address), Err(ConnectError::Address)));
    }
}
