//! Replacing a plugin while events flow, and finding the moment when the output changes.

use std::path::Path;
use std::pin::pin;
use std::time::Duration;

use anyhow::{Context, Result};
use hookway_tests::client::Client;
use hookway_tests::guests;
use hookway_tests::receiver::Received;
use serde_json::json;
use tokio::time::{Instant, Interval, interval};

use super::endpoints::{SUMMARIES, TAGGER};
use super::receiver::Inbox;
use crate::progress::Progress;
use crate::tools::step;

/// 200 events per second: a stream that people can follow.
const PACE: Duration = Duration::from_millis(5);
/// How many events see the old version for sure.
const BEFORE: usize = 100;
/// How many more follow the first that saw the new one.
const AFTER: usize = 100;

/// What happened when the file was replaced.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Swap {
    sent: usize,
    /// Counts from 1.
    first_changed: usize,
    after: Duration,
    old_body: String,
    new_body: String,
}

/// Sends events, replaces the file of the plugin, and sends on until the output has changed and a while longer.
pub(super) async fn replace_while_events_flow(
    client: &Client,
    inbox: &Inbox,
    plugins_dir: &Path,
) -> Result<Swap> {
    step(&format!("replacing {TAGGER}.wasm by its next version while events flow"));
    let mut stream = Stream { client, pace: interval(PACE), sent: Vec::new() };
    stream.send("with version 1", BEFORE).await?;
    let old = inbox.wait_for_events(SUMMARIES, &stream.sent).await?;
    guests::install(&guests::guest("switchable-v2")?, plugins_dir, TAGGER)?;
    let renamed = Instant::now();
    step("the file is replaced; events go on");
    stream.send_until(inbox.wait_for_last(SUMMARIES, "an output of version 2", is_new)).await?;
    stream.send("after the change", AFTER).await?;
    let arrived = inbox.wait_for_events(SUMMARIES, &stream.sent).await?;
    describe(&stream.sent, old.last(), &arrived, renamed)
}

/// Events, one after the other.
struct Stream<'a> {
    client: &'a Client,
    pace: Interval,
    sent: Vec<String>,
}

impl Stream<'_> {
    async fn send(&mut self, what: &'static str, count: usize) -> Result<()> {
        let mut progress = Progress::begin(what, count);
        for _ in 0..count {
            self.pace.tick().await;
            self.send_one().await?;
            progress.advance();
        }
        Ok(())
    }

    /// Sends until something happens; what was begun is finished, so that every event is accounted for.
    async fn send_until(&mut self, happened: impl Future<Output = Result<()>>) -> Result<()> {
        let mut happened = pin!(happened);
        loop {
            tokio::select! {
                biased;
                outcome = &mut happened => return outcome,
                _ = self.pace.tick() => {}
            }
            self.send_one().await?;
        }
    }

    async fn send_one(&mut self) -> Result<()> {
        let number = self.sent.len() + 1;
        let order = json!({ "order_id": format!("ord_{number}"), "items": 1, "merchant": "Acme Corp" });
        self.sent.push(self.client.send("orders/created", &order).await?);
        Ok(())
    }
}

impl Swap {
    /// Says it.
    pub(super) fn print(&self) {
        println!(
            "    event {} of {} was the first with version 2, {} ms after the file was replaced; all {} arrived once",
            self.first_changed,
            self.sent,
            self.after.as_millis(),
            self.sent
        );
        println!("    before: {}\n    after:  {}", self.old_body, self.new_body);
    }
}

fn describe(sent: &[String], old: Option<&Received>, arrived: &[Received], renamed: Instant) -> Result<Swap> {
    let old = old.context("an event arrived before the file was replaced")?;
    let new = arrived.iter().find(|one| is_new(one)).context("the output changed")?;
    let at = sent.iter().position(|id| id == new.id()).context("what arrived was sent")?;
    let text = |one: &Received| String::from_utf8_lossy(&one.body).into_owned();
    let after = new.at.duration_since(renamed);
    Ok(Swap { sent: sent.len(), first_changed: at + 1, after, old_body: text(old), new_body: text(new) })
}

fn is_new(one: &Received) -> bool {
    one.json().is_ok_and(|body| body["v"] == 2)
}

#[cfg(test)]
mod tests {
    use http::{HeaderMap, HeaderValue, Method};

    use super::*;

    fn received(id: &'static str, body: &'static str, at: Instant) -> Received {
        let headers = HeaderMap::from_iter([("webhook-id".parse().unwrap(), HeaderValue::from_static(id))]);
        Received { path: SUMMARIES.to_owned(), method: Method::POST, headers, body: body.into(), at }
    }

    #[test]
    fn the_moment_of_change_is_the_first_arrival_of_the_new_version() {
        let renamed = Instant::now();
        let later = |ms| renamed + Duration::from_millis(ms);
        let arrived = [
            received("a", r#"{"v":1}"#, renamed),
            received("c", r#"{"v":2}"#, later(250)),
            received("b", r#"{"v":1}"#, later(260)),
        ];
        let sent = ["a", "b", "c"].map(str::to_owned);
        let swap = describe(&sent, arrived.first(), &arrived, renamed).unwrap();
        assert_eq!((swap.first_changed, swap.sent, swap.after), (3, 3, Duration::from_millis(250)));
        assert_eq!((swap.old_body.as_str(), swap.new_body.as_str()), (r#"{"v":1}"#, r#"{"v":2}"#));
    }
}
