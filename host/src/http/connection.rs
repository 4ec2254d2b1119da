//! One HTTP/1.1 connection, from its first byte to its close.

use std::convert::Infallible;
use std::future::{Future, pending, poll_fn, ready};
use std::io;
use std::pin::Pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use axum::response::{IntoResponse as _, Response};
use http::header::{CONNECTION, CONTENT_SECURITY_POLICY, HOST, TRANSFER_ENCODING, X_CONTENT_TYPE_OPTIONS};
use http::{HeaderValue, Request, StatusCode, Version};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tower_service::Service as _;

use super::body::Timed;
use super::heads::{Seen, Watched};
use super::stall::WriteLimited;
use super::{Front, Options, Peer, Problem};
use crate::alarm::Alarm;
use crate::shutdown::Shutdown;

/// A request needs ten or so; proxies add a few.
const MAX_HEADERS: usize = 64;
/// Request line and headers together.
const MAX_HEADER_BYTES: usize = 16 * 1024;
/// What is read ahead of a connection at most.
const MAX_READ_AHEAD: usize = 64 * 1024;
/// For how long a client that still sends is listened to after the last answer.
const LINGER: Duration = Duration::from_secs(2);
/// How much of a body that is not wanted is read at most, before and after the answer.
const MAX_UNWANTED: usize = 1024 * 1024;
/// Of answers that are looked at in a browser: nothing in them is run, loaded, or shown within another page.
const NOTHING: HeaderValue = HeaderValue::from_static("default-src 'none'; frame-ancestors 'none'");

type Answer = Result<Response, Infallible>;

/// The router behind the checks that hyper leaves to us, for one connection.
pub(super) struct Guarded {
    front: Front,
    body_timeout: Duration,
    peer: Peer,
    seen: Seen,
    requests: AtomicUsize,
}

impl Guarded {
    /// For the connection from this address.
    pub(super) fn new(front: Front, options: &Options, peer: Peer) -> Self {
        let body_timeout = options.body_timeout;
        Self { front, body_timeout, peer, seen: Seen::default(), requests: AtomicUsize::new(0) }
    }
}

impl hyper::service::Service<Request<Incoming>> for Guarded {
    type Response = Response;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Answer> + Send>>;

    fn call(&self, request: Request<Incoming>) -> Self::Future {
        let asked = self.front.traffic().asked(request.method(), request.uri().path());
        let is_counted = self.requests.fetch_add(1, Ordering::Relaxed) < self.seen.heads();
        if let Some(problem) = objection(&request, is_counted) {
            asked.answered(problem.status());
            return Box::pin(ready(Ok(closing(safe(problem.into_response())))));
        }
        let is_last = request.headers().contains_key(TRANSFER_ENCODING);
        let mut request = request.map(|body| Timed::new(body, self.body_timeout));
        let body_ended = request.body().ended();
        request.extensions_mut().insert(self.peer);
        let answering = self.front.router().call(request);
        // What is left of a body that was refused stands where the next request would begin. The client is told, or it
        // would send its next request into a connection that closes.
        Box::pin(async move {
            let response = safe(answering.await?);
            asked.answered(response.status());
            Ok(if is_last || !body_ended.is_true() { closing(response) } else { response })
        })
    }
}

/// Serves the requests of a connection until either side closes it; at shutdown, after the one in flight.
pub(super) async fn drive(stream: TcpStream, service: Guarded, options: &Options, shutdown: &Shutdown) {
    let seen = service.seen.clone();
    let io = TokioIo::new(WriteLimited::new(Watched::new(stream, seen.clone()), options.write_timeout));
    let mut connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(options.header_timeout)
        .max_header_size(MAX_HEADER_BYTES)
        .max_buf_size(MAX_READ_AHEAD)
        .serve_connection(io, service);
    let (mut stop, mut stopping) = (Alarm::new(shutdown.requested()), false);
    let served = poll_fn(|context| {
        if !stopping && stop.poll(context).is_ready() {
            stopping = true;
            Pin::new(&mut connection).graceful_shutdown();
        }
        connection.poll_without_shutdown(context)
    });
    match served.await {
        Ok(()) if !stopping => {
            let unread = MAX_UNWANTED.saturating_sub(seen.since_head());
            linger(connection.into_parts().io.into_inner(), unread as u64).await;
        }
        Ok(()) => {}
        // A client that vanishes or talks nonsense is no event of ours.
        Err(error) => tracing::debug!(%error, "a connection ended early"),
    }
}

/// Closes without cutting off the answer: to close a socket that has unread bytes resets it, and the reset can
/// overtake the answer, so that a client whose body is refused early would see a broken connection instead of the 413.
/// So the client is listened to, for this many bytes; what it sends then stays unread while the answer gets its time.
async fn linger(mut stream: WriteLimited<Watched<TcpStream>>, limit: u64) {
    let drain = async {
        stream.shutdown().await?;
        let read = tokio::io::copy(&mut (&mut stream).take(limit), &mut tokio::io::sink()).await?;
        if read == limit {
            pending::<()>().await;
        }
        io::Result::Ok(())
    };
    // However it ends, the connection is over.
    let _ = tokio::time::timeout(LINGER, drain).await;
}

fn closing(mut response: Response) -> Response {
    response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
    response
}

/// Events, endpoints and receivers are full of the text of strangers: no browser takes it for anything but what its type
/// says. A page that shows more says itself what it needs.
fn safe(mut response: Response) -> Response {
    let headers = response.headers_mut();
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.entry(CONTENT_SECURITY_POLICY).or_insert(NOTHING);
    response
}

/// Why a request is not answered, if it is not. `is_counted` says whether its head can be read in one way only.
fn objection<B>(request: &Request<B>, is_counted: bool) -> Option<Problem> {
    if request.headers().len() > MAX_HEADERS {
        let detail = format!("a request may have at most {MAX_HEADERS} headers");
        return Some(Problem::new(StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE, "too_many_headers", detail));
    }
    // RFC 9112, section 3.2: exactly one `Host`, which only HTTP/1.0 may leave out.
    let hosts = request.headers().get_all(HOST).iter().count();
    if hosts > 1 || (hosts == 0 && request.version() != Version::HTTP_10) {
        return Some(Problem::malformed("an HTTP/1.1 request has exactly one `Host` header"));
    }
    (!is_counted).then(|| {
        Problem::malformed(
            "the head of a request has lines that end in CRLF, and one `Content-Length` or one `Transfer-Encoding`, \
             not both",
        )
    })
}
