//! A process that dies at a certain step of the flow, and what has to be so after the next start.
//!
//! In a development build the variable `HOOKWAY_FAILPOINT` names the step. One step is reached from outside: the receiver has the
//! request and does not answer.

use anyhow::{Context, Result, ensure};
use http::StatusCode;
use serde_json::json;

use crate::client::{Client, Endpoint};
use crate::gateway::{Gateway, Setup};
use crate::patience::eventually;
use crate::receiver::{Answer, Receiver};

const EVENT: &str = "order-1";
const EXHAUSTED: &str = "hookway.delivery.exhausted";

/// Where it dies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// The event was read and is not written: it does not exist, and its producer has no answer.
    Accept,
    /// It is written and not synced: it may exist.
    LogWritten,
    /// It is synced: it exists, and its producer has no answer.
    LogSynced,
    /// Claimed and not sent: it is sent by the next process.
    Attempt,
    /// Sent and not answered: it is sent again.
    Sent,
    /// Answered and not recorded: it is sent again.
    Answered,
    /// Recorded, with the next attempt, in a transaction that is not committed: neither is known, and it is sent again.
    Applied,
    /// The same, committed: both are known, and the next attempt is the second.
    Recorded,
    /// Given up, with the notice of it, in a transaction that is not committed: the last attempt is made again.
    GivenUpApplied,
    /// The same, committed: nothing is sent any more, and the notice arrives once.
    GivenUpRecorded,
    /// The log was repeated at a start, in a transaction that is not committed: the next start repeats it.
    Opened,
}

impl Step {
    /// All of them, in the order of the flow.
    pub const ALL: [Self; 11] = [
        Self::Accept,
        Self::LogWritten,
        Self::LogSynced,
        Self::Attempt,
        Self::Sent,
        Self::Answered,
        Self::Applied,
        Self::Recorded,
        Self::GivenUpApplied,
        Self::GivenUpRecorded,
        Self::Opened,
    ];

    /// What the gateway calls it; nothing for what is reached from outside.
    const fn failpoint(self) -> Option<&'static str> {
        match self {
            Self::Accept => Some("accept"),
            Self::LogWritten => Some("log-written"),
            Self::LogSynced => Some("log-synced"),
            Self::Attempt => Some("attempt"),
            Self::Sent => None,
            Self::Answered => Some("answered"),
            Self::Applied | Self::GivenUpApplied => Some("applied"),
            Self::Recorded | Self::GivenUpRecorded => Some("recorded"),
            Self::Opened => Some("opened"),
        }
    }

    /// Numbers of the attempts that arrive in all, and how many of them the log has at the end.
    const fn outcome(self) -> (&'static [&'static str], u64) {
        match self {
            Self::Accept | Self::LogWritten | Self::LogSynced | Self::Attempt | Self::Opened => (&["1"], 1),
            Self::Sent | Self::Answered | Self::Applied => (&["1", "1"], 1),
            Self::Recorded | Self::GivenUpRecorded => (&["1", "2"], 2),
            Self::GivenUpApplied => (&["1", "2", "2"], 2),
        }
    }

    const fn answers(self) -> &'static [u16] {
        match self {
            Self::Applied | Self::Recorded => &[500, 200],
            Self::GivenUpApplied | Self::GivenUpRecorded => &[500],
            Self::Accept | Self::LogWritten | Self::LogSynced | Self::Opened => &[200],
            Self::Attempt | Self::Sent | Self::Answered => &[200],
        }
    }

    const fn is_given_up(self) -> bool {
        matches!(self, Self::GivenUpApplied | Self::GivenUpRecorded)
    }
}

/// Has the process die at this step and checks what the next one makes of it.
///
/// # Errors
/// Something is not as it has to be.
pub async fn dies_at(step: Step) -> Result<()> {
    let scene = Scene::start(step).await?;
    scene.run(step).await.with_context(|| format!("{step:?}"))
}

struct Scene {
    setup: Setup,
    gateway: Gateway,
    client: Client,
    receiver: Receiver,
    endpoint: Endpoint,
}

impl Scene {
    async fn start(step: Step) -> Result<Self> {
        let setup = Setup::default().set("operations.tenant=ops").set("lanes.breaker_failures=0").quiet();
        // Time for another start between the two attempts that there are, or none to wait for.
        let retry = if step.is_given_up() { r#"["3s"]"# } else { r#"["100ms", "100ms", "100ms"]"# };
        let setup = setup.set(&format!("deliver.retry={retry}"));
        let (gateway, receiver) = (setup.clone().start().await?, Receiver::start().await?);
        let client = gateway.client();
        let answers = step.answers().iter().map(|status| Answer::status(*status));
        let hangs = (step == Step::Sent).then_some(Answer::Hang);
        receiver.script("/a", hangs.into_iter().chain(answers));
        let endpoint = json!({ "url": receiver.url("/a"), "topics": ["**"] });
        let endpoint = client.create_endpoint(&endpoint).await?;
        let ops = json!({ "url": receiver.url("/ops"), "topics": [EXHAUSTED], "tenant": "ops" });
        client.create_endpoint(&ops).await?;
        Ok(Self { setup, gateway, client, receiver, endpoint })
    }

    async fn run(mut self, step: Step) -> Result<()> {
        match step {
            Step::Sent => {
                self.post().await?.expect(StatusCode::ACCEPTED)?;
                self.receiver.wait_for("/a", 1).await?;
                self.gateway.kill().await?;
            }
            Step::Opened => {
                self.gateway.stop().await?;
                // Nothing reaches the tables by itself, so that the next start has a log to repeat.
                self.restart(Some("attempt")).await?;
                let _ = self.post().await;
                self.gateway.ended().await?;
                ensure!(self.restart(step.failpoint()).await.is_err(), "it came up");
            }
            Step::GivenUpApplied | Step::GivenUpRecorded => {
                self.post().await?.expect(StatusCode::ACCEPTED)?;
                self.client.delivery_in(EVENT, &self.endpoint.id, &["retrying"]).await?;
                self.gateway.stop().await?;
                self.restart(step.failpoint()).await?;
                self.gateway.ended().await?;
            }
            Step::Accept | Step::LogWritten | Step::LogSynced => {
                let answer = self.post_and_die(step).await?;
                ensure!(answer.is_err(), "it was answered: {answer:?}");
            }
            Step::Attempt | Step::Answered | Step::Applied | Step::Recorded => {
                // It may die before or after the answer.
                let _ = self.post_and_die(step).await?;
            }
        }
        let has_arrived = self.receiver.requests("/a").len();
        self.restart(None).await?;
        self.is_stored_as_promised(step).await?;
        self.arrives_as_promised(step, has_arrived).await
    }

    async fn post_and_die(&mut self, step: Step) -> Result<Result<crate::client::Answer>> {
        self.gateway.stop().await?;
        self.restart(step.failpoint()).await?;
        let answer = self.post().await;
        self.gateway.ended().await?;
        Ok(answer)
    }

    async fn restart(&mut self, failpoint: Option<&str>) -> Result<()> {
        let setup = self.setup.clone();
        let setup = match failpoint {
            Some(name) => setup.env("HOOKWAY_FAILPOINT", name),
            None => setup,
        };
        self.gateway.restart_with(setup).await?;
        self.client = self.gateway.client();
        Ok(())
    }

    async fn post(&self) -> Result<crate::client::Answer> {
        self.client.post("/v1/events", &json!({ "event": "a", "event_id": EVENT, "data": 1 })).await
    }

    /// The event exists, or does not, and its producer can repeat it either way.
    async fn is_stored_as_promised(&self, step: Step) -> Result<()> {
        let found = self.client.get(&format!("/v1/events/{EVENT}")).await?.status;
        let may_be = match step {
            Step::Accept => found == StatusCode::NOT_FOUND,
            Step::LogWritten => true,
            Step::LogSynced | Step::Attempt | Step::Sent | Step::Answered | Step::Applied => {
                found == StatusCode::OK
            }
            Step::Recorded | Step::GivenUpApplied | Step::GivenUpRecorded | Step::Opened => {
                found == StatusCode::OK
            }
        };
        ensure!(may_be, "the answer for the event is {found}");
        let again = self.post().await?.expect(StatusCode::ACCEPTED)?.body;
        ensure!(again["duplicate"] == (found == StatusCode::OK), "{again}");
        Ok(())
    }

    async fn arrives_as_promised(&self, step: Step, before: usize) -> Result<()> {
        let (attempts, recorded) = step.outcome();
        let is_given_up = step.is_given_up();
        let end = if is_given_up { "failed" } else { "delivered" };
        let over = self.client.delivery_in(EVENT, &self.endpoint.id, &[end]).await?;
        let log = self.client.delivery(over["id"].as_str().context("an id")?).await?;
        let rows = log["attempt_log"].as_array().map_or(0, Vec::len);
        ensure!(over["attempts"] == recorded && rows as u64 == recorded, "{log}");
        let arrived = self.receiver.requests("/a");
        let numbers: Vec<_> = arrived.iter().map(|request| request.header("hookway-attempt")).collect();
        ensure!(numbers == attempts, "{numbers:?} arrived, {before} of them before");
        ensure!(arrived.iter().all(|request| request.body == arrived[0].body), "{arrived:?}");
        if is_given_up {
            self.receiver.wait_for("/ops", 1).await?;
        }
        // What follows is delivered, and nothing came meanwhile that should not have.
        self.client.send_event(&json!({ "event": "b", "event_id": "order-2", "data": 2 })).await?;
        self.receiver.wait_for("/a", attempts.len() + 1).await?;
        let told = eventually("all notices are over", || async {
            let rows = self.client.deliveries("tenant=ops").await?;
            Ok(rows.iter().all(|row| row["status"] == "delivered").then_some(rows))
        });
        let told = told.await?.iter().filter(|row| row["topic"] == EXHAUSTED).count();
        ensure!(
            told == usize::from(is_given_up),
            "{told} notices, and {} came",
            self.receiver.requests("/ops").len()
        );
        Ok(())
    }
}
