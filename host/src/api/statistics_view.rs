//! How statistics are shown.

use std::time::Duration;

use schemars::JsonSchema;
use serde::Serialize;

use crate::model::{AttemptOutcome, DeliveryId, EndpointId, Latencies, Tally, TenantId, Topic, UnixMs};
use crate::openapi::Time;
use crate::store::{FailedAttempt, Standing, Statistics, StatisticsScope, Window};

/// What was counted of a tenant, a topic, an endpoint, or everything.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "Statistics")]
pub(super) struct StatisticsView {
    /// Of this tenant.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "TenantId")]
    tenant: Option<String>,
    /// Of this topic.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Topic")]
    topic: Option<String>,
    /// Of this endpoint.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "EndpointId")]
    endpoint_id: Option<String>,
    /// When the windows end.
    #[schemars(with = "Time")]
    at: String,
    /// What waits now.
    waiting: WaitingView,
    /// The last hour, day and week.
    windows: WindowsView,
    /// The last attempt of the week that did not succeed.
    last_error: Option<LastErrorView>,
}

/// How many deliveries wait.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "Waiting")]
struct WaitingView {
    /// For their first attempt.
    pending: u64,
    /// For another attempt.
    retrying: u64,
    /// For a plugin, a secret, or their endpoint to be active.
    held: u64,
}

/// The windows by their names.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "StatisticsWindows")]
struct WindowsView {
    /// The last hour.
    #[serde(rename = "1h")]
    hour: WindowView,
    /// The last 24 hours.
    #[serde(rename = "24h")]
    day: WindowView,
    /// The last 7 days.
    #[serde(rename = "7d")]
    week: WindowView,
}

/// What was counted in a window.
#[derive(Debug, Default, Serialize, JsonSchema)]
#[schemars(rename = "StatisticsWindow")]
struct WindowView {
    /// When it begins.
    #[schemars(with = "Time")]
    since: String,
    /// Delivered / (delivered + failed); `null` if none ended.
    delivery_rate: Option<f64>,
    /// Deliveries that began.
    created: i64,
    /// Deliveries that arrived.
    delivered: i64,
    /// Deliveries that were given up.
    failed: i64,
    /// Deliveries that a filter or plugin dropped.
    filtered: i64,
    /// Deliveries that were cancelled.
    cancelled: i64,
    /// The attempts that ended.
    attempts: AttemptsView,
}

/// The attempts of a window.
#[derive(Debug, Default, Serialize, JsonSchema)]
#[schemars(rename = "StatisticsAttempts")]
struct AttemptsView {
    /// All of them.
    total: i64,
    /// Those that did not succeed.
    failed: i64,
    /// Half of them took no longer than this; `null` if there were none.
    p50_ms: Option<f64>,
    /// 95 % took no longer.
    p95_ms: Option<f64>,
    /// 99 % took no longer.
    p99_ms: Option<f64>,
}

/// An attempt that did not succeed.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "LastError")]
struct LastErrorView {
    /// When it ended.
    #[schemars(with = "Time")]
    at: String,
    /// Of which delivery.
    #[schemars(with = "DeliveryId")]
    delivery_id: String,
    /// Which attempt of it.
    attempt: u16,
    /// The status of the answer; `null` where there was none.
    status: Option<u16>,
    /// `status` where there was an answer; else a kind as in `error` of an attempt.
    class: &'static str,
    /// A sentence for people.
    message: String,
}

impl StatisticsView {
    pub(super) fn new(scope: &StatisticsScope, at: UnixMs, found: &Statistics) -> Self {
        let (tenant, topic, endpoint) = match scope {
            StatisticsScope::All => (None, None, None),
            StatisticsScope::Tenant(tenant) => (Some(tenant), None, None),
            StatisticsScope::Topic(topic) => (None, Some(topic), None),
            StatisticsScope::TopicOfTenant(tenant, topic) => (Some(tenant), Some(topic), None),
            StatisticsScope::Endpoint(endpoint) => (None, None, Some(endpoint)),
        };
        let Standing { pending, retrying, held } = found.standing;
        let of = |asked| {
            let window = found.windows.iter().find(|(window, ..)| *window == asked);
            window.map(|(_, since, tally)| WindowView::new(*since, tally)).unwrap_or_default()
        };
        Self {
            tenant: tenant.map(ToString::to_string),
            topic: topic.map(ToString::to_string),
            endpoint_id: endpoint.map(ToString::to_string),
            at: at.to_string(),
            waiting: WaitingView { pending, retrying, held },
            windows: WindowsView { hour: of(Window::Hour), day: of(Window::Day), week: of(Window::Week) },
            last_error: found.last_error.as_ref().map(LastErrorView::from),
        }
    }
}

impl WindowView {
    fn new(since: UnixMs, tally: &Tally) -> Self {
        Self {
            since: since.to_string(),
            delivery_rate: tally.delivery_rate().map(|rate| (rate * 1e6).round() / 1e6),
            created: tally.created.max(0),
            delivered: tally.delivered.max(0),
            failed: tally.failed.max(0),
            filtered: tally.filtered.max(0),
            cancelled: tally.cancelled.max(0),
            attempts: AttemptsView {
                total: tally.latencies.count(),
                failed: tally.failed_attempts,
                p50_ms: percentile(&tally.latencies, 50),
                p95_ms: percentile(&tally.latencies, 95),
                p99_ms: percentile(&tally.latencies, 99),
            },
        }
    }
}

impl From<&FailedAttempt> for LastErrorView {
    fn from(FailedAttempt { at, delivery, attempt }: &FailedAttempt) -> Self {
        let (class, message) = match &attempt.outcome {
            AttemptOutcome::Answered { status, .. } => ("status", format!("the receiver answered {status}")),
            AttemptOutcome::Failed(error) => (error.class.name(), error.message.clone()),
        };
        Self {
            at: at.to_string(),
            delivery_id: delivery.to_string(),
            attempt: attempt.number,
            status: attempt.outcome.status(),
            class,
            message,
        }
    }
}

/// Milliseconds, with no more digits than are known: two, and three where the first is 1.
fn percentile(latencies: &Latencies, percent: u8) -> Option<f64> {
    let ms = latencies.percentile(percent).map(|took: Duration| took.as_secs_f64() * 1e3)?;
    let digit = 10_f64.powi(if ms >= 100.0 {
        0
    } else if ms >= 10.0 {
        1
    } else {
        2
    });
    Some((ms * digit).round() / digit)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::model::{Attempt, EventKey};

    #[test]
    fn a_rate_and_a_percentile_are_shown_as_exact_as_they_are() {
        let mut tally = Tally { created: 1_001, delivered: 997, failed: 3, filtered: -1, ..Tally::default() };
        tally.latencies.note(Duration::from_millis(124));
        let attempt = Attempt {
            number: 2,
            started_at: UnixMs(0),
            took: Duration::ZERO,
            request_headers: Vec::new(),
            outcome: AttemptOutcome::Answered {
                status: 503,
                headers: Vec::new(),
                body: "".into(),
                truncated: false,
            },
        };
        let delivery = DeliveryId { event: EventKey::from_u128(0), ordinal: 1 };
        let found = Statistics {
            windows: vec![(Window::Hour, UnixMs(0), tally)],
            standing: Standing { pending: 1, retrying: 2, held: 3 },
            last_error: Some(FailedAttempt { at: UnixMs(0), delivery, attempt }),
        };
        let scope = StatisticsScope::Tenant("acme".parse().unwrap());
        let view = serde_json::to_value(StatisticsView::new(&scope, UnixMs(0), &found)).unwrap();
        let hour = &view["windows"]["1h"];
        assert_eq!((&hour["delivery_rate"], &hour["filtered"]), (&json!(0.997), &json!(0)));
        let p50 = hour["attempts"]["p50_ms"].as_f64().unwrap();
        assert!((118.0..=130.0).contains(&p50) && p50.fract() == 0.0, "{p50}");
        assert_eq!(view["waiting"], json!({ "pending": 1, "retrying": 2, "held": 3 }));
        assert_eq!(view["tenant"], "acme");
        let last = &view["last_error"];
        assert_eq!(
            (&last["status"], &last["class"], &last["attempt"]),
            (&json!(503), &json!("status"), &json!(2))
        );
        assert_eq!(last["message"], "the receiver answered 503");
    }
}
