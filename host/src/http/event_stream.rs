//! Server-sent events (<https://html.spec.whatwg.org/multipage/server-sent-events.html>): an answer that goes on.
//!
//! One part waits for the socket at a time, so a client that reads slowly costs its part and what the connection buffers.
//! One that takes nothing at all is cut off by the limit of every connection ([`super::Options::write_timeout`]).

use std::convert::Infallible;
use std::fmt::Write as _;
use std::pin::Pin;
use std::task::{Context, Poll};

use axum::body::Body;
use axum::response::{IntoResponse as _, Response};
use bytes::Bytes;
use http::header::{CACHE_CONTROL, CONTENT_TYPE};
use hyper::body::Frame;
use tokio::sync::mpsc;

/// Where events go. Dropping it ends the answer.
#[derive(Debug)]
pub struct EventSender(mpsc::Sender<Bytes>);

/// The client is gone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Gone;

/// Events that are sent together.
#[derive(Debug, Default)]
pub struct Events(String);

struct Parts(mpsc::Receiver<Bytes>);

/// An answer of events, and where they go.
#[must_use]
pub fn event_stream() -> (EventSender, Response) {
    let (sender, receiver) = mpsc::channel(1);
    let headers = [
        (CONTENT_TYPE, "text/event-stream"),
        // Proxies must neither keep nor change it.
        (CACHE_CONTROL, "no-store, no-transform"),
    ];
    (EventSender(sender), (headers, Body::new(Parts(receiver))).into_response())
}

impl EventSender {
    /// Sends events, once the client has taken those before.
    ///
    /// # Errors
    /// The client is gone.
    pub async fn send(&self, events: Events) -> Result<(), Gone> {
        if events.0.is_empty() {
            return Ok(());
        }
        self.0.send(events.0.into()).await.map_err(|_| Gone)
    }

    /// Resolves when the client is gone.
    pub async fn closed(&self) {
        self.0.closed().await;
    }
}

impl Events {
    /// How long a client waits before it connects again.
    pub fn retry(&mut self, milliseconds: u32) {
        self.line("retry", &milliseconds.to_string());
        self.0.push('\n');
    }

    /// An event of this name; `data` is one line.
    pub fn event(&mut self, name: &str, id: u64, data: &str) {
        self.line("event", name);
        self.line("id", &id.to_string());
        self.line("data", data);
        self.0.push('\n');
    }

    /// No event: keeps the connection in use, and has the client remember how far it is.
    pub fn keep_alive(&mut self, id: u64) {
        self.0.push_str(": keep-alive\n");
        self.line("id", &id.to_string());
        self.0.push('\n');
    }

    fn line(&mut self, field: &str, value: &str) {
        // A line break would begin another field.
        for part in value.split(['\r', '\n']) {
            writeln!(self.0, "{field}: {part}").expect("writing to a string never fails");
        }
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
    async fn events_are_lines_with_a_blank_one_after_each() {
        let (sender, response) = event_stream();
        assert_eq!(response.headers()[CONTENT_TYPE], "text/event-stream");
        let mut events = Events::default();
        events.retry(2_000);
        events.event("delivery", 7, r#"{"id":1}"#);
        events.event("delivery", 8, "two\nlines\r");
        events.keep_alive(9);
        let sending = tokio::spawn(async move { sender.send(events).await });
        let text = axum::body::to_bytes(response.into_body(), 10_000).await.unwrap();
        sending.await.unwrap().unwrap();
        assert_eq!(
            text,
            "retry: 2000\n\nevent: delivery\nid: 7\ndata: {\"id\":1}\n\nevent: delivery\nid: 8\ndata: two\n\
             data: lines\ndata: \n\n: keep-alive\nid: 9\n\n"
        );
    }

    #[tokio::test]
    async fn a_sender_learns_that_the_client_is_gone_and_waits_while_it_is_slow() {
        let (sender, response) = event_stream();
        let some = || {
            let mut events = Events::default();
            events.keep_alive(1);
            events
        };
        sender.send(some()).await.unwrap();
        let mut second = Box::pin(sender.send(some()));
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
