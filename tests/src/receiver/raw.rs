//! A receiver whose every byte the test writes: for answers that are not HTTP, or far too much of it.

use std::net::SocketAddr;
use std::sync::Arc;

use anyhow::{Context, Result};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::{AbortHandle, JoinSet};

use crate::patience::within;

/// The receiver. Its connections close when it is dropped.
#[derive(Debug)]
pub struct RawReceiver {
    address: SocketAddr,
    counts: Arc<watch::Sender<Counts>>,
    accepting: AbortHandle,
}

/// What happened so far.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub struct Counts {
    /// Requests that came whole.
    pub posts: usize,
    /// Of them, those whose script has ended.
    pub ended: usize,
}

/// A connection over which one whole request has come.
#[derive(Debug)]
pub struct Conversation(TcpStream);

impl RawReceiver {
    /// Reads one request of each connection and lets the script answer it.
    ///
    /// # Errors
    /// There is no free port.
    pub async fn start<F, Fut>(script: F) -> Result<Self>
    where
        F: Fn(Conversation) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = ()> + Send + 'static,
    {
        let listener = TcpListener::bind("127.0.0.1:0").await.context("the receiver found no free port")?;
        let address = listener.local_addr()?;
        let counts = Arc::new(watch::Sender::new(Counts::default()));
        let (script, counting) = (Arc::new(script), Arc::clone(&counts));
        let accepting = tokio::spawn(async move {
            let mut connections = JoinSet::new();
            while let Ok((mut stream, _)) = listener.accept().await {
                while connections.try_join_next().is_some() {}
                let (script, counts) = (Arc::clone(&script), Arc::clone(&counting));
                connections.spawn(async move {
                    if read_request(&mut stream).await {
                        counts.send_modify(|counts| counts.posts += 1);
                        script(Conversation(stream)).await;
                        counts.send_modify(|counts| counts.ended += 1);
                    }
                });
            }
        })
        .abort_handle();
        Ok(Self { address, counts, accepting })
    }

    /// The address of a path, for the `url` of an endpoint.
    #[must_use]
    pub fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    /// Waits until this is so.
    ///
    /// # Errors
    /// It is not in time.
    pub async fn until(&self, what: &str, is_so: impl Fn(Counts) -> bool) -> Result<Counts> {
        let mut counts = self.counts.subscribe();
        Ok(*within(what, counts.wait_for(|counts| is_so(*counts))).await??)
    }
}

impl Conversation {
    /// Writes; false once the other side has closed.
    pub async fn write(&mut self, bytes: impl AsRef<[u8]>) -> bool {
        self.0.write_all(bytes.as_ref()).await.is_ok()
    }

    /// Writes this again and again until the other side has closed.
    pub async fn flood(&mut self, bytes: impl AsRef<[u8]>) {
        while self.write(&bytes).await {}
    }

    /// Returns when the other side has closed.
    pub async fn closed(&mut self) {
        while self.0.read(&mut [0; 1024]).await.is_ok_and(|read| read > 0) {}
    }
}

/// Reads a head and as many bytes as it announces; false if the connection ends before.
async fn read_request(stream: &mut TcpStream) -> bool {
    let mut bytes = Vec::new();
    loop {
        match stream.read_buf(&mut bytes).await {
            Ok(0) | Err(_) => return false,
            Ok(_) if is_whole(&bytes) => return true,
            Ok(_) => {}
        }
    }
}

fn is_whole(bytes: &[u8]) -> bool {
    let Some(end) = bytes.windows(4).position(|window| window == b"\r\n\r\n") else { return false };
    let head = String::from_utf8_lossy(&bytes[..end]).to_lowercase();
    let length = head.lines().find_map(|line| line.strip_prefix("content-length: ")?.parse().ok());
    bytes.len() >= end + 4 + length.unwrap_or(0_usize)
}

impl Drop for RawReceiver {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}
