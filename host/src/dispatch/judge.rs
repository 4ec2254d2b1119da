//! Asks the filter, the matchers and the plugins of the endpoints what becomes of an event.
//!
//! Whoever wants to know that, to send the event or to show what would be sent, asks here: there is one answer.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use super::plan::{self, Tried};
use crate::chance::Chance;
use crate::clock::Clock;
use crate::directory::{Directory, Tenant};
use crate::json::{Rehearsal, Subject};
use crate::model::{Binding, DeliveryState, Endpoint, EndpointId, Event, RetrySchedule, Subscription};
use crate::ordering;
use crate::plugins::{Blame, Decision, Judgement, PluginSet, Plugins};
use crate::store::{NewDelivery, Verdict};

/// What is judged for the first time.
const FIRST: Tried = Tried { tries: 1, faults: 0 };

/// Who knows the endpoints and asks the plugins. Clones share both.
#[derive(Clone)]
pub struct Judge {
    pub(super) directory: Directory,
    pub(super) plugins: Plugins,
    clock: Clock,
    chance: Chance,
    /// When plugins that failed are asked again.
    schedule: RetrySchedule,
}

/// Is told when each delivery of an event begins to be judged.
pub(super) trait Watch: Send {
    /// The next one does.
    fn judging(&mut self);
}

/// Nobody wants to know.
impl Watch for () {
    fn judging(&mut self) {}
}

/// An event with those who judge it: one version of the tenant's endpoints and of the plugins.
pub struct Trial {
    subject: Subject,
    tenant: Arc<Tenant>,
    plugins: Arc<PluginSet>,
}

/// An endpoint that wants an event.
#[derive(Debug)]
pub struct Interest<'a> {
    /// Which.
    pub endpoint: &'a Arc<Endpoint>,
    /// Why nobody can say whether it wants it: its matcher failed.
    pub unsure: Option<Decision>,
}

/// What came of judging an event for an endpoint.
#[derive(Debug)]
pub struct Judged {
    /// What becomes of it.
    pub verdict: Verdict,
    /// How long the endpoint's own filter took, if it has one.
    pub filter_took: Option<Duration>,
}

impl Trial {
    /// All endpoints of the event's tenant, by rising id.
    #[must_use]
    pub fn endpoints(&self) -> &[Arc<Endpoint>] {
        self.tenant.index().endpoints()
    }

    /// The event as filters and plugins look at it.
    #[must_use]
    pub const fn subject(&self) -> &Subject {
        &self.subject
    }

    /// Every use of a plugin by an endpoint: those of all endpoints of the tenant, then its own.
    pub fn bindings<'a>(&'a self, endpoint: &'a Endpoint) -> impl Iterator<Item = &'a Binding> {
        self.tenant.inherited().iter().chain(&endpoint.plugins)
    }

    /// Whether the filter of an endpoint lets the event through. One that cannot be read does not.
    #[must_use]
    pub fn passes_filter(&self, endpoint: &Arc<Endpoint>) -> bool {
        let filter = self.tenant.filter(endpoint.id);
        filter.is_none_or(|filter| filter.is_ok_and(|filter| filter.judge(&self.subject, endpoint).is_ok()))
    }

    fn event(&self) -> &Event {
        self.subject.event()
    }

    fn delivery(&self, endpoint: &Endpoint, verdict: Verdict) -> NewDelivery {
        let line = ordering::line(endpoint, self.subject.data());
        NewDelivery { endpoint: endpoint.id, line, verdict }
    }
}

impl Judge {
    /// One that asks these.
    #[must_use]
    pub fn new(directory: Directory, plugins: Plugins, clock: Clock, chance: Chance) -> Self {
        Self { directory, plugins, clock, chance, schedule: RetrySchedule::default() }
    }

    /// The event before the endpoints and plugins as they are now; `None` if its tenant has no endpoints.
    #[must_use]
    pub fn trial(&self, event: &Arc<Event>) -> Option<Trial> {
        self.trial_of(Subject::new(Arc::clone(event)))
    }

    /// The same to see what would become of it: nothing does.
    #[must_use]
    pub fn preview(&self, event: &Arc<Event>) -> Option<Trial> {
        self.trial_of(Subject::rehearsed(Arc::clone(event), Rehearsal::Preview))
    }

    fn trial_of(&self, subject: Subject) -> Option<Trial> {
        let tenant = self.directory.tenant(&subject.event().tenant)?;
        Some(Trial { tenant, plugins: self.plugins.snapshot(), subject })
    }

    /// A delivery for each endpoint that wants the event, or for the one that it tests, with its verdict.
    pub(super) async fn all(&self, event: &Arc<Event>, watch: &mut impl Watch) -> Vec<NewDelivery> {
        self.watched(event, |_| true, watch).await
    }

    /// The same for some of the endpoints.
    pub async fn some(
        &self,
        event: &Arc<Event>,
        is_one: impl Fn(EndpointId) -> bool + Send + Sync,
    ) -> Vec<NewDelivery> {
        self.watched(event, is_one, &mut ()).await
    }

    async fn watched(
        &self,
        event: &Arc<Event>,
        is_one: impl Fn(EndpointId) -> bool + Send + Sync,
        watch: &mut impl Watch,
    ) -> Vec<NewDelivery> {
        let Some(trial) = self.trial(event) else { return Vec::new() };
        let mut deliveries = Vec::new();
        for interest in self.interested(&trial).await {
            if is_one(interest.endpoint.id) {
                let endpoint = interest.endpoint;
                watch.judging();
                deliveries.push(trial.delivery(endpoint, self.judge(&trial, interest).await.verdict));
            }
        }
        deliveries
    }

    /// The endpoints that want the event, or the one that it tests.
    pub async fn interested<'a>(&self, trial: &'a Trial) -> Vec<Interest<'a>> {
        let (Trial { tenant, plugins, .. }, event) = (trial, trial.event());
        let sure = |endpoint| Interest { endpoint, unsure: None };
        if let Some(tested) = event.test_of {
            return tenant.endpoint(tested).map(sure).into_iter().collect();
        }
        let mut interested: Vec<_> = tenant.index().matches(&event.topic).map(sure).collect();
        for group in tenant.index().matcher_groups() {
            match plugins.topic_matches(&group.plugin, &group.patterns, event).await {
                Ok(false) => {}
                Ok(true) => interested.extend(group.endpoints.iter().map(sure)),
                // Nobody can say whether they want it: held rather than lost.
                Err(error) => interested.extend(group.endpoints.iter().map(|endpoint| {
                    let unsure = Decision::hold(group.plugin.clone(), &error, Blame::Plugin);
                    Interest { endpoint, unsure: Some(unsure) }
                })),
            }
        }
        interested
    }

    /// The first verdict on an event for an endpoint that wants it.
    pub async fn judge(&self, trial: &Trial, interest: Interest<'_>) -> Judged {
        match interest.unsure {
            None => self.weigh(trial, interest.endpoint, FIRST).await,
            Some(decision) => {
                let verdict = self.verdict(Judgement { decision, runs: Vec::new() }, FIRST);
                Judged { verdict, filter_took: None }
            }
        }
    }

    /// The verdict on a delivery that may have been judged before and is in this state. One that is over begins anew; a try
    /// before it is due does not count, or whoever replaces a plugin often enough would use up all of them.
    pub async fn again(
        &self,
        event: &Arc<Event>,
        endpoint: EndpointId,
        state: &DeliveryState,
        is_due: bool,
    ) -> Verdict {
        let trial = self.trial(event);
        let found = trial.as_ref().and_then(|trial| Some((trial, trial.tenant.endpoint(endpoint)?)));
        let Some((trial, endpoint)) = found else {
            return Verdict { state: DeliveryState::Cancelled, ..plan::send() };
        };
        let tried = Tried::again(state, is_due);
        match self.still_wanted(&trial.plugins, event, endpoint).await {
            Ok(()) => self.weigh(trial, endpoint, tried).await.verdict,
            Err(decision) => self.verdict(Judgement { decision, runs: Vec::new() }, tried),
        }
    }

    /// The filter first: it costs least, and plugins see only what passed it.
    async fn weigh(&self, trial: &Trial, endpoint: &Arc<Endpoint>, tried: Tried) -> Judged {
        let mut filter_took = None;
        if let Some(filter) = trial.tenant.filter(endpoint.id) {
            let started = Instant::now();
            let stopped = match filter {
                Ok(filter) => filter.judge(&trial.subject, endpoint).err().map(plan::filtered),
                Err(error) => {
                    let now = self.clock.now();
                    Some(plan::unreadable(error, tried.tries, &self.schedule, now, &mut self.chance.dice()))
                }
            };
            filter_took = Some(started.elapsed());
            if let Some(verdict) = stopped {
                return Judged { verdict, filter_took };
            }
        }
        let inherited = trial.tenant.inherited();
        let verdict = if endpoint.plugins.is_empty() && inherited.is_empty() {
            plan::send()
        } else {
            self.verdict(trial.plugins.judge(&trial.subject, endpoint, inherited).await, tried)
        };
        Judged { verdict, filter_took }
    }

    /// Asks the matcher plugin of an endpoint again: it may be the one that failed. A test was never asked about.
    async fn still_wanted(
        &self,
        plugins: &PluginSet,
        event: &Event,
        endpoint: &Endpoint,
    ) -> Result<(), Decision> {
        let Subscription::Matcher { plugin, patterns } = &endpoint.subscription else { return Ok(()) };
        if event.test_of.is_some() {
            return Ok(());
        }
        let plugin = plugin.clone();
        match plugins.topic_matches(&plugin, patterns, event).await {
            Ok(true) => Ok(()),
            Ok(false) => {
                Err(Decision::Drop { plugin, reason: "no pattern of the endpoint accepts the topic".into() })
            }
            Err(error) => Err(Decision::hold(plugin, &error, Blame::Plugin)),
        }
    }

    fn verdict(&self, judgement: Judgement, tried: Tried) -> Verdict {
        plan::verdict(judgement, tried, &self.schedule, self.clock.now(), &mut self.chance.dice())
    }
}
