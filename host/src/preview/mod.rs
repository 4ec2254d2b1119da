//! What would be sent, to whom, and why not: an event goes the way of every event, up to the POST.
//!
//! The same code matches, judges, builds and signs ([`Judge`], [`Post`]), so a preview cannot say anything else than what
//! happens. Nothing is stored and nothing is sent.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Semaphore;

use crate::clock::Clock;
pub use crate::deliver::Post;
use crate::dispatch::{Interest, Judge, Judged, Trial};
use crate::model::{
    CustomRequest, DeliveryId, DeliveryState, Endpoint, EndpointId, Event, HoldReason, Job, PluginRun,
};

/// Previews at the same time: they share the plugins' instances with the events that are sent.
const MAX_AT_ONCE: usize = 8;

/// What shows events before they are sent. Clones share the limit.
#[derive(Clone)]
pub struct Previews {
    judge: Judge,
    clock: Clock,
    permits: Arc<Semaphore>,
}

/// An event before one endpoint.
#[derive(Debug)]
pub struct Preview {
    /// The endpoint.
    pub endpoint: Arc<Endpoint>,
    /// What becomes of the event; `None` if the endpoint does not want its topic.
    pub outcome: Option<Outcome>,
}

/// What becomes of an event at an endpoint that wants it.
#[derive(Debug)]
pub struct Outcome {
    /// The state that its delivery begins in.
    pub state: DeliveryState,
    /// How long the endpoint's own filter took, if it has one.
    pub filter_took: Option<Duration>,
    /// What each plugin said.
    pub plugins: Vec<PluginRun>,
    /// The first attempt, if there is one. The values of headers that the owner gave are left out.
    pub post: Option<Post>,
}

impl Previews {
    /// Shows what this judge says.
    #[must_use]
    pub fn new(judge: Judge, clock: Clock) -> Self {
        Self { judge, clock, permits: Arc::new(Semaphore::new(MAX_AT_ONCE)) }
    }

    /// An event before endpoints of its tenant, by rising id: the first `limit` of those that are asked for.
    pub async fn of(
        &self,
        event: &Arc<Event>,
        is_asked: impl Fn(EndpointId) -> bool + Send + Sync,
        limit: usize,
    ) -> Vec<Preview> {
        let _permit = self.permits.acquire().await;
        let Some(trial) = self.judge.preview(event) else { return Vec::new() };
        let interested = self.judge.interested(&trial).await;
        let mut interested: HashMap<_, _> =
            interested.into_iter().map(|interest| (interest.endpoint.id, interest)).collect();
        let mut previews = Vec::new();
        for endpoint in trial.endpoints().iter().filter(|endpoint| is_asked(endpoint.id)).take(limit) {
            let outcome = match interested.remove(&endpoint.id) {
                Some(interest) => Some(self.judge(event, &trial, interest).await),
                None => None,
            };
            previews.push(Preview { endpoint: Arc::clone(endpoint), outcome });
        }
        previews
    }

    async fn judge(&self, event: &Arc<Event>, trial: &Trial, interest: Interest<'_>) -> Outcome {
        let endpoint = interest.endpoint;
        let Judged { verdict, filter_took } = self.judge.judge(trial, interest).await;
        let is_sent = verdict.state == DeliveryState::Pending;
        let post = if is_sent { self.post(event, endpoint, verdict.custom) } else { None };
        let state = if is_sent && post.is_none() {
            DeliveryState::Held(HoldReason::NoActiveSecret)
        } else if endpoint.activity.is_active() {
            verdict.state
        } else {
            verdict.state.while_inactive()
        };
        Outcome { state, filter_took, plugins: verdict.plugins, post }
    }

    /// The first attempt, as of now.
    fn post(
        &self,
        event: &Arc<Event>,
        endpoint: &Endpoint,
        custom: Option<Arc<CustomRequest>>,
    ) -> Option<Post> {
        let delivery = DeliveryId { event: event.key, ordinal: 0 };
        let (event, endpoint_id) = (Arc::clone(event), endpoint.id);
        let job =
            Job { delivery, endpoint: endpoint_id, attempts: 0, schedule_from: 0, event, custom, line: None };
        let post = Post::new(&job, endpoint, self.clock.wall(), None)?;
        Some(Post { headers: endpoint.request.redacted(post.headers), ..post })
    }
}
