//! The span of an event's dispatch, and of each call of a plugin in it.
//!
//! Neither says what a plugin said: that may be of the payload. Plugins are asked one after another, so when each was asked follows from
//! when the first was.

use tokio::time::Instant;

use super::judge::Watch;
use crate::model::{
    DeliveryId, DeliveryState, EndpointId, Event, PluginRun, PluginRunOutcome, SpanId, TraceContext,
};
use crate::store::{NewDelivery, Verdict};
use crate::traces::{EventTrace, Kind, Moment, Span, Traces, below};

/// A dispatch that is under way.
pub(super) struct Dispatching {
    traces: Traces,
    place: (TraceContext, Option<SpanId>),
    begun: Moment,
    /// When each delivery began to be judged.
    judging: Vec<Instant>,
    deliveries: usize,
    /// Those that are not sent now.
    others: Vec<(DeliveryId, EndpointId, &'static str)>,
}

impl Dispatching {
    /// That of an event; `None` if nobody wants to know.
    pub(super) fn begin(traces: &Traces, event: &Event) -> Option<Self> {
        Self::at(traces, event, EventTrace::dispatched)
    }

    /// That of one delivery which is judged again.
    pub(super) fn again(traces: &Traces, event: &Event) -> Option<Self> {
        let mut begun = Self::at(traces, event, EventTrace::below)?;
        begun.judging();
        Some(begun)
    }

    fn at(
        traces: &Traces,
        event: &Event,
        place: fn(&EventTrace) -> (TraceContext, Option<SpanId>),
    ) -> Option<Self> {
        let trace = traces.of(event).filter(EventTrace::is_sampled)?;
        Some(Self {
            traces: traces.clone(),
            place: place(&trace),
            begun: traces.now()?,
            judging: Vec::new(),
            deliveries: 0,
            others: Vec::new(),
        })
    }

    /// What was judged of a new event.
    pub(super) fn judged_all(&mut self, event: &Event, deliveries: &[NewDelivery]) {
        for (new, ordinal) in deliveries.iter().zip(0_u16..) {
            self.judged(DeliveryId { event: event.key, ordinal }, new.endpoint, &new.verdict);
        }
    }

    /// What was judged of one delivery.
    pub(super) fn judged(&mut self, id: DeliveryId, endpoint: EndpointId, verdict: &Verdict) {
        let first = self.judging.get(self.deliveries).map_or(self.begun, |at| self.begun.until(*at));
        self.deliveries += 1;
        if verdict.state != DeliveryState::Pending {
            self.others.push((id, endpoint, verdict.state.name()));
        }
        let mut begun = first;
        for run in &verdict.plugins {
            let ended = begun.after(run.took);
            self.traces.record(self.call(run, (begun, ended), id, endpoint));
            begun = ended;
        }
    }

    fn call(
        &self,
        run: &PluginRun,
        time: (Moment, Moment),
        delivery: DeliveryId,
        endpoint: EndpointId,
    ) -> Span {
        let (outcome, has_failed) = match run.outcome {
            PluginRunOutcome::Passed => ("passed", false),
            PluginRunOutcome::Dropped(_) => ("dropped", false),
            PluginRunOutcome::Unchanged => ("unchanged", false),
            PluginRunOutcome::Replaced => ("replaced", false),
            PluginRunOutcome::Failed(_) => ("failed", true),
        };
        let (at, _) = &self.place;
        let span =
            Span::new(format!("plugin {}", run.plugin), Kind::Internal, &below(at), Some(at.span), time)
                .with("hookway.plugin.name", run.plugin.as_str())
                .with("hookway.plugin.version", &*run.version)
                .with("hookway.plugin.outcome", outcome)
                .with("hookway.delivery.id", delivery.to_string())
                .with("hookway.endpoint.id", endpoint.to_string());
        if has_failed { span.failed("plugin_failed") } else { span }
    }

    /// It is over.
    pub(super) fn end(self, event: &Event) {
        let (at, parent) = &self.place;
        let ended = self.begun.end();
        let span = Span::new("dispatch", Kind::Internal, at, *parent, (self.begun, ended))
            .about(event)
            .with("hookway.deliveries", self.deliveries);
        let span = self.others.iter().fold(span, |span, (delivery, endpoint, state)| {
            let about = [
                ("hookway.delivery.id", delivery.to_string().into()),
                ("hookway.endpoint.id", endpoint.to_string().into()),
            ];
            span.event(state, ended, about)
        });
        self.traces.record(span);
    }
}

impl Watch for Dispatching {
    fn judging(&mut self) {
        self.judging.push(Instant::now());
    }
}
