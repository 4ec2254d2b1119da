//! Which ids spans have, which of them are recorded, and what becomes of those that do not fit.

use bytes::Bytes;

use super::*;
use crate::metrics::Format;
use crate::model::{EnvelopeCache, EventKey, SpanId, TenantId, UnixMs};

fn event(n: u128, trace: Option<&str>) -> Event {
    let key = EventKey::new(UnixMs(1_710_513_000_000), n);
    let parent = |text: &str| TraceContext::of_headers([text.as_bytes()].into_iter(), std::iter::empty());
    Event {
        key,
        id: key.into(),
        tenant: TenantId::default(),
        topic: "a".parse().unwrap(),
        timestamp: jiff::Timestamp::UNIX_EPOCH,
        accepted_at: UnixMs(1),
        data: Bytes::from_static(b"1"),
        test_of: None,
        trace: trace.map(|text| Arc::new(parent(text).unwrap())),
        envelope: EnvelopeCache::default(),
    }
}

/// Traces that go to nobody: what listens at the port of discard does not speak HTTP.
fn traces(sample_ratio: f64) -> (Traces, Metrics) {
    let (metrics, endpoint) = (Metrics::default(), "http://127.0.0.1:9".parse().unwrap());
    let options = Options { endpoint: Some(endpoint), sample_ratio, ..Options::default() };
    let clock = Clock::starting_at(UnixMs(1_710_513_000_000));
    let (traces, _) = Traces::start(&options, clock, &metrics).unwrap();
    (traces, metrics)
}

#[tokio::test]
async fn an_event_without_a_producers_span_has_a_trace_of_its_own_that_is_found_again() {
    let (first, again) = (traces(1.0).0.of(&event(1, None)), traces(1.0).0.of(&event(1, None)));
    let (first, again) = (first.unwrap(), again.unwrap());
    assert_eq!(first.accepted(), again.accepted());
    assert_eq!(first.dispatched(), again.dispatched());
    assert_eq!(first.producer(), None);
    let (dispatched, parent) = first.dispatched();
    assert_eq!(parent, Some(first.accepted().span));
    let ((attempt, of), (other, _)) = (first.below(), again.below());
    assert_eq!(of, Some(dispatched.span));
    assert!(attempt.span != other.span && attempt.trace == dispatched.trace);
    let next = traces(1.0).0.of(&event(2, None)).unwrap();
    assert!(next.accepted().trace != dispatched.trace && next.accepted().span != first.accepted().span);
}

#[tokio::test]
async fn a_producers_trace_goes_on_and_its_word_on_sampling_counts() {
    let parent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
    for (ratio, flags, is_sampled) in [(0.0, "01", true), (1.0, "00", false)] {
        let event = event(1, Some(&parent.replace("-01", &format!("-{flags}"))));
        let trace = traces(ratio).0.of(&event).unwrap();
        assert_eq!(trace.is_sampled(), is_sampled);
        assert_eq!(trace.accepted().trace, event.trace.as_ref().unwrap().trace);
        assert_eq!(trace.producer().map(|producer| producer.span), SpanId::new(0x00f0_67aa_0ba9_02b7));
        assert!(trace.below().0.to_string().ends_with(flags));
    }
}

#[tokio::test]
async fn what_no_request_brought_begins_with_its_dispatch() {
    let traces = traces(1.0).0;
    let told = Event { topic: "hookway.endpoint.failed".parse().unwrap(), ..event(1, None) };
    assert_eq!(traces.of(&told).unwrap().dispatched().1, None);
}

#[tokio::test]
async fn of_the_traces_that_begin_here_a_part_is_recorded() {
    for (ratio, least, most) in [(0.0, 0, 0), (0.1, 60, 140), (0.5, 430, 570), (1.0, 1000, 1000)] {
        let traces = traces(ratio).0;
        let recorded = (0..1000).filter(|n| traces.of(&event(*n, None)).unwrap().is_sampled()).count();
        assert!((least..=most).contains(&recorded), "{ratio}: {recorded}");
    }
}

#[tokio::test]
async fn spans_that_do_not_fit_are_counted_and_nobody_waits() {
    let (traces, metrics) = traces(1.0);
    let event = event(1, None);
    let (now, trace) = (traces.now().unwrap(), traces.of(&event).unwrap());
    for _ in 0..QUEUE_SPANS + 5 {
        traces.record(Span::new("a", Kind::Internal, trace.accepted(), None, (now, now.end())));
    }
    let unsampled = TraceContext::root(trace.accepted().trace, trace.accepted().span, false);
    traces.record(Span::new("a", Kind::Internal, &unsampled, None, (now, now)));
    let text = metrics.to_text(Format::Prometheus);
    for line in ["hookway_trace_spans_total{result=\"queue_full\"} 5", "hookway_trace_waiting_spans 16384.0"]
    {
        assert!(text.lines().any(|one| one == line), "no {line}: {text}");
    }
}

#[test]
fn without_an_endpoint_nothing_is_made_and_what_came_is_handed_on() {
    let (metrics, none) = (Metrics::default(), Options { reach_receivers: false, ..Options::default() });
    let clock = Clock::starting_at(UnixMs(1));
    let start = |options: &Options| Traces::start(options, clock, &metrics).unwrap().0;
    let event = event(1, Some("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"));
    let traces = start(&Options::default());
    assert!(traces.now().is_none() && traces.of(&event).is_none());
    assert_eq!(traces.for_receiver(None, &event), event.trace.as_deref());
    assert_eq!(start(&none).for_receiver(None, &event), None);
}
