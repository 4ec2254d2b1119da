//! Headers as they come, hostile ones included.

use proptest::prelude::*;

use super::*;

const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";
const PARENT: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

fn of(parents: &[&str], states: &[&str]) -> Option<TraceContext> {
    TraceContext::of_headers(
        parents.iter().map(|text| text.as_bytes()),
        states.iter().map(|text| text.as_bytes()),
    )
}

fn state(states: &[&str]) -> Option<String> {
    of(&[PARENT], states).unwrap().state.map(String::from)
}

#[test]
fn a_traceparent_is_read_and_written() {
    let context = of(&[PARENT], &["congo=t61rcWkgMzE"]).unwrap();
    assert_eq!(context.trace.bits(), 0x4bf9_2f35_77b3_4da6_a3ce_929d_0e0e_4736);
    assert_eq!(context.span.bits(), 0x00f0_67aa_0ba9_02b7);
    assert!(context.is_sampled());
    assert_eq!(context.to_string(), PARENT);
    assert_eq!(context.state.as_deref(), Some("congo=t61rcWkgMzE"));
    assert_eq!(TraceContext::stored(context.to_stored()), Some(context));
    assert!(!of(&[&PARENT.replace("-01", "-00")], &[]).unwrap().is_sampled());
}

#[test]
fn what_is_known_of_a_later_version_is_read() {
    for (text, written) in [
        (format!("01-{TRACE}-00f067aa0ba902b7-01"), PARENT.to_owned()),
        (format!("cc-{TRACE}-00f067aa0ba902b7-01-what-the-future-brings"), PARENT.to_owned()),
        (format!("fe-{TRACE}-00f067aa0ba902b7-09-"), PARENT.to_owned()),
    ] {
        assert_eq!(of(&[&text], &[]).unwrap().to_string(), written, "{text}");
    }
    // Handed on by somebody who takes no part in the trace, flags stay as they are; in a span of ours unknown ones go.
    let reserved = of(&[&PARENT.replace("-01", "-f9")], &[]).unwrap();
    assert!(reserved.to_string().ends_with("-f9"));
    assert!(reserved.at(SpanId::new(1).unwrap()).to_string().ends_with("-0000000000000001-01"));
}

#[test]
fn what_is_no_traceparent_is_none() {
    for text in [
        String::new(),
        "00".to_owned(),
        format!("00-{TRACE}-00f067aa0ba902b7"),
        format!("00-{TRACE}-00f067aa0ba902b7-"),
        format!("00-{TRACE}-00f067aa0ba902b7-1"),
        format!("00-{TRACE}-00f067aa0ba902b7-01-"),
        format!("00-{TRACE}-00f067aa0ba902b7-01-more"),
        format!("00-{TRACE}-00f067aa0ba902b7-011"),
        format!("01-{TRACE}-00f067aa0ba902b7-01.more"),
        format!("ff-{TRACE}-00f067aa0ba902b7-01"),
        format!("0-{TRACE}-00f067aa0ba902b7-001"),
        format!("+0-{TRACE}-00f067aa0ba902b7-01"),
        format!("00-{}-00f067aa0ba902b7-01", TRACE.to_uppercase()),
        format!("00-{TRACE}-00F067AA0BA902B7-01"),
        format!("00-{TRACE}-00f067aa0ba902b7-0A"),
        format!("00-{TRACE}-0000000000000000-01"),
        "00-00000000000000000000000000000000-00f067aa0ba902b7-01".to_owned(),
        format!("00_{TRACE}_00f067aa0ba902b7_01"),
        format!("00-{TRACE}-00f067aa0ba902b7-0\u{fc}"),
        format!(" {PARENT}"),
        format!("{PARENT}\0"),
        "0".repeat(100_000),
    ] {
        assert_eq!(of(&[&text], &[]), None, "{text:.80}");
    }
    assert_eq!(of(&[], &["a=1"]), None);
    assert_eq!(of(&[PARENT, PARENT], &[]), None, "two of them");
}

#[test]
fn a_tracestate_is_kept_as_it_came() {
    assert_eq!(
        state(&["rojo=00f067aa0ba902b7,congo=t61rcWkgMzE"]).unwrap(),
        "rojo=00f067aa0ba902b7,congo=t61rcWkgMzE"
    );
    assert_eq!(state(&["a=1 , b=2\t,, ", "tenant@vendor=x !~"]).unwrap(), "a=1,b=2,tenant@vendor=x !~");
    assert_eq!(state(&["0a-_*/=1"]).unwrap(), "0a-_*/=1");
    assert_eq!(state(&[]), None);
    assert_eq!(state(&["", " , "]), None);
}

#[test]
fn one_member_that_is_none_makes_the_whole_list_none_and_not_the_trace() {
    let many = (0..33).map(|n| format!("k{n}=1")).collect::<Vec<_>>().join(",");
    let long_key = format!("{}=1", "k".repeat(257));
    let long_value = format!("k={}", "v".repeat(257));
    for text in [
        "a",
        "=1",
        "a=",
        "A=1",
        "a=1=2",
        "a b=1",
        "a=\u{fc}",
        "a=1\n",
        "-a=1",
        "a=1,a=2",
        &many,
        &long_key,
        &long_value,
    ] {
        assert_eq!(state(&["good=1", text]), None, "{text:.40}");
    }
    assert!(state(&[&many[..many.len() - 6]]).is_some(), "32 are not too many");
}

#[test]
fn of_a_list_that_is_too_long_whole_members_go_long_ones_first() {
    let long = format!("long={}", "x".repeat(200));
    let short: Vec<_> = (0..10).map(|n| format!("k{n}={}", "y".repeat(46))).collect();
    let all = format!("{},{long},{}", short[..5].join(","), short[5..].join(","));
    assert_eq!(state(&[&all]).unwrap(), short.join(","));
    let many: Vec<_> = (0..20).map(|n| format!("k{n:02}={}", "y".repeat(46))).collect();
    let kept = state(&[&many.join(",")]).unwrap();
    assert_eq!(kept, many[..10].join(","));
    assert!(kept.len() <= 512);
}

proptest! {
    #[test]
    fn whatever_comes_is_read_or_not_and_never_a_panic(
        parents in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..80), 0..3),
        states in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..700), 0..3),
    ) {
        let (parents, states) = (parents.iter().map(Vec::as_slice), states.iter().map(Vec::as_slice));
        if let Some(context) = TraceContext::of_headers(parents, states) {
            prop_assert_eq!(TraceContext::stored(context.to_stored()), Some(context));
        }
    }

    #[test]
    fn texts_like_the_real_ones_too(parent in "[0-9a-f]{2}-[0-9a-fA-F]{31,33}-[0-9a-f]{15,17}-[0-9a-f]{2}-?.{0,3}", state in "([a-z@]{1,5}=[ -~]{0,60},){0,40}") {
        let context = of(&[&parent], &[&state]);
        if let Some(context) = context {
            prop_assert!(context.state.as_deref().is_none_or(|state| state.len() <= 512));
            prop_assert_eq!(TraceContext::stored(context.to_stored()), Some(context));
        }
    }

    #[test]
    fn what_is_written_is_read(trace in 1_u128.., span in 1_u64.., flags: u8, state in "[a-z][a-z0-9]{0,9}=[!-+.-<>-~]{1,40}") {
        let context = TraceContext {
            trace: TraceId::new(trace).unwrap(),
            span: SpanId::new(span).unwrap(),
            flags,
            state: Some(state.clone().into()),
        };
        prop_assert_eq!(of(&[&context.to_string()], &[&state]), Some(context));
    }
}
