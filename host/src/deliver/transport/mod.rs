//! One POST on the wire: the seam [`Transport`], and [`HttpTransport`] behind it.
//!
//! Rules:
//!
//! - One call, one POST at most. A request is put on a second connection only when the first, one that was open before,
//!   was found dead before any of it was written, and nothing else is ever sent again.
//! - HTTP/2 is spoken with receivers that choose it in the TLS handshake, HTTP/1.1 with all others.
//! - Redirects are answers like any other; nothing is decompressed; no proxy settings are read.
//! - The time for the whole attempt covers everything to the last byte of the answer that is read.
//! - Each way to fail has its class and its sentence; the sentence never tells what is behind a refused target.

mod answer;
mod client;
mod connect;
mod error;
mod pool;
mod resolve;
#[cfg(test)]
mod tests;
mod tls;

use std::borrow::Cow;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use bytes::Bytes;
use http::header::HOST;
use http::{HeaderMap, HeaderName, HeaderValue, Request, Response, Version};
use http_body_util::Full;
use hyper::body::Incoming;
use tokio::time::{Instant, timeout_at};
use url::Position;

pub use self::client::{Client, ClientError, ClientRequest};
use self::connect::Connector;
use self::error::SendError;
use self::pool::{Connection, Counts, Found, Opened, Pool, Turn};
use super::options::{Options, OptionsError};
use super::request::Post;
use crate::metrics::Metrics;
use crate::model::{AttemptError, AttemptOutcome};

/// What a [`Transport`] returns.
pub type SendFuture<'a> = Pin<Box<dyn Future<Output = Sent> + Send + 'a>>;

/// Sends one POST. Cheap to call from many tasks at once.
pub trait Transport: Send + Sync + 'static {
    /// Sends it once and reads the answer. Dropping the future closes the connection.
    fn send<'a>(&'a self, post: &'a Post) -> SendFuture<'a>;
}

/// What came of a POST.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sent {
    /// The answer, or why there is none.
    pub outcome: AttemptOutcome,
    /// From the first byte of work (name resolution) to the last byte of the answer that was read.
    pub took: Duration,
}

/// HTTP/1.1 and HTTP/2 over TCP and TLS, with connections kept open per origin.
#[derive(Debug)]
pub struct HttpTransport {
    line: Arc<ArcSwap<Line>>,
    counts: Counts,
}

/// What attempts are made with that begin while some options hold.
#[derive(Debug)]
struct Line {
    connector: Connector,
    pool: Pool,
    http2: bool,
    timeout: Duration,
}

impl HttpTransport {
    /// A transport with these options. Reads the file of authorities, if there is one.
    ///
    /// # Errors
    /// A time limit is out of range, or the file of authorities cannot be used.
    pub fn new(options: &Options) -> Result<Self, OptionsError> {
        let counts = Counts::default();
        let line = Line::new(options, counts.clone())?;
        Ok(Self { line: Arc::new(ArcSwap::from_pointee(line)), counts })
    }

    /// What has attempts that begin then made with these options, over new connections: the guard lets through what they say, and the files
    /// of authorities and names are read again, now. Those under way end as they began.
    ///
    /// # Errors
    /// As [`HttpTransport::new`].
    pub fn prepare(&self, options: &Options) -> Result<impl FnOnce(), OptionsError> {
        let line = Arc::new(Line::new(options, self.counts.clone())?);
        Ok(|| self.line.store(line))
    }

    /// Has these metrics tell of its connections.
    pub fn count_in(&self, metrics: &Metrics) {
        let (line, counts) = (Arc::clone(&self.line), self.counts.clone());
        metrics.register(
            "receiver_connections_opened",
            "Connections to receivers that were opened",
            counts.opened,
        );
        let help = "Connections to receivers that are open, idle ones included";
        metrics.register("receiver_connections", help, counts.open);
        let help = "Connections to receivers that carry no request";
        metrics.ask(move |readings| {
            readings.gauge("receiver_idle_connections", help, line.load().pool.idle() as f64)
        });
    }
}

impl Line {
    fn new(options: &Options, counts: Counts) -> Result<Self, OptionsError> {
        options.check()?;
        let (connector, pool) = (Connector::new(options)?, Pool::counted_by(counts));
        Ok(Self { connector, pool, http2: options.http2, timeout: options.timeout })
    }

    async fn attempt(&self, post: &Post, deadline: Instant) -> Result<AttemptOutcome, SendError> {
        let (response, connection) = self.exchange(post, deadline).await?;
        let answer = answer::read(response, deadline).await?;
        if answer.complete {
            self.pool.put(origin(post), connection).await;
        }
        Ok(answer.outcome)
    }

    /// Sends the request and waits for the head of the answer.
    async fn exchange(
        &self,
        post: &Post,
        deadline: Instant,
    ) -> Result<(Response<Incoming>, Connection), SendError> {
        loop {
            let (mut connection, is_new) = self.connection(post, deadline).await?;
            let request = request(post, connection.version())?;
            match respond(&mut connection, request, deadline).await {
                Ok(response) => return Ok((response, connection)),
                Err(Unanswered { is_unsent: true, .. }) if !is_new => {}
                Err(Unanswered { error, .. }) => return Err(error),
            }
        }
    }

    /// A connection to the target, and whether it is a new one.
    async fn connection(&self, post: &Post, deadline: Instant) -> Result<(Connection, bool), SendError> {
        let origin = origin(post);
        if !self.http2 || post.url.scheme() == "http" {
            return match self.pool.take(origin) {
                Some(connection) => Ok((connection, false)),
                None => Ok((self.connect(post, deadline).await?, true)),
            };
        }
        loop {
            let waiting = match self.pool.find(origin) {
                Found::Connection(connection) => return Ok((connection, false)),
                Found::Turn(turn) => return Ok((self.connect_for_all(post, turn, deadline).await?, true)),
                Found::Waiting(waiting) => waiting,
            };
            match timeout_at(deadline, waiting.found()).await.map_err(|_| SendError::NoConnection)? {
                Some(Opened::Failed(error)) => return Err(SendError::Shared(error)),
                Some(Opened::Alone) => return Ok((self.connect(post, deadline).await?, true)),
                Some(Opened::Shared) | None => {}
            }
        }
    }

    async fn connect(&self, post: &Post, deadline: Instant) -> Result<Connection, SendError> {
        let wire = self.connector.connect(&post.url, deadline).await?;
        self.pool.open(origin(post), wire).await.map_err(SendError::Broken)
    }

    /// Connects, and tells the others. That the time for this attempt ended says nothing about theirs.
    async fn connect_for_all(
        &self,
        post: &Post,
        turn: Turn,
        deadline: Instant,
    ) -> Result<Connection, SendError> {
        match self.connect(post, deadline).await {
            Ok(connection) => {
                let is_shared = connection.version() == Version::HTTP_2;
                turn.end(if is_shared { Opened::Shared } else { Opened::Alone });
                Ok(connection)
            }
            Err(error) if Instant::now() < deadline => {
                let error = AttemptError::from(error);
                turn.end(Opened::Failed(error.clone()));
                Err(SendError::Shared(error))
            }
            Err(error) => Err(error),
        }
    }
}

impl Transport for HttpTransport {
    fn send<'a>(&'a self, post: &'a Post) -> SendFuture<'a> {
        Box::pin(async move {
            let begun = Instant::now();
            let line = self.line.load_full();
            let outcome = line.attempt(post, begun + post.timeout.unwrap_or(line.timeout)).await;
            let outcome = outcome.unwrap_or_else(|error| AttemptOutcome::Failed(error.into()));
            Sent { outcome, took: begun.elapsed() }
        })
    }
}

struct Unanswered {
    error: SendError,
    /// Whether nothing of the request was written.
    is_unsent: bool,
}

async fn respond(
    connection: &mut Connection,
    request: Request<Full<Bytes>>,
    deadline: Instant,
) -> Result<Response<Incoming>, Unanswered> {
    match timeout_at(deadline, connection.send(request)).await {
        Ok(Ok(response)) => Ok(response),
        Ok(Err(mut failed)) => {
            let is_unsent = failed.take_message().is_some();
            Err(Unanswered { error: SendError::Broken(failed.into_error()), is_unsent })
        }
        Err(_) => Err(Unanswered { error: SendError::NoAnswer, is_unsent: false }),
    }
}

/// What a connection belongs to: scheme, host and port, in the one spelling of the URL's parser.
fn origin(post: &Post) -> &str {
    &post.url[..Position::BeforePath]
}

fn request(post: &Post, version: Version) -> Result<Request<Full<Bytes>>, SendError> {
    let is_http2 = version == Version::HTTP_2;
    let begin = if is_http2 { Position::BeforeScheme } else { Position::BeforePath };
    let target = &post.url[begin..Position::AfterQuery];
    let mut request = Request::post(target).version(version).body(Full::new(post.body.clone()))?;
    let mut headers = HeaderMap::with_capacity(post.headers.len());
    for header in &post.headers {
        let name = match &header.name {
            Cow::Borrowed(ours) => HeaderName::from_static(ours),
            Cow::Owned(name) => HeaderName::from_bytes(name.as_bytes()).map_err(http::Error::from)?,
        };
        let value = HeaderValue::from_maybe_shared(header.value.clone()).map_err(http::Error::from)?;
        // RFC 9113, 8.3.1: the host is in the target.
        if !(is_http2 && name == HOST) {
            headers.append(name, value);
        }
    }
    *request.headers_mut() = headers;
    Ok(request)
}
