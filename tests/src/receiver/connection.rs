//! The receiver's connections: HTTP/1.1 by hyper, with a way to break them.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::task::{Context, Poll};

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt, Full};
use hyper::body::{Body, Frame, Incoming, SizeHint};
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tokio::time::Instant;

use super::{Answer, Received, Records, Reply};

/// Accepts until it is aborted; its connections end with it.
pub(super) async fn accept(listener: TcpListener, records: Arc<Records>) {
    let mut connections = JoinSet::new();
    while let Ok((stream, _)) = listener.accept().await {
        records.connections.fetch_add(1, Ordering::Relaxed);
        connections.spawn(serve(stream, Arc::clone(&records)));
        while connections.try_join_next().is_some() {}
    }
}

async fn serve(stream: TcpStream, records: Arc<Records>) -> io::Result<()> {
    let (stream, twin) = duplicate(stream)?;
    let twin = Arc::new(twin);
    let service = service_fn(move |request| answer(request, Arc::clone(&records), Arc::clone(&twin)));
    // A connection that the other side breaks is part of what is tested.
    let _ended =
        hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(stream), service).await;
    Ok(())
}

/// A second handle of the socket, because hyper owns the first: a reset needs `SO_LINGER` set from inside the service.
fn duplicate(stream: TcpStream) -> io::Result<(TcpStream, TcpStream)> {
    stream.set_nodelay(true)?;
    let stream = stream.into_std()?;
    let twin = TcpStream::from_std(stream.try_clone()?)?;
    Ok((TcpStream::from_std(stream)?, twin))
}

async fn answer(
    request: Request<Incoming>,
    records: Arc<Records>,
    socket: Arc<TcpStream>,
) -> io::Result<Response<Sent>> {
    let (head, body) = request.into_parts();
    let body = body.collect().await.map_err(io::Error::other)?.to_bytes();
    let path = head.uri.path_and_query().map(ToString::to_string).unwrap_or_default();
    let received = Received { path, method: head.method, headers: head.headers, body, at: Instant::now() };
    match records.record(received) {
        Answer::Reply(reply) => send(reply).await,
        Answer::Hang => std::future::pending().await,
        Answer::Half | Answer::GoAway => Ok(Response::new(Half { begun: false }.boxed_unsync())),
        Answer::Reset => {
            socket.set_zero_linger()?;
            Err(io::ErrorKind::ConnectionReset.into())
        }
    }
}

async fn send(reply: Reply) -> io::Result<Response<Sent>> {
    tokio::time::sleep(reply.delay).await;
    let mut response = Response::builder().status(reply.status);
    for (name, value) in reply.headers {
        response = response.header(name, value);
    }
    let body = Full::new(reply.body).map_err(|never| match never {});
    response.body(body.boxed_unsync()).map_err(io::Error::other)
}

/// The body of an answer.
type Sent = UnsyncBoxBody<Bytes, io::Error>;

/// A body that says it has ten bytes, has four, and breaks.
struct Half {
    begun: bool,
}

impl Body for Half {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<io::Result<Frame<Bytes>>>> {
        if std::mem::replace(&mut self.begun, true) {
            return Poll::Ready(Some(Err(io::ErrorKind::BrokenPipe.into())));
        }
        context.waker().wake_by_ref();
        Poll::Ready(Some(Ok(Frame::data(Bytes::from_static(b"half")))))
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(if self.begun { 6 } else { 10 })
    }
}
