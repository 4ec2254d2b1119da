//! Producers that post without pause, and remember what was accepted.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, PoisonError};

use anyhow::{Context, Result, ensure};
use bytes::Bytes;
use hookway_tests::client::Client;
use hookway_tests::patience::within;
use hookway_tests::receiver::{Received, Receiver};
use http::StatusCode;
use serde_json::json;
use tokio::sync::watch;
use tokio::task::JoinSet;

/// Events that are being posted until somebody says stop or the gateway does not answer any more.
pub(crate) struct Load {
    shared: Arc<Shared>,
    producers: JoinSet<()>,
}

#[derive(Default)]
struct Shared {
    accepted: Mutex<BTreeSet<String>>,
    count: watch::Sender<usize>,
    stop: watch::Sender<bool>,
}

impl Load {
    pub(crate) fn start(client: &Client, producers: usize) -> Self {
        let shared = Arc::new(Shared::default());
        let mut tasks = JoinSet::new();
        for producer in 0..producers {
            tasks.spawn(produce(client.clone(), producer, Arc::clone(&shared)));
        }
        Self { shared, producers: tasks }
    }

    /// Waits until this many events were accepted.
    pub(crate) async fn reached(&self, count: usize) -> Result<()> {
        let mut counts = self.shared.count.subscribe();
        let what = format!("{count} events are accepted");
        within(&what, counts.wait_for(|&accepted| accepted >= count)).await?.context("producers count")?;
        Ok(())
    }

    pub(crate) fn count(&self) -> usize {
        *self.shared.count.borrow()
    }

    /// Stops the producers and returns the ids of all events that got a 202.
    pub(crate) async fn finish(mut self) -> Result<BTreeSet<String>> {
        self.shared.stop.send_replace(true);
        within("producers stop", async { while self.producers.join_next().await.is_some() {} }).await?;
        Ok(std::mem::take(&mut *self.shared.accepted.lock().unwrap_or_else(PoisonError::into_inner)))
    }
}

/// The load ends for a producer when it is told so, or when a POST is not answered with 202: the gateway stops.
async fn produce(client: Client, producer: usize, shared: Arc<Shared>) {
    let stop = shared.stop.subscribe();
    for number in 0.. {
        let id = format!("evt_{producer}_{number}");
        let event = json!({ "event": "orders/created", "event_id": id, "data": { "number": number } });
        let answer = client.post("/v1/events", &event).await;
        let accepted = answer.is_ok_and(|answer| answer.status == StatusCode::ACCEPTED);
        if accepted {
            // Before the news to stop is looked at: what was accepted counts.
            shared.note(id);
        }
        if !accepted || *stop.borrow() {
            return;
        }
    }
}

impl Shared {
    fn note(&self, id: String) {
        self.accepted.lock().unwrap_or_else(PoisonError::into_inner).insert(id);
        self.count.send_modify(|count| *count += 1);
    }
}

/// Waits until all these events arrived at a path.
pub(crate) async fn all_arrive(
    receiver: &Receiver,
    path: &str,
    ids: &BTreeSet<String>,
) -> Result<Vec<Received>> {
    let arrived = |requests: &[Received]| {
        requests.len() >= ids.len() && {
            let here: BTreeSet<_> = requests.iter().map(Received::id).collect();
            ids.iter().all(|id| here.contains(id.as_str()))
        }
    };
    receiver.wait_until(path, &format!("{} accepted events", ids.len()), arrived).await
}

/// Checks that no event came twice.
pub(crate) fn none_twice(requests: &[Received]) -> Result<()> {
    for (id, bodies) in by_id(requests) {
        ensure!(bodies.len() == 1, "event {id} came {} times", bodies.len());
    }
    Ok(())
}

/// Checks that an event that came more than once came with the same bytes each time.
pub(crate) fn same_bytes_each_time(requests: &[Received]) -> Result<()> {
    for (id, bodies) in by_id(requests) {
        ensure!(
            bodies.windows(2).all(|two| two[0] == two[1]),
            "event {id} came with different bytes: {bodies:?}"
        );
    }
    Ok(())
}

fn by_id(requests: &[Received]) -> BTreeMap<&str, Vec<&Bytes>> {
    let mut bodies: BTreeMap<_, Vec<_>> = BTreeMap::new();
    for request in requests {
        bodies.entry(request.id()).or_default().push(&request.body);
    }
    bodies
}
