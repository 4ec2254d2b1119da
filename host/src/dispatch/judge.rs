//! Asks the filter, the matchers and the plugins of the endpoints what becomes of an event.

use std::sync::Arc;

use super::Dispatch;
use super::plan;
use crate::directory::Tenant;
use crate::json::Subject;
use crate::model::{DeliveryState, Endpoint, EndpointId, Event, Subscription};
use crate::ordering;
use crate::plugins::{Decision, Judgement, PluginSet};
use crate::store::{NewDelivery, Verdict};

/// An event with those who judge it: one version of the tenant's endpoints and of the plugins.
struct Trial {
    subject: Subject,
    tenant: Arc<Tenant>,
    plugins: Arc<PluginSet>,
}

impl Trial {
    fn delivery(&self, endpoint: &Endpoint, verdict: Verdict) -> NewDelivery {
        let line = ordering::line(endpoint, self.subject.data());
        NewDelivery { endpoint: endpoint.id, line, verdict }
    }
}

impl Dispatch {
    /// A delivery for each endpoint that wants the event, or for the one that it tests, with its verdict.
    pub(super) async fn judge_all(&self, event: &Arc<Event>) -> Vec<NewDelivery> {
        let Some(trial) = self.trial(event) else { return Vec::new() };
        let Trial { tenant, plugins, .. } = &trial;
        if let Some(tested) = event.test_of {
            return match tenant.endpoint(tested) {
                Some(endpoint) => vec![self.deliver_to(&trial, endpoint).await],
                None => Vec::new(),
            };
        }
        let mut deliveries = Vec::new();
        for endpoint in tenant.index().matches(&event.topic) {
            deliveries.push(self.deliver_to(&trial, endpoint).await);
        }
        for group in tenant.index().matcher_groups() {
            match plugins.topic_matches(&group.plugin, &group.patterns, &event.topic).await {
                Ok(false) => {}
                Ok(true) => {
                    for endpoint in &group.endpoints {
                        deliveries.push(self.deliver_to(&trial, endpoint).await);
                    }
                }
                // Nobody can say whether they want it: held rather than lost.
                Err(error) => deliveries.extend(group.endpoints.iter().map(|endpoint| {
                    let (plugin, message) = (group.plugin.clone(), error.to_string());
                    let judgement =
                        Judgement { decision: Decision::Hold { plugin, message }, runs: Vec::new() };
                    trial.delivery(endpoint, self.verdict(judgement, 1))
                })),
            }
        }
        deliveries
    }

    /// The verdict on a delivery that was held, after `tries` tries.
    pub(super) async fn judge_again(&self, event: &Arc<Event>, endpoint: EndpointId, tries: u16) -> Verdict {
        let trial = self.trial(event);
        let found = trial.as_ref().and_then(|trial| Some((trial, trial.tenant.endpoint(endpoint)?)));
        let Some((trial, endpoint)) = found else {
            return Verdict { state: DeliveryState::Cancelled, ..plan::send() };
        };
        let tries = tries.saturating_add(1);
        match self.still_wanted(&trial.plugins, event, endpoint).await {
            Ok(()) => self.judge(trial, endpoint, tries).await,
            Err(decision) => self.verdict(Judgement { decision, runs: Vec::new() }, tries),
        }
    }

    fn trial(&self, event: &Arc<Event>) -> Option<Trial> {
        let tenant = self.directory.tenant(&event.tenant)?;
        let plugins = self.plugins.snapshot();
        Some(Trial { subject: Subject::new(Arc::clone(event)), tenant, plugins })
    }

    async fn deliver_to(&self, trial: &Trial, endpoint: &Arc<Endpoint>) -> NewDelivery {
        trial.delivery(endpoint, self.judge(trial, endpoint, 1).await)
    }

    /// The filter first: it costs least, and plugins see only what passed it.
    async fn judge(&self, trial: &Trial, endpoint: &Arc<Endpoint>, tries: u16) -> Verdict {
        match trial.tenant.filter(endpoint.id) {
            Some(Err(error)) => {
                return plan::unreadable(error, tries, &self.schedule, self.clock.now(), &mut rand::rng());
            }
            Some(Ok(filter)) => {
                if let Err(reason) = filter.judge(&trial.subject, endpoint) {
                    return plan::filtered(reason);
                }
            }
            None => {}
        }
        if endpoint.plugins.is_empty() {
            return plan::send();
        }
        self.verdict(trial.plugins.judge(&trial.subject, endpoint).await, tries)
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
        match plugins.topic_matches(&plugin, patterns, &event.topic).await {
            Ok(true) => Ok(()),
            Ok(false) => {
                Err(Decision::Drop { plugin, reason: "no pattern of the endpoint accepts the topic".into() })
            }
            Err(error) => Err(Decision::Hold { plugin, message: error.to_string() }),
        }
    }

    fn verdict(&self, judgement: Judgement, tries: u16) -> Verdict {
        plan::verdict(judgement, tries, &self.schedule, self.clock.now(), &mut rand::rng())
    }
}
