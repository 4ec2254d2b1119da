//! The receiver's HTTP/2 over TLS, with an authority of its own.

use std::io::Write as _;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use anyhow::{Context, Result};
use bytes::Bytes;
use h2::server::{Connection, SendResponse};
use h2::{Reason, RecvStream};
use http::{Request, Response};
use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use rustls::ServerConfig;
use rustls::pki_types::PrivateKeyDer;
use tempfile::NamedTempFile;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tokio::time::Instant;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

use super::{Answer, Received, Records};

/// Who vouches for the receiver.
#[derive(Debug)]
pub(super) struct Authority(NamedTempFile);

impl Authority {
    /// A new one, and TLS for `localhost` with its certificate.
    pub(super) fn new() -> Result<(Self, TlsAcceptor)> {
        let mut params = CertificateParams::new(Vec::new())?;
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate()?;
        let mut file = NamedTempFile::new()?;
        file.write_all(params.self_signed(&key)?.pem().as_bytes())?;
        let issuer = Issuer::new(params, key);
        let key = KeyPair::generate()?;
        let certificate = CertificateParams::new(vec!["localhost".to_owned()])?.signed_by(&key, &issuer)?;
        let key = PrivateKeyDer::try_from(key.serialize_der()).map_err(anyhow::Error::msg)?;
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let mut config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()?
            .with_no_client_auth()
            .with_single_cert(vec![certificate.der().clone()], key)?;
        config.alpn_protocols = vec![b"h2".to_vec()];
        Ok((Self(file), TlsAcceptor::from(Arc::new(config))))
    }

    /// Its certificate.
    pub(super) fn file(&self) -> &Path {
        self.0.path()
    }
}

/// Accepts until it is aborted; its connections end with it.
pub(super) async fn accept(listener: TcpListener, tls: TlsAcceptor, records: Arc<Records>) {
    let mut connections = JoinSet::new();
    while let Ok((stream, _)) = listener.accept().await {
        records.connections.fetch_add(1, Ordering::Relaxed);
        connections.spawn(serve(stream, tls.clone(), Arc::clone(&records)));
        while connections.try_join_next().is_some() {}
    }
}

async fn serve(stream: TcpStream, tls: TlsAcceptor, records: Arc<Records>) -> Result<()> {
    stream.set_nodelay(true)?;
    let mut connection = h2::server::handshake(tls.accept(stream).await?).await?;
    let mut answering = JoinSet::new();
    loop {
        tokio::select! {
            accepted = connection.accept() => {
                let (request, respond) = accepted.context("the connection has ended")??;
                answering.spawn(answer(request, respond, Arc::clone(&records)));
            }
            Some(answered) = answering.join_next() => {
                if matches!(answered, Ok(Ok(true))) {
                    return abandon(connection).await;
                }
            }
        }
    }
}

/// GOAWAY for all that is under way.
async fn abandon(mut connection: Connection<TlsStream<TcpStream>, Bytes>) -> Result<()> {
    connection.abrupt_shutdown(Reason::NO_ERROR);
    while let Some(accepted) = connection.accept().await {
        accepted?;
    }
    Ok(())
}

/// Answers a request; true if the whole connection is to end.
async fn answer(
    request: Request<RecvStream>,
    mut respond: SendResponse<Bytes>,
    records: Arc<Records>,
) -> Result<bool> {
    let (head, mut body) = request.into_parts();
    let mut bytes = Vec::new();
    while let Some(data) = body.data().await {
        let data = data?;
        body.flow_control().release_capacity(data.len())?;
        bytes.extend_from_slice(&data);
    }
    let path = head.uri.path_and_query().map(ToString::to_string).unwrap_or_default();
    let body = bytes.into();
    let received = Received { path, method: head.method, headers: head.headers, body, at: Instant::now() };
    match records.record(received) {
        Answer::Reply(reply) => {
            tokio::time::sleep(reply.delay).await;
            let mut response = Response::builder().status(reply.status);
            for (name, value) in reply.headers {
                response = response.header(name, value);
            }
            respond.send_response(response.body(())?, false)?.send_data(reply.body, true)?;
        }
        Answer::Hang => {
            std::future::poll_fn(|context| respond.poll_reset(context)).await?;
        }
        Answer::Reset => respond.send_reset(Reason::REFUSED_STREAM),
        Answer::Half => {
            let mut body = respond.send_response(Response::new(()), false)?;
            body.send_data("half".into(), false)?;
            body.send_reset(Reason::INTERNAL_ERROR);
        }
        Answer::GoAway => return Ok(true),
    }
    Ok(false)
}
