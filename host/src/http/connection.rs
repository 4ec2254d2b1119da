//! One HTTP/1.1 connection, from its first byte to its close.

use std::convert::Infallible;
use std::future::{Future, poll_fn, ready};
use std::pin::Pin;
use std::time::Duration;

use axum::Router;
use axum::response::{IntoResponse as _, Response};
use http::header::{CONNECTION, HOST};
use http::{HeaderValue, Request, StatusCode, Version};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpStream;
use tower_service::Service as _;

use super::body::Timed;
use super::stall::WriteLimited;
use super::{Options, Peer, Problem};
use crate::shutdown::Shutdown;

/// A request needs ten or so; proxies add a few.
const MAX_HEADERS: usize = 64;
/// Request line and headers together.
const MAX_HEADER_BYTES: usize = 16 * 1024;
/// What is read ahead of a connection at most.
const MAX_READ_AHEAD: usize = 64 * 1024;
/// For how long a client that still sends is listened to after the last answer.
const LINGER: Duration = Duration::from_secs(2);

type Answer = Result<Response, Infallible>;

/// The router behind the checks that hyper leaves to us.
#[derive(Clone)]
pub(super) struct Guarded {
    router: Router,
    body_timeout: Duration,
    peer: Option<Peer>,
}

impl Guarded {
    pub(super) fn new(router: Router, options: &Options) -> Self {
        Self { router, body_timeout: options.body_timeout, peer: None }
    }

    /// The same for the connection from this address.
    pub(super) fn for_peer(&self, peer: Peer) -> Self {
        Self { peer: Some(peer), ..self.clone() }
    }
}

impl hyper::service::Service<Request<Incoming>> for Guarded {
    type Response = Response;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Answer> + Send>>;

    fn call(&self, request: Request<Incoming>) -> Self::Future {
        if let Some(problem) = objection(&request) {
            let mut response = problem.into_response();
            response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
            return Box::pin(ready(Ok(response)));
        }
        let mut request = request.map(|body| Timed::new(body, self.body_timeout));
        if let Some(peer) = self.peer {
            request.extensions_mut().insert(peer);
        }
        Box::pin(self.router.clone().call(request))
    }
}

/// Serves the requests of a connection until either side closes it; at shutdown, after the one in flight.
pub(super) async fn drive(stream: TcpStream, service: Guarded, options: &Options, shutdown: &Shutdown) {
    let io = TokioIo::new(WriteLimited::new(stream, options.write_timeout));
    let mut connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(options.header_timeout)
        .max_header_size(MAX_HEADER_BYTES)
        .max_buf_size(MAX_READ_AHEAD)
        .serve_connection(io, service);
    let mut stopping = false;
    let served = loop {
        tokio::select! {
            served = poll_fn(|context| connection.poll_without_shutdown(context)) => break served,
            () = shutdown.requested(), if !stopping => {
                stopping = true;
                Pin::new(&mut connection).graceful_shutdown();
            }
        }
    };
    match served {
        Ok(()) if !stopping => linger(connection.into_parts().io.into_inner()).await,
        Ok(()) => {}
        // A client that vanishes or talks nonsense is no event of ours.
        Err(error) => tracing::debug!(%error, "a connection ended early"),
    }
}

/// Closes without cutting off the answer: to close a socket that has unread bytes resets it, and the reset can
/// overtake the answer, so that a client whose body is refused early would see a broken connection instead of the 413.
async fn linger(mut stream: WriteLimited<TcpStream>) {
    let drain = async {
        stream.shutdown().await?;
        tokio::io::copy(&mut stream, &mut tokio::io::sink()).await
    };
    // However it ends, the connection is over.
    let _ = tokio::time::timeout(LINGER, drain).await;
}

fn objection<B>(request: &Request<B>) -> Option<Problem> {
    if request.headers().len() > MAX_HEADERS {
        let detail = format!("a request may have at most {MAX_HEADERS} headers");
        return Some(Problem::new(StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE, "too_many_headers", detail));
    }
    // RFC 9112, section 3.2: exactly one `Host`, which only HTTP/1.0 may leave out.
    let hosts = request.headers().get_all(HOST).iter().count();
    if hosts > 1 || (hosts == 0 && request.version() != Version::HTTP_10) {
        return Some(Problem::malformed("an HTTP/1.1 request has exactly one `Host` header"));
    }
    None
}
