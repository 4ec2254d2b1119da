//! TLS with a private authority.

use std::io::Write as _;
use std::sync::Arc;

use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair, date_time_ymd};
use rustls::ServerConfig;
use rustls::pki_types::PrivateKeyDer;
use tempfile::NamedTempFile;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;

use super::*;

const OK: &str = "HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n";

/// An authority and a file that names it.
pub(super) struct Authority {
    issuer: Issuer<'static, KeyPair>,
    file: NamedTempFile,
}

impl Authority {
    pub(super) fn new() -> Self {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().unwrap();
        let mut file = NamedTempFile::new().unwrap();
        file.write_all(params.self_signed(&key).unwrap().pem().as_bytes()).unwrap();
        Self { issuer: Issuer::new(params, key), file }
    }

    pub(super) fn transport(&self) -> HttpTransport {
        HttpTransport::new(&self.options()).unwrap()
    }

    /// Options that trust this authority.
    pub(super) fn options(&self) -> Options {
        let ca_file = Some(self.file.path().to_owned());
        Options { ca_file, tls_timeout: Duration::from_secs(10), ..options() }
    }

    /// TLS for `localhost` that offers these protocols.
    pub(super) fn offers(&self, protocols: &[&str]) -> TlsAcceptor {
        let key = KeyPair::generate().unwrap();
        let certificate = certificate_for("localhost").signed_by(&key, &self.issuer).unwrap();
        let mut config = config(&certificate, &key);
        config.alpn_protocols = protocols.iter().map(|name| name.as_bytes().to_vec()).collect();
        TlsAcceptor::from(Arc::new(config))
    }

    fn signs(&self, params: &CertificateParams) -> TlsAcceptor {
        let key = KeyPair::generate().unwrap();
        acceptor(&params.signed_by(&key, &self.issuer).unwrap(), &key)
    }
}

fn acceptor(certificate: &rcgen::Certificate, key: &KeyPair) -> TlsAcceptor {
    TlsAcceptor::from(Arc::new(config(certificate, key)))
}

fn config(certificate: &rcgen::Certificate, key: &KeyPair) -> ServerConfig {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let key = PrivateKeyDer::try_from(key.serialize_der()).unwrap();
    ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![certificate.der().clone()], key)
        .unwrap()
}

fn certificate_for(name: &str) -> CertificateParams {
    CertificateParams::new(vec![name.to_owned()]).unwrap()
}

async fn receiver(tls: TlsAcceptor) -> Receiver {
    let script =
        |mut peer: receiver::Peer| async move { while peer.request().await && peer.write(OK).await {} };
    Receiver::start(Some(tls), script).await
}

#[tokio::test]
async fn a_certificate_of_the_operators_authority_is_good_for_its_name() {
    let authority = Authority::new();
    let transport = authority.transport();
    for host in ["localhost", "127.0.0.1"] {
        let receiver = receiver(authority.signs(&certificate_for(host))).await;
        for _ in 0..2 {
            let outcome = send(&transport, &post("https", host, receiver.address.port())).await;
            assert!(outcome.is_success(), "{outcome:?}");
        }
        assert_eq!((receiver.connections(), receiver.requests().len()), (1, 2));
    }
}

#[tokio::test]
async fn each_bad_certificate_has_its_sentence_and_no_byte_of_the_payload_is_sent() {
    let authority = Authority::new();
    let mut expired = certificate_for("localhost");
    expired.not_after = date_time_ymd(2020, 1, 1);
    let mut future = certificate_for("localhost");
    future.not_before = date_time_ymd(4000, 1, 1);
    let key = KeyPair::generate().unwrap();
    let self_signed = certificate_for("localhost").self_signed(&key).unwrap();
    for (tls, sentence) in [
        (authority.signs(&expired), "has expired"),
        (authority.signs(&future), "is not valid yet"),
        (authority.signs(&certificate_for("example.com")), "is for another name"),
        (acceptor(&self_signed, &key), "self-signed or from an authority that is not trusted"),
        (Authority::new().signs(&certificate_for("localhost")), "self-signed or from an authority"),
    ] {
        let mut receiver = receiver(tls).await;
        let outcome =
            send(&authority.transport(), &post("https", "localhost", receiver.address.port())).await;
        let error = failed(outcome);
        assert_eq!(error.class, AttemptErrorClass::Tls);
        assert!(error.message.contains(sentence), "{}", error.message);
        receiver.connection_ended().await;
        assert_eq!((receiver.connections(), receiver.bytes()), (1, 0), "{sentence}");
    }
}

/// The answer of a receiver to our first message: its own with this version of TLS and a cipher suite of that time
/// (RFC 5246, 7.4.1.3).
fn server_hello(version: [u8; 2]) -> Vec<u8> {
    const AES_128_CBC_SHA: [u8; 2] = [0x00, 0x2f];
    let hello = [&version[..], &[7; 32], &[0], &AES_128_CBC_SHA, &[0]].concat();
    let message = [&[2, 0, 0, u8::try_from(hello.len()).unwrap()][..], &hello].concat();
    [&[22][..], &version, &[0, u8::try_from(message.len()).unwrap()], &message].concat()
}

#[tokio::test]
async fn a_receiver_with_an_old_version_of_tls_has_its_sentence_and_gets_no_byte_of_the_payload() {
    let too_new = [21, 3, 1, 0, 2, 2, 70];
    for answer in [server_hello([3, 1]), server_hello([3, 2]), too_new.to_vec()] {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let seen = tokio::spawn(async move {
            let (mut tcp, _) = listener.accept().await.unwrap();
            let mut bytes = vec![0; 4096];
            let read = tcp.read(&mut bytes).await.unwrap();
            bytes.truncate(read);
            tcp.write_all(&answer).await.unwrap();
            tcp.read_to_end(&mut bytes).await.unwrap();
            bytes
        });
        let transport = HttpTransport::new(&Options { tls_timeout: Duration::from_secs(10), ..options() });
        let error = failed(send(&transport.unwrap(), &post("https", "localhost", port)).await);
        assert_eq!(error.class, AttemptErrorClass::Tls);
        assert!(error.message.contains("TLS that is no longer safe"), "{}", error.message);
        let seen = seen.await.unwrap();
        assert_eq!(seen[0], 22, "a handshake, and after it at most an alert");
        for part in [BODY, "webhook-id"] {
            assert!(!seen.windows(part.len()).any(|window| window == part.as_bytes()), "{part}");
        }
    }
}

#[tokio::test]
async fn a_receiver_without_tls_is_a_tls_failure() {
    let receiver = Receiver::start(None, |mut peer| async move {
        peer.write("HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\n\r\n").await;
        peer.closed().await;
    })
    .await;
    let error = failed(send(&transport(), &post("https", "localhost", receiver.address.port())).await);
    assert_eq!(error.class, AttemptErrorClass::Tls);
    assert!(error.message.contains("no TLS 1.2 or 1.3 session"), "{}", error.message);
}

#[tokio::test]
async fn a_handshake_that_stalls_ends_with_the_tls_timeout() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let hello = tokio::spawn(async move {
        let (mut tcp, _) = listener.accept().await.unwrap();
        let mut bytes = Vec::new();
        tcp.read_to_end(&mut bytes).await.unwrap();
        bytes
    });
    let transport = HttpTransport::new(&Options { tls_timeout: SHORT, ..options() }).unwrap();
    let error = failed(send(&transport, &post("https", "localhost", port)).await);
    assert_eq!(error.class, AttemptErrorClass::TlsTimeout);
    let hello = hello.await.unwrap();
    assert!(!hello.windows(BODY.len()).any(|window| window == BODY.as_bytes()));
}

#[test]
fn a_file_of_authorities_that_has_none_is_named() {
    let empty = NamedTempFile::new().unwrap();
    let missing = empty.path().with_extension("missing");
    for path in [empty.path().to_owned(), missing] {
        let error = HttpTransport::new(&Options { ca_file: Some(path.clone()), ..options() }).unwrap_err();
        let error = error.to_string();
        assert!(error.contains("`deliver.ca_file`") && error.contains(&*path.to_string_lossy()), "{error}");
    }
}
