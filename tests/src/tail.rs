//! A live tail: the server-sent events of a gateway, read by hand.

use anyhow::{Context as _, Result, ensure};
use serde_json::Value;

use crate::client::Client;
use crate::patience::within;

/// An open stream.
#[derive(Debug)]
pub struct Tail {
    response: reqwest::Response,
    text: String,
    /// The last id that was read; empty before the first.
    pub last_id: String,
}

/// One event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message {
    /// Its name.
    pub event: String,
    /// Its id.
    pub id: String,
    /// Its data.
    pub data: Value,
}

impl Client {
    /// Opens the live tail with this query, from after `last_id` on if there is one.
    ///
    /// # Errors
    /// No answer, or another than 200.
    pub async fn tail(&self, query: &str, last_id: Option<&str>) -> Result<Tail> {
        let path = format!("/v1/deliveries/stream?{query}");
        let headers: Vec<_> = last_id.map(|id| ("last-event-id", id)).into_iter().collect();
        let response = self.open(&path, &headers).await?;
        ensure!(response.status() == 200, "expected 200, got {}", response.status());
        ensure!(response.headers()["content-type"] == "text/event-stream", "it is no stream of events");
        Ok(Tail { response, text: String::new(), last_id: String::new() })
    }
}

impl Tail {
    /// The next event; keep-alives are passed over. `None` at the end.
    ///
    /// # Errors
    /// It does not come in time, or is not as the standard has it.
    pub async fn next(&mut self) -> Result<Option<Message>> {
        loop {
            let Some((block, rest)) = self.text.split_once("\n\n").map(|(a, b)| (a.to_owned(), b.to_owned()))
            else {
                // However the connection ends, nothing more comes.
                let chunk = within("the stream goes on", self.response.chunk()).await?.unwrap_or_default();
                let Some(chunk) = chunk else { return Ok(None) };
                self.text.push_str(std::str::from_utf8(&chunk).context("a stream is text")?);
                continue;
            };
            self.text = rest;
            let field = |name: &str| {
                let mut lines = block.lines().filter_map(|line| line.strip_prefix(name)?.strip_prefix(": "));
                lines.next().map(str::to_owned)
            };
            if let Some(id) = field("id") {
                self.last_id = id;
            }
            if let Some(data) = field("data") {
                let data = serde_json::from_str(&data).context("the data of an event is JSON")?;
                let event = field("event").context("an event has a name")?;
                return Ok(Some(Message { event, id: self.last_id.clone(), data }));
            }
        }
    }

    /// The first delivery that comes for which this holds.
    ///
    /// # Errors
    /// It does not come in time, or something else comes that is no delivery.
    pub async fn find(&mut self, wanted: impl Fn(&Value) -> bool) -> Result<Value> {
        loop {
            let Message { event, data, .. } = self.next().await?.context("the stream ended")?;
            ensure!(event == "delivery", "{event}: {data}");
            if wanted(&data) {
                return Ok(data);
            }
        }
    }
}
