//! One POST on the wire: the seam [`Transport`], and [`HttpTransport`] behind it.
//!
//! Rules:
//!
//! - One call, one POST at most. A request is put on a second connection only when the first, an idle one, was found
//!   dead before any of it was written, and nothing else is ever sent again.
//! - Redirects are answers like any other; nothing is decompressed; no proxy settings are read.
//! - The time for the whole attempt covers everything to the last byte of the answer that is read.
//! - Each way to fail has its class and its sentence; the sentence never tells what is behind a refused target.

mod answer;
mod connect;
mod error;
mod pool;
mod resolve;
#[cfg(test)]
mod tests;
mod tls;

use std::future::Future;
use std::pin::Pin;
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Request, Response};
use http_body_util::Full;
use hyper::body::Incoming;
use tokio::time::{Instant, timeout_at};
use url::Position;

use self::connect::Connector;
use self::error::SendError;
use self::pool::{Connection, Pool};
use super::options::{Options, OptionsError};
use super::request::Post;
use crate::model::AttemptOutcome;

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

/// HTTP/1.1 over TCP and TLS, with connections kept open per origin.
#[derive(Debug)]
pub struct HttpTransport {
    connector: Connector,
    pool: Pool,
    timeout: Duration,
}

impl HttpTransport {
    /// A transport with these options. Reads the file of authorities, if there is one.
    ///
    /// # Errors
    /// A time limit is out of range, or the file of authorities cannot be used.
    pub fn new(options: &Options) -> Result<Self, OptionsError> {
        options.check()?;
        Ok(Self { connector: Connector::new(options)?, pool: Pool::default(), timeout: options.timeout })
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
        let mut request = request(post)?;
        while let Some(mut connection) = self.pool.take(origin(post)) {
            match respond(&mut connection, request, deadline).await {
                Ok(response) => return Ok((response, connection)),
                Err(Unanswered { unsent: Some(unsent), .. }) => request = *unsent,
                Err(Unanswered { error, .. }) => return Err(error),
            }
        }
        let stream = self.connector.connect(&post.url, deadline).await?;
        let mut connection = self.pool.open(origin(post), stream).await.map_err(SendError::Broken)?;
        match respond(&mut connection, request, deadline).await {
            Ok(response) => Ok((response, connection)),
            Err(Unanswered { error, .. }) => Err(error),
        }
    }
}

impl Transport for HttpTransport {
    fn send<'a>(&'a self, post: &'a Post) -> SendFuture<'a> {
        Box::pin(async move {
            let begun = Instant::now();
            let outcome = self.attempt(post, begun + post.timeout.unwrap_or(self.timeout)).await;
            let outcome = outcome.unwrap_or_else(|error| AttemptOutcome::Failed(error.into()));
            Sent { outcome, took: begun.elapsed() }
        })
    }
}

struct Unanswered {
    error: SendError,
    /// The request, if nothing of it was written.
    unsent: Option<Box<Request<Full<Bytes>>>>,
}

async fn respond(
    connection: &mut Connection,
    request: Request<Full<Bytes>>,
    deadline: Instant,
) -> Result<Response<Incoming>, Unanswered> {
    match timeout_at(deadline, connection.send(request)).await {
        Ok(Ok(response)) => Ok(response),
        Ok(Err(mut failed)) => {
            let unsent = failed.take_message().map(Box::new);
            Err(Unanswered { error: SendError::Broken(failed.into_error()), unsent })
        }
        Err(_) => Err(Unanswered { error: SendError::NoAnswer, unsent: None }),
    }
}

/// What a connection belongs to: scheme, host and port, in the one spelling of the URL's parser.
fn origin(post: &Post) -> &str {
    &post.url[..Position::BeforePath]
}

fn request(post: &Post) -> Result<Request<Full<Bytes>>, SendError> {
    let path = &post.url[Position::BeforePath..Position::AfterQuery];
    let mut request = Request::post(path).body(Full::new(post.body.clone()))?;
    let mut headers = HeaderMap::with_capacity(post.headers.len());
    for header in &post.headers {
        let name = HeaderName::from_bytes(header.name.as_bytes()).map_err(http::Error::from)?;
        let value = HeaderValue::from_bytes(&header.value).map_err(http::Error::from)?;
        headers.append(name, value);
    }
    *request.headers_mut() = headers;
    Ok(request)
}
