//! A receiver on loopback that speaks HTTP/2 and does with each request what the test says.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use h2::server::{Builder, SendResponse};
use h2::{Reason, RecvStream};
use http::{HeaderMap, Request, Response};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Notify;
use tokio::task::JoinSet;
use tokio_rustls::TlsAcceptor;
use tokio_util::task::AbortOnDropHandle;

/// What happens to a request.
pub(super) enum Action {
    /// This status and body.
    Answer(u16, Bytes),
    /// The same once the test opens this gate.
    Later(Arc<Notify>),
    /// No answer.
    Hang,
    /// RST_STREAM.
    Reset(Reason),
    /// 200, and the receiver wants to end the connection.
    GoAway,
    /// GOAWAY for this reason, at once and for all requests.
    Abort(Reason),
    /// 200 and a body that does not end.
    Endless,
    /// 200, a body, and no end of it.
    Half,
    /// 200 and these headers.
    Headers(HeaderMap),
    /// 103 Early Hints again and again.
    Hints,
}

/// Accepts connections, one task for each.
pub(super) struct Http2Receiver {
    pub(super) address: SocketAddr,
    seen: Arc<Seen>,
    _task: AbortOnDropHandle<()>,
}

#[derive(Default)]
struct Seen {
    connections: AtomicUsize,
    open: AtomicUsize,
    requests: Mutex<Vec<(Request<()>, Bytes)>>,
    changed: Notify,
}

impl Http2Receiver {
    /// A receiver that asks the script about each request: the number of its connection and its own on it, from 0.
    pub(super) async fn start<F>(tls: TlsAcceptor, max_streams: u32, script: F) -> Self
    where
        F: Fn(usize, usize) -> Action + Send + Sync + 'static,
    {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let (address, seen) = (listener.local_addr().unwrap(), Arc::new(Seen::default()));
        let (kept, script) = (Arc::clone(&seen), Arc::new(script));
        let task = tokio::spawn(async move {
            let mut connections = JoinSet::new();
            while let Ok((tcp, _)) = listener.accept().await {
                let (seen, script, tls) = (Arc::clone(&kept), Arc::clone(&script), tls.clone());
                let number = seen.connections.fetch_add(1, Ordering::SeqCst);
                connections.spawn(async move {
                    seen.open.fetch_add(1, Ordering::SeqCst);
                    // How a connection ends is the business of the test.
                    let _ = serve(tls, tcp, max_streams, &seen, |request| script(number, request)).await;
                    seen.open.fetch_sub(1, Ordering::SeqCst);
                    seen.changed.notify_waiters();
                });
            }
        });
        Self { address, seen, _task: AbortOnDropHandle::new(task) }
    }

    /// Connections so far.
    pub(super) fn connections(&self) -> usize {
        self.seen.connections.load(Ordering::SeqCst)
    }

    /// Heads and bodies of all requests that were read to their end.
    pub(super) fn requests(&self) -> Vec<(Request<()>, Bytes)> {
        self.seen.requests.lock().unwrap().iter().map(|(head, body)| (head.clone(), body.clone())).collect()
    }

    /// Returns when this is so; looked at whenever a request comes or a connection ends.
    pub(super) async fn until(&self, is_so: impl Fn(&Self) -> bool) {
        loop {
            let changed = self.seen.changed.notified();
            if is_so(self) {
                return;
            }
            changed.await;
        }
    }

    /// Connections that are open now.
    pub(super) fn open(&self) -> usize {
        self.seen.open.load(Ordering::SeqCst)
    }
}

async fn serve(
    tls: TlsAcceptor,
    tcp: TcpStream,
    max_streams: u32,
    seen: &Arc<Seen>,
    script: impl Fn(usize) -> Action,
) -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
    let stream = tls.accept(tcp).await?;
    let mut builder = Builder::new();
    builder.max_concurrent_streams(max_streams).max_send_buffer_size(64 * 1024 * 1024);
    let mut connection = builder.handshake(stream).await?;
    let mut requests = JoinSet::new();
    let mut number = 0;
    while let Some(accepted) = connection.accept().await {
        let (request, respond) = accepted?;
        let action = script(number);
        number += 1;
        if matches!(action, Action::GoAway) {
            connection.graceful_shutdown();
        } else if let Action::Abort(reason) = action {
            connection.abrupt_shutdown(reason);
        }
        requests.spawn(answer(request, respond, action, Arc::clone(seen)));
    }
    Ok(())
}

async fn answer(
    request: Request<RecvStream>,
    mut respond: SendResponse<Bytes>,
    action: Action,
    seen: Arc<Seen>,
) -> Result<(), h2::Error> {
    let (head, mut body) = request.into_parts();
    let mut read = Vec::new();
    while let Some(data) = body.data().await {
        let data = data?;
        body.flow_control().release_capacity(data.len())?;
        read.extend_from_slice(&data);
    }
    seen.requests.lock().unwrap().push((Request::from_parts(head, ()), read.into()));
    seen.changed.notify_waiters();
    let head = |status| Response::builder().status(status).body(()).unwrap();
    match action {
        Action::Later(gate) => {
            gate.notified().await;
            respond.send_response(head(200), true)?;
        }
        Action::Answer(status, body) => {
            respond.send_response(head(status), false)?.send_data(body, true)?;
        }
        Action::GoAway => drop(respond.send_response(head(200), true)?),
        Action::Reset(reason) => respond.send_reset(reason),
        Action::Headers(headers) => {
            let mut response = head(200);
            *response.headers_mut() = headers;
            respond.send_response(response, true)?;
        }
        Action::Half => {
            let mut body = respond.send_response(head(200), false)?;
            body.send_data("half".into(), false)?;
            std::future::poll_fn(|context| body.poll_reset(context)).await?;
        }
        Action::Hang | Action::Abort(_) => {
            std::future::poll_fn(|context| respond.poll_reset(context)).await?;
        }
        Action::Endless => {
            let mut body = respond.send_response(head(200), false)?;
            loop {
                body.reserve_capacity(16 * 1024);
                let Some(capacity) = std::future::poll_fn(|context| body.poll_capacity(context)).await else {
                    return Ok(());
                };
                body.send_data(vec![b'x'; capacity?].into(), false)?;
            }
        }
        Action::Hints => loop {
            respond.send_informational(head(103))?;
            tokio::task::yield_now().await;
        },
    }
    Ok(())
}
