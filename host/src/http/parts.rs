//! An answer that goes on, part by part.
//!
//! One part waits for the socket at a time, so a client that reads slowly costs its part and what the connection buffers.
//! One that takes nothing at all is cut off by the limit of every connection ([`super::Options::write_timeout`]).

use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context, Poll};

use axum::body::Body;
use axum::response::{IntoResponse as _, Response};
use bytes::Bytes;
use http::header::{CACHE_CONTROL, CONTENT_TYPE};
use hyper::body::Frame;
use tokio::sync::mpsc;

/// Where parts go. Dropping it ends the answer.
#[derive(Debug)]
pub struct PartSender(mpsc::Sender<Bytes>);

/// The client is gone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Gone;

struct Parts(mpsc::Receiver<Bytes>);

/// An answer of this media type, and where its parts go.
#[must_use]
pub fn in_parts(media: &'static str) -> (PartSender, Response) {
    let (sender, receiver) = mpsc::channel(1);
    // Proxies must neither keep nor change it.
    let headers = [(CONTENT_TYPE, media), (CACHE_CONTROL, "no-store, no-transform")];
    (PartSender(sender), (headers, Body::new(Parts(receiver))).into_response())
}

impl PartSender {
    /// Sends a part, once the client has taken the one before. An empty one is none.
    ///
    /// # Errors
    /// The client is gone.
    pub async fn send(&self, part: Bytes) -> Result<(), Gone> {
        if part.is_empty() { Ok(()) } else { self.0.send(part).await.map_err(|_| Gone) }
    }

    /// Resolves when the client is gone.
    pub async fn closed(&self) {
        self.0.closed().await;
    }
}

impl hyper::body::Body for Parts {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        self.0.poll_recv(context).map(|part| part.map(|bytes| Ok(Frame::data(bytes))))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_sender_learns_that_the_client_is_gone_and_waits_while_it_is_slow() {
        let (sender, response) = in_parts("text/plain");
        let part = || Bytes::from_static(b"part");
        sender.send(Bytes::new()).await.unwrap();
        sender.send(part()).await.unwrap();
        let mut second = Box::pin(sender.send(part()));
        tokio::select! {
            biased;
            _ = &mut second => panic!("the first part still waits"),
            () = tokio::task::yield_now() => {}
        }
        drop(response);
        assert_eq!(second.await, Err(Gone));
        sender.closed().await;
    }
}
