//! Asks the matchers and the plugins of the endpoints what becomes of an event.

use std::sync::Arc;

use super::Dispatch;
use super::plan;
use crate::model::{Endpoint, Event, Subscription};
use crate::plugins::{Decision, Judgement, PluginSet, Subject};
use crate::store::{NewDelivery, Verdict};

impl Dispatch {
    /// A delivery for each endpoint that wants the event, with its verdict. All are judged by one set of plugins.
    pub(super) async fn judge_all(&self, event: &Arc<Event>) -> Vec<NewDelivery> {
        let Some(index) = self.directory.index(&event.tenant) else { return Vec::new() };
        let plugins = self.plugins.snapshot();
        let subject = Subject::new(Arc::clone(event));
        let mut deliveries = Vec::new();
        for endpoint in index.matches(&event.topic) {
            deliveries.push(self.judge(&plugins, &subject, endpoint).await);
        }
        for group in index.matcher_groups() {
            match plugins.topic_matches(&group.plugin, &group.patterns, &event.topic).await {
                Ok(false) => {}
                Ok(true) => {
                    for endpoint in &group.endpoints {
                        deliveries.push(self.judge(&plugins, &subject, endpoint).await);
                    }
                }
                // Nobody can say whether they want it: held rather than lost.
                Err(error) => deliveries.extend(group.endpoints.iter().map(|endpoint| {
                    let (plugin, message) = (group.plugin.clone(), error.to_string());
                    let judgement =
                        Judgement { decision: Decision::Hold { plugin, message }, runs: Vec::new() };
                    NewDelivery { endpoint: endpoint.id, verdict: self.verdict(judgement, 1) }
                })),
            }
        }
        deliveries
    }

    /// The verdict on a delivery that was held, after `tries` tries.
    pub(super) async fn judge_again(
        &self,
        event: &Arc<Event>,
        endpoint: &Arc<Endpoint>,
        tries: u16,
    ) -> Verdict {
        let plugins = self.plugins.snapshot();
        let judgement = match self.still_wanted(&plugins, event, endpoint).await {
            Ok(()) => plugins.judge(&Subject::new(Arc::clone(event)), endpoint).await,
            Err(decision) => Judgement { decision, runs: Vec::new() },
        };
        self.verdict(judgement, tries.saturating_add(1))
    }

    async fn judge(&self, plugins: &PluginSet, subject: &Subject, endpoint: &Arc<Endpoint>) -> NewDelivery {
        let verdict = if endpoint.plugins.is_empty() {
            plan::send()
        } else {
            self.verdict(plugins.judge(subject, endpoint).await, 1)
        };
        NewDelivery { endpoint: endpoint.id, verdict }
    }

    /// Asks the matcher plugin of an endpoint again: it may be the one that failed.
    async fn still_wanted(
        &self,
        plugins: &PluginSet,
        event: &Event,
        endpoint: &Endpoint,
    ) -> Result<(), Decision> {
        let Subscription::Matcher { plugin, patterns } = &endpoint.subscription else { return Ok(()) };
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
