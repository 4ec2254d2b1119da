//! Server-sent events (<https://html.spec.whatwg.org/multipage/server-sent-events.html>): an answer that goes on.

use std::fmt::Write as _;

use axum::response::Response;

use super::parts::{Gone, PartSender, in_parts};

/// Where events go. Dropping it ends the answer.
#[derive(Debug)]
pub struct EventSender(PartSender);

/// Events that are sent together.
#[derive(Debug, Default)]
pub struct Events(String);

/// An answer of events, and where they go.
#[must_use]
pub fn event_stream() -> (EventSender, Response) {
    let (sender, response) = in_parts("text/event-stream");
    (EventSender(sender), response)
}

impl EventSender {
    /// Sends events, once the client has taken those before.
    ///
    /// # Errors
    /// The client is gone.
    pub async fn send(&self, events: Events) -> Result<(), Gone> {
        self.0.send(events.0.into()).await
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

#[cfg(test)]
mod tests {
    use http::header::CONTENT_TYPE;

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
}
