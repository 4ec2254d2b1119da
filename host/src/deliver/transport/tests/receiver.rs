//! A receiver on loopback whose every byte the test writes.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;
use tokio::sync::mpsc;
use tokio_rustls::TlsAcceptor;
use tokio_util::task::AbortOnDropHandle;

use crate::deliver::transport::connect::Stream;

/// Accepts connections and runs a script on each, one task per connection.
pub(super) struct Receiver {
    pub(super) address: SocketAddr,
    seen: Arc<Seen>,
    ended: mpsc::UnboundedReceiver<()>,
    _task: AbortOnDropHandle<()>,
}

/// One connection, as its script sees it.
pub(super) struct Peer {
    stream: Stream,
    seen: Arc<Seen>,
    unread: Vec<u8>,
}

#[derive(Default)]
struct Seen {
    connections: AtomicUsize,
    bytes: AtomicUsize,
    requests: Mutex<Vec<String>>,
}

impl Receiver {
    /// A receiver that runs this script on each connection, once TLS is up if there is an acceptor.
    pub(super) async fn start<F, Fut>(tls: Option<TlsAcceptor>, script: F) -> Self
    where
        F: Fn(Peer) -> Fut + Send + 'static,
        Fut: Future<Output = ()> + Send + 'static,
    {
        Self::start_at("127.0.0.1:0".parse().unwrap(), tls, script).await
    }

    /// The same on this address.
    pub(super) async fn start_at<F, Fut>(at: SocketAddr, tls: Option<TlsAcceptor>, script: F) -> Self
    where
        F: Fn(Peer) -> Fut + Send + 'static,
        Fut: Future<Output = ()> + Send + 'static,
    {
        let listener = TcpListener::bind(at).await.unwrap();
        let (address, seen) = (listener.local_addr().unwrap(), Arc::new(Seen::default()));
        let (end, ended) = mpsc::unbounded_channel();
        let accept = accept(listener, tls, script, Arc::clone(&seen), end);
        Self { address, seen, ended, _task: AbortOnDropHandle::new(tokio::spawn(accept)) }
    }

    /// A receiver that gives this answer to every request and keeps its connections open.
    pub(super) async fn answering(answer: impl Into<Vec<u8>>) -> Self {
        Self::answering_at("127.0.0.1:0".parse().unwrap(), answer).await
    }

    /// The same on this address.
    pub(super) async fn answering_at(at: SocketAddr, answer: impl Into<Vec<u8>>) -> Self {
        let answer = answer.into();
        Self::start_at(at, None, move |mut peer| {
            let answer = answer.clone();
            async move { while peer.request().await && peer.write(&answer).await {} }
        })
        .await
    }

    pub(super) fn connections(&self) -> usize {
        self.seen.connections.load(Ordering::SeqCst)
    }

    /// How many bytes came in, after TLS if there is any.
    pub(super) fn bytes(&self) -> usize {
        self.seen.bytes.load(Ordering::SeqCst)
    }

    pub(super) fn requests(&self) -> Vec<String> {
        self.seen.requests.lock().unwrap().clone()
    }

    /// Returns when the script of one more connection has ended.
    pub(super) async fn connection_ended(&mut self) {
        self.ended.recv().await.unwrap();
    }
}

impl Peer {
    /// Reads one request, its body included; false at the end of the connection.
    pub(super) async fn request(&mut self) -> bool {
        loop {
            if let Some(length) = complete(&self.unread) {
                let request = self.unread.drain(..length).collect();
                self.seen.requests.lock().unwrap().push(String::from_utf8(request).unwrap());
                return true;
            }
            if !self.begun().await {
                return false;
            }
        }
    }

    /// Reads a part of a request; false at the end of the connection.
    pub(super) async fn begun(&mut self) -> bool {
        let mut chunk = [0; 4096];
        match self.stream.read(&mut chunk).await {
            Ok(0) | Err(_) => false,
            Ok(read) => {
                self.seen.bytes.fetch_add(read, Ordering::SeqCst);
                self.unread.extend_from_slice(&chunk[..read]);
                true
            }
        }
    }

    /// Writes; false if the other end is gone.
    pub(super) async fn write(&mut self, bytes: impl AsRef<[u8]>) -> bool {
        self.stream.write_all(bytes.as_ref()).await.is_ok() && self.stream.flush().await.is_ok()
    }

    /// Returns when the other end closes.
    pub(super) async fn closed(&mut self) {
        while self.request().await {}
    }
}

async fn accept<F, Fut>(
    listener: TcpListener,
    tls: Option<TlsAcceptor>,
    script: F,
    seen: Arc<Seen>,
    end: mpsc::UnboundedSender<()>,
) where
    F: Fn(Peer) -> Fut + Send + 'static,
    Fut: Future<Output = ()> + Send + 'static,
{
    let script = Arc::new(Mutex::new(script));
    let mut tasks = tokio::task::JoinSet::new();
    while let Ok((tcp, _)) = listener.accept().await {
        seen.connections.fetch_add(1, Ordering::SeqCst);
        let (tls, script, seen, end) = (tls.clone(), Arc::clone(&script), Arc::clone(&seen), end.clone());
        tasks.spawn(async move {
            let stream: Option<Stream> = match tls {
                Some(tls) => tls.accept(tcp).await.ok().map(|stream| Box::new(stream) as Stream),
                None => Some(Box::new(tcp)),
            };
            if let Some(stream) = stream {
                let run = script.lock().unwrap()(Peer { stream, seen, unread: Vec::new() });
                run.await;
            }
            // A test that is over does not listen any more.
            let _ = end.send(());
        });
    }
}

/// The length of the first request in these bytes, if all of it is there.
fn complete(bytes: &[u8]) -> Option<usize> {
    let head = bytes.windows(4).position(|window| window == b"\r\n\r\n")? + 4;
    let text = String::from_utf8_lossy(&bytes[..head]);
    let length = text.lines().find_map(|line| line.strip_prefix("content-length: "));
    let body = length.map_or(0, |length| length.parse::<usize>().unwrap());
    (bytes.len() >= head + body).then_some(head + body)
}
