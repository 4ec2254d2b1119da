//! Deliveries that wait for a plugin or for their filter: judged again when they are due, and at once when the plugin is
//! replaced.

use std::collections::HashSet;
use std::sync::Arc;

use tokio::sync::broadcast::error::RecvError;
use tokio::task::JoinSet;

use super::spans::Dispatching;
use super::{Dispatch, STORE_RETRY};
use crate::model::{DeliveryId, DeliveryState, Job, PluginName, UnixMs};
use crate::shutdown::Shutdown;
use crate::store::{Error, PluginHold};

/// Holds judged at the same time.
const PAGE: usize = 64;

/// Releases holds until it is time to stop.
pub(super) async fn run(stage: Arc<Dispatch>, shutdown: Shutdown) {
    let mut swaps = stage.judge.plugins.swaps();
    loop {
        let next = stage.store.next_plugin_hold().await.unwrap_or_else(|error| {
            tracing::error!(%error, "cannot read when held deliveries are due; trying again");
            Some(stage.clock.now().after(STORE_RETRY))
        });
        let released = tokio::select! {
            swap = swaps.recv() => match swap {
                Ok(plugin) => vec![Some(plugin)],
                Err(RecvError::Lagged(_)) => stage.judge.plugins.list().into_iter().map(|p| Some(p.name)).collect(),
                Err(RecvError::Closed) => return,
            },
            () = sleep_until(&stage, next) => vec![None],
            () = stage.held.notified() => continue,
            () = shutdown.requested() => return,
        };
        for plugin in released {
            if let Err(error) = stage.release(plugin).await {
                tracing::error!(%error, "cannot release held deliveries; trying again");
                tokio::time::sleep(STORE_RETRY).await;
            }
        }
    }
}

impl Dispatch {
    /// Judges the holds of a plugin again, due or not; or of all plugins, those that are due.
    async fn release(self: &Arc<Self>, plugin: Option<PluginName>) -> Result<(), Error> {
        // One that is held again is due later, so it is met again in this pass, and not judged twice.
        let mut seen = HashSet::<DeliveryId>::new();
        let mut after = None;
        loop {
            let page = self.store.plugin_holds(self.clock.now(), plugin.clone(), after, PAGE).await?;
            let Some(last) = page.last() else { return Ok(()) };
            after = Some(last.place);
            let mut judging = JoinSet::new();
            for hold in page.into_iter().filter(|hold| seen.insert(hold.delivery.id)) {
                judging.spawn(Arc::clone(self).release_one(hold));
            }
            judging.join_all().await.into_iter().collect::<Result<(), Error>>()?;
        }
    }

    async fn release_one(self: Arc<Self>, hold: PluginHold) -> Result<(), Error> {
        let PluginHold { place: (due_at, _), delivery, event } = hold;
        if delivery.state.judged_times().is_none() {
            return Ok(());
        }
        let trace = Dispatching::again(&self.traces, &event);
        let mut verdict =
            self.judge.again(&event, delivery.endpoint, &delivery.state, due_at <= self.clock.now()).await;
        if let Some(mut trace) = trace {
            trace.judged(delivery.id, delivery.endpoint, &verdict);
            trace.end(&event);
        }
        verdict.notice = self.notice(&event, delivery.id, delivery.endpoint, &verdict.state);
        let (due, told) = (verdict.state == DeliveryState::Pending, verdict.notice.is_some());
        let custom = verdict.custom.clone();
        let at = self.clock.now();
        if !self.store.redispatch(delivery.id, verdict, custom.is_some()).await? {
            // Somebody cancelled it or had it judged meanwhile, and told its lane.
            return Ok(());
        }
        if told {
            self.notices.ring();
        }
        // In an ordered lane the store says the line.
        let job = Job {
            delivery: delivery.id,
            endpoint: delivery.endpoint,
            attempts: 0,
            schedule_from: 0,
            event,
            custom,
            line: None,
        };
        if !(due && self.outbox.offer(job)) {
            // Whatever became of it: those that it held up in their order may be due now.
            self.outbox.stored(delivery.endpoint, at);
        }
        Ok(())
    }
}

async fn sleep_until(stage: &Dispatch, at: Option<UnixMs>) {
    match at {
        Some(at) => stage.clock.sleep_until(at).await,
        None => std::future::pending().await,
    }
}
