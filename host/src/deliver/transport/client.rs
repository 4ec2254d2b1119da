//! Requests that are no deliveries, over the same guard, names and TLS: those of plugins.
//!
//! One call, one request at most, over HTTP/1.1. The answer is read to its end before it is handed over; one that is larger than
//! it may be, or not there in time, is an error, and its connection is closed.

use std::fmt;
use std::sync::Arc;

use arc_swap::ArcSwap;
use bytes::{Bytes, BytesMut};
use http::header::HOST;
use http::{HeaderMap, HeaderValue, Method, Request, Response};
use http_body_util::{BodyExt as _, Full};
use tokio::time::{Instant, timeout_at};
use url::{Position, Url};

use super::connect::Connector;
use super::error::SendError;
use super::pool::{Connection, Pool};
use super::{Unanswered, respond};
use crate::deliver::options::{Options, OptionsError};
use crate::model::AttemptError;

/// A request and what its answer may take.
#[derive(Debug, Clone)]
pub struct ClientRequest {
    /// The method.
    pub method: Method,
    /// To where. The `host` header is made from it.
    pub url: Url,
    /// All other headers.
    pub headers: HeaderMap,
    /// The body.
    pub body: Bytes,
    /// Until when the whole answer has to be there.
    pub deadline: Instant,
    /// The largest body of an answer.
    pub max_response_bytes: usize,
}

/// Why there is no answer.
#[derive(Debug)]
pub enum ClientError {
    /// As an attempt of a delivery fails.
    Failed(AttemptError),
    /// The body of the answer is larger than it may be.
    TooLarge,
}

/// Sends requests. Connections are kept open per origin, apart from those of deliveries.
pub struct Client(ArcSwap<Line>);

/// What requests are sent with that begin while some options hold.
struct Line {
    connector: Connector,
    pool: Pool,
}

impl Client {
    /// A client with the options of deliveries. Their time limits for connecting hold; that for the whole comes with each request.
    ///
    /// # Errors
    /// The file of authorities or the DNS servers cannot be used.
    pub fn new(options: &Options) -> Result<Self, OptionsError> {
        Ok(Self(ArcSwap::from_pointee(Line::new(options)?)))
    }

    /// What has requests that begin then sent with these options, over new connections.
    ///
    /// # Errors
    /// As [`Client::new`].
    pub fn prepare(&self, options: &Options) -> Result<impl FnOnce(), OptionsError> {
        let line = Arc::new(Line::new(options)?);
        Ok(|| self.0.store(line))
    }

    /// Sends it once and reads the answer.
    ///
    /// # Errors
    /// The guard refuses the target, there is no complete answer in time, or it is too large.
    pub async fn send(&self, request: ClientRequest) -> Result<Response<Bytes>, ClientError> {
        let ClientRequest { method, url, headers, body, deadline, max_response_bytes } = request;
        let (line, origin) = (self.0.load_full(), &url[..Position::BeforePath]);
        let (response, connection) = loop {
            let (mut connection, is_new) = line.connection(&url, deadline).await?;
            let request = written(&method, &url, &headers, &body)?;
            match respond(&mut connection, request, deadline).await {
                Ok(response) => break (response, connection),
                Err(Unanswered { is_unsent: true, .. }) if !is_new => {}
                Err(Unanswered { error, .. }) => return Err(error.into()),
            }
        };
        let (head, mut body) = response.into_parts();
        let status = head.status.as_u16();
        let mut whole = BytesMut::new();
        loop {
            let frame = match timeout_at(deadline, body.frame()).await {
                Ok(None) => break,
                Ok(Some(Ok(frame))) => frame,
                Ok(Some(Err(source))) => return Err(SendError::BodyBroken { status, source }.into()),
                Err(_) => return Err(SendError::BodyTimeout { status }.into()),
            };
            let Ok(data) = frame.into_data() else { continue };
            if whole.len() + data.len() > max_response_bytes {
                return Err(ClientError::TooLarge);
            }
            whole.extend_from_slice(&data);
        }
        line.pool.put(origin, connection).await;
        Ok(Response::from_parts(head, whole.freeze()))
    }
}

impl Line {
    fn new(options: &Options) -> Result<Self, OptionsError> {
        let options = Options { http2: false, ..options.clone() };
        Ok(Self { connector: Connector::new(&options)?, pool: Pool::default() })
    }

    /// A connection to the origin, and whether it is a new one.
    async fn connection(&self, url: &Url, deadline: Instant) -> Result<(Connection, bool), SendError> {
        let origin = &url[..Position::BeforePath];
        if let Some(connection) = self.pool.take(origin) {
            return Ok((connection, false));
        }
        let wire = self.connector.connect(url, deadline).await?;
        let opened = self.pool.open(origin, wire).await;
        opened.map(|connection| (connection, true)).map_err(SendError::Broken)
    }
}

fn written(
    method: &Method,
    url: &Url,
    headers: &HeaderMap,
    body: &Bytes,
) -> Result<Request<Full<Bytes>>, SendError> {
    let target = &url[Position::BeforePath..Position::AfterQuery];
    let mut request = Request::builder().method(method).uri(target).body(Full::new(body.clone()))?;
    let host = HeaderValue::from_str(&url[Position::BeforeHost..Position::AfterPort]);
    *request.headers_mut() = headers.clone();
    request.headers_mut().insert(HOST, host.map_err(http::Error::from)?);
    Ok(request)
}

impl From<SendError> for ClientError {
    fn from(error: SendError) -> Self {
        Self::Failed(error.into())
    }
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client").field("connector", &self.0.load().connector).finish_non_exhaustive()
    }
}
