//! TLS 1.2 and 1.3 with full verification, always: the public authorities of `webpki-roots`, and the operator's own.

use std::io;
use std::path::Path;
use std::sync::Arc;

use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, InvalidDnsNameError, ServerName};
use rustls::{AlertDescription, CertificateError, ClientConfig, PeerIncompatible, RootCertStore};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use url::Host;

use crate::deliver::options::OptionsError;

/// The names of HTTP/2 and HTTP/1.1 in the handshake (RFC 7301), the first one preferred.
const HTTP2: &[u8] = b"h2";
const HTTP1: &[u8] = b"http/1.1";

/// The client side of TLS.
pub(super) struct Tls(TlsConnector);

/// Why there is no TLS session. In every case nothing of the request was sent.
#[derive(Debug, thiserror::Error)]
pub(super) enum TlsError {
    /// The certificate has expired.
    #[error("the receiver's certificate has expired; renew it")]
    Expired,
    /// The certificate is from the future.
    #[error("the receiver's certificate is not valid yet; check its dates and the clocks of both machines")]
    NotYetValid,
    /// The certificate is another host's.
    #[error("the receiver's certificate is for another name than the host of the URL")]
    WrongName,
    /// Nobody who is trusted here signed the certificate.
    #[error(
        "the receiver's certificate is self-signed or from an authority that is not trusted, or an intermediate \
         certificate is missing; the operator can add a private authority with `deliver.ca_file`"
    )]
    Untrusted,
    /// Anything else about the certificate.
    #[error("the receiver's certificate is not acceptable: {0}")]
    Certificate(CertificateError),
    /// The host cannot stand in a certificate.
    #[error("the host of the URL cannot be the name of a certificate")]
    Name(#[from] InvalidDnsNameError),
    /// The receiver knows TLS 1.1 or older only.
    #[error("the receiver speaks a version of TLS that is no longer safe; it has to offer TLS 1.2 or 1.3")]
    OldVersion,
    /// The two sides have nothing else in common, or the other one does not speak TLS.
    #[error("no TLS 1.2 or 1.3 session with the receiver: {0}")]
    Protocol(rustls::Error),
    /// The connection broke.
    #[error("the connection broke during the TLS handshake: {}", .0.kind())]
    Broken(#[source] io::Error),
}

impl Tls {
    /// TLS that trusts the public authorities and those in this file, and offers HTTP/2 or not.
    ///
    /// # Errors
    /// The file cannot be used.
    pub(super) fn new(ca_file: Option<&Path>, http2: bool) -> Result<Self, OptionsError> {
        let mut roots = RootCertStore { roots: webpki_roots::TLS_SERVER_ROOTS.to_vec() };
        if let Some(path) = ca_file {
            add_authorities(&mut roots, path)?;
        }
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let mut config = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .expect("ring has cipher suites for both versions")
            .with_root_certificates(roots)
            .with_no_client_auth();
        let offers = if http2 { &[HTTP2, HTTP1][..] } else { &[HTTP1] };
        config.alpn_protocols = offers.iter().map(|name| name.to_vec()).collect();
        Ok(Self(TlsConnector::from(Arc::new(config))))
    }

    /// Starts a session on this connection with a receiver that proves to be this host. Says whether it chose HTTP/2.
    pub(super) async fn handshake(
        &self,
        host: &Host<&str>,
        tcp: TcpStream,
    ) -> Result<(TlsStream<TcpStream>, bool), TlsError> {
        let name = match *host {
            Host::Domain(name) => ServerName::try_from(name.to_owned())?,
            Host::Ipv4(ip) => ServerName::IpAddress(ip.into()),
            Host::Ipv6(ip) => ServerName::IpAddress(ip.into()),
        };
        let stream = self.0.connect(name, tcp).await?;
        let http2 = stream.get_ref().1.alpn_protocol() == Some(HTTP2);
        Ok((stream, http2))
    }
}

impl From<io::Error> for TlsError {
    /// tokio-rustls wraps what rustls says into I/O errors.
    fn from(error: io::Error) -> Self {
        match error.downcast::<rustls::Error>() {
            Ok(rustls::Error::InvalidCertificate(problem)) => problem.into(),
            // It answers with the version that it has, or with the alert that ours is too new (RFC 8446, 6.2).
            Ok(
                rustls::Error::PeerIncompatible(PeerIncompatible::ServerDoesNotSupportTls12Or13)
                | rustls::Error::AlertReceived(AlertDescription::ProtocolVersion),
            ) => Self::OldVersion,
            Ok(other) => Self::Protocol(other),
            Err(error) => Self::Broken(error),
        }
    }
}

impl From<CertificateError> for TlsError {
    #[expect(clippy::wildcard_enum_match_arm, reason = "the rest have one sentence")]
    fn from(problem: CertificateError) -> Self {
        match problem {
            CertificateError::Expired | CertificateError::ExpiredContext { .. } => Self::Expired,
            CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => Self::NotYetValid,
            CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => {
                Self::WrongName
            }
            // A bad signature is an authority that has the name of a trusted one and another key.
            CertificateError::UnknownIssuer | CertificateError::BadSignature => Self::Untrusted,
            other => Self::Certificate(other),
        }
    }
}

fn add_authorities(roots: &mut RootCertStore, path: &Path) -> Result<(), OptionsError> {
    let unreadable = |source| OptionsError::CaFile { path: path.to_owned(), source };
    let certificates = CertificateDer::pem_file_iter(path).map_err(unreadable)?;
    let certificates = certificates.collect::<Result<Vec<_>, _>>().map_err(unreadable)?;
    let (added, ignored) = roots.add_parsable_certificates(certificates);
    if added == 0 || ignored > 0 {
        return Err(OptionsError::NoAuthority { path: path.to_owned() });
    }
    Ok(())
}
