//! A receiver that enters what arrives into the books and forgets it, so that a long run takes little memory.

use std::convert::Infallible;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use anyhow::{Context, Result};
use bytes::Bytes;
use http::{Request, Response, StatusCode};
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::AbortHandle;

use super::ledger::{Arrival, Books};
use super::producers::Payloads;
use crate::patience::within;

/// All there is: everything as it comes, changed by a plugin, failing now and then, in order (and failing sometimes).
pub(super) const PATHS: [&str; 4] = ["/plain", "/tagged", "/flaky", "/fifo"];
/// From this attempt on nothing fails.
const PATIENT: u64 = 6;

/// The receiver. Its socket closes when it is dropped.
#[derive(Debug)]
pub(super) struct SoakReceiver {
    address: SocketAddr,
    shared: Arc<Shared>,
    accepting: AbortHandle,
}

#[derive(Debug)]
struct Shared {
    books: Arc<Books>,
    payloads: Arc<Payloads>,
    seed: u64,
    /// Which process sends, counted from 0.
    run: AtomicUsize,
    /// Connections that are open.
    open: watch::Sender<usize>,
}

impl SoakReceiver {
    pub(super) async fn start(books: Arc<Books>, payloads: Arc<Payloads>, seed: u64) -> Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await.context("the receiver found no free port")?;
        let address = listener.local_addr()?;
        let (run, open) = (AtomicUsize::new(0), watch::Sender::new(0));
        let shared = Arc::new(Shared { books, payloads, seed, run, open });
        let accepting = tokio::spawn(accept(listener, Arc::clone(&shared))).abort_handle();
        Ok(Self { address, shared, accepting })
    }

    pub(super) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    /// What arrives from now on comes from the next process. The last one is dead: waits until all that it sent was read.
    pub(super) async fn next_run(&self) -> Result<()> {
        // Connections are accepted in their order, so all of the dead process are by the time that this one is answered.
        let mut last = TcpStream::connect(self.address).await?;
        last.write_all(b"GET / HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n").await?;
        within("the receiver answers", last.read_to_end(&mut Vec::new())).await??;
        let mut open = self.shared.open.subscribe();
        within("all of a dead process is read", open.wait_for(|open| *open == 0)).await??;
        self.shared.run.fetch_add(1, Ordering::Relaxed);
        Ok(())
    }
}

impl Drop for SoakReceiver {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

async fn accept(listener: TcpListener, shared: Arc<Shared>) {
    while let Ok((stream, _)) = listener.accept().await {
        shared.open.send_modify(|open| *open += 1);
        let shared = Arc::clone(&shared);
        tokio::spawn(async move {
            let of = Arc::clone(&shared);
            let service = service_fn(move |request| answer(Arc::clone(&of), request));
            // A connection that breaks is part of what is tested.
            let _ = stream.set_nodelay(true);
            let _ = hyper::server::conn::http1::Builder::new()
                .serve_connection(TokioIo::new(stream), service)
                .await;
            shared.open.send_modify(|open| *open -= 1);
        });
    }
}

async fn answer(
    shared: Arc<Shared>,
    request: Request<Incoming>,
) -> Result<Response<Full<Bytes>>, Infallible> {
    let (head, body) = request.into_parts();
    let taken = match body.collect().await {
        Ok(body) => shared.enter(&head, &body.to_bytes()),
        // It was cut off by a kill: nothing has arrived.
        Err(_) => None,
    };
    let mut response = Response::new(Full::default());
    *response.status_mut() = match taken {
        Some(true) => StatusCode::OK,
        Some(false) => StatusCode::INTERNAL_SERVER_ERROR,
        None => StatusCode::NOT_FOUND,
    };
    Ok(response)
}

impl Shared {
    /// Enters a POST and says whether it is taken; `None` if it is none of ours.
    fn enter(&self, head: &http::request::Parts, body: &[u8]) -> Option<bool> {
        let path = PATHS.into_iter().find(|path| *path == head.uri.path())?;
        let header = |name: &str| head.headers.get(name)?.to_str().ok();
        let event = header("webhook-id")?;
        let attempt = header("hookway-attempt")?.parse().ok()?;
        let taken = !self.fails(path, event, attempt);
        let run = self.run.load(Ordering::Relaxed);
        let is_right = self.expected(path, event).is_some_and(|expected| expected.as_bytes() == body);
        let arrival = Arrival { run, attempt, taken, is_right };
        self.books.enter((path, event.to_owned()), header("hookway-delivery-id")?, arrival);
        Some(taken)
    }

    fn expected(&self, path: &str, event: &str) -> Option<String> {
        let body = self.payloads.body(event)?;
        let Some(members) = body.strip_prefix('{').filter(|_| path == "/tagged") else { return Some(body) };
        Some(format!(r#"{{"v":1,{members}"#))
    }

    /// Decided by the attempt, so that it fails again if it comes again.
    fn fails(&self, path: &str, event: &str, attempt: u64) -> bool {
        let one_in = match path {
            "/flaky" => 3,
            "/fifo" => 20,
            _ => return false,
        };
        let mut hasher = DefaultHasher::new();
        (self.seed, event, attempt).hash(&mut hasher);
        attempt < PATIENT && hasher.finish().is_multiple_of(one_in)
    }
}
