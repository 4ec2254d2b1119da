//! HTTP/1.1 in, the same for the receiver and the bare forwarder: hyper, without anything around it.

use std::convert::Infallible;
use std::sync::Arc;

use anyhow::Result;
use bytes::Bytes;
use http::{Request, Response};
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::net::TcpListener;

/// Answers one request. Whatever goes wrong is an answer too.
pub(crate) trait Answer: Send + Sync + 'static {
    fn answer(&self, request: Request<Incoming>) -> impl Future<Output = Response<Full<Bytes>>> + Send;
}

/// Answers every request of every connection until the task is aborted.
pub(crate) async fn serve<A: Answer>(listener: TcpListener, answerer: Arc<A>) -> Result<()> {
    loop {
        let (stream, _) = listener.accept().await?;
        stream.set_nodelay(true)?;
        let answerer = Arc::clone(&answerer);
        tokio::spawn(async move {
            let service = service_fn(|request| {
                let answerer = Arc::clone(&answerer);
                async move { Ok::<_, Infallible>(answerer.answer(request).await) }
            });
            // A connection that the other side ends is the usual end.
            let _ended = http1::Builder::new().serve_connection(TokioIo::new(stream), service).await;
        });
    }
}

/// An answer without a body.
pub(crate) fn empty(status: http::StatusCode) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::default());
    *response.status_mut() = status;
    response
}
