//! Calls into guests that behave and guests that do not.

use std::time::Duration;

use tokio::time::Instant;

use super::guests::{Shape, drop_with, filter, filter_with_init, matcher};
use super::{Fixture, binding, endpoint, event, name, subject, turn_of};
use crate::model::{Binding, OnFailure, PluginRunOutcome, TenantId};
use crate::plugins::{BindingError, Blame, CallError, Decision, Judgement};

const LOOP: &str = "(loop $l (br $l)) i32.const 0";

/// What the host says about a filter with this body.
async fn message_of(body: &str) -> String {
    let fixture = Fixture::start(&[("p.wasm", &filter(body))]).await;
    let judgement = judge(&fixture, vec![binding("p", OnFailure::Hold)]).await;
    let Decision::Hold { message, .. } = judgement.decision else { panic!("{judgement:?}") };
    message
}

async fn judge(fixture: &Fixture, bindings: Vec<Binding>) -> Judgement {
    fixture.plugins.snapshot().judge(&subject("{}"), &endpoint(bindings), &[]).await
}

#[tokio::test]
async fn a_filter_delivers_and_drops_and_both_are_recorded() {
    let dropping = filter(&drop_with("i32.const 64", "i32.const 7"));
    let fixture = Fixture::start(&[("keep.wasm", &filter("i32.const 0")), ("drop.wasm", &dropping)]).await;
    let bindings = ["keep", "drop", "keep"].map(|plugin| binding(plugin, OnFailure::Hold));
    let judgement = judge(&fixture, bindings.to_vec()).await;
    assert_eq!(judgement.decision, Decision::Drop { plugin: name("drop"), reason: "seen ü".into() });
    let outcomes: Vec<_> = judgement.runs.iter().map(|run| run.outcome.clone()).collect();
    assert_eq!(outcomes, [PluginRunOutcome::Passed, PluginRunOutcome::Dropped("seen ü".into())]);
    assert_eq!(judgement.runs[0].version.len(), 16);
}

#[tokio::test]
async fn a_loop_ends_at_the_deadline() {
    let files: [(&str, &[u8]); 1] = [("p.wasm", &filter(LOOP))];
    let fixture = Fixture::with(&files, |_, options| options.deadline = Duration::from_millis(50)).await;
    let started = Instant::now();
    let judgement = judge(&fixture, vec![binding("p", OnFailure::Hold)]).await;
    assert!(started.elapsed() >= Duration::from_millis(50));
    let message = "it ran past its deadline of 50 ms".to_owned();
    let (plugin, pause) = (name("p"), Duration::ZERO);
    assert_eq!(judgement.decision, Decision::Hold { plugin, message, blame: Blame::Event, pause });
}

#[tokio::test]
async fn a_loop_leaves_its_worker_to_other_tasks() {
    let fixture = Fixture::start(&[("p.wasm", &filter(LOOP))]).await;
    let other = tokio::spawn(async {
        for _ in 0..20 {
            tokio::task::yield_now().await;
        }
    });
    tokio::select! {
        biased;
        done = other => done.unwrap(),
        _ = judge(&fixture, vec![binding("p", OnFailure::Hold)]) => panic!("the loop kept the only worker"),
    }
}

#[tokio::test]
async fn each_way_to_die_has_its_sentence() {
    assert_eq!(
        message_of("unreachable").await,
        "it hit `unreachable` (a panic or abort) in function `the_filter`"
    );
    assert_eq!(
        message_of("(i32.div_u (i32.const 1) (i32.const 0))").await,
        "it trapped: division by zero in function `the_filter`"
    );
    assert_eq!(
        message_of("(call $deeper (i32.const 0))").await,
        "it overflowed its stack in function `deeper`"
    );
    assert_eq!(
        message_of("(drop (memory.grow (i32.const 2000))) i32.const 0").await,
        "it used more than 64 MiB of memory"
    );
    assert_eq!(
        message_of("(i32.load (i32.const -8))").await,
        "it trapped: out of bounds memory access in function `the_filter`"
    );
}

#[tokio::test]
async fn an_answer_that_cannot_be_read_is_the_plugins_failure() {
    for body in [
        drop_with("i32.const 0xfffff000", "i32.const 100"),
        drop_with("i32.const 64", "i32.const -1"),
        drop_with("i32.const 96", "i32.const 2"),
        "(i32.store8 (i32.const 4) (i32.const 9)) i32.const 0".to_owned(),
        "i32.const -4".to_owned(),
    ] {
        let message = message_of(&body).await;
        assert!(message.starts_with("its output is malformed: "), "{body}: {message}");
    }
    let grown =
        format!("(drop (memory.grow (i32.const 160))) {}", drop_with("i32.const 0", "i32.const 0xa00000"));
    assert_eq!(message_of(&grown).await, "its output is over the limit of 1 MiB");
}

#[tokio::test]
async fn an_instance_is_reused_until_it_fails() {
    let nth = |call: u32| {
        let trap =
            format!("(if (i32.eq (global.get $calls) (i32.const {call})) (then unreachable)) i32.const 0");
        filter(&trap)
    };
    let fixture = Fixture::start(&[("third.wasm", &nth(3))]).await;
    let mut failed = Vec::new();
    for call in 1..=9 {
        let judgement = judge(&fixture, vec![binding("third", OnFailure::Hold)]).await;
        if judgement.decision != Decision::Send(None) {
            failed.push(call);
        }
    }
    assert_eq!(failed, [3, 6, 9]);
    let status = fixture.plugins.get(&name("third")).unwrap();
    let usage = status.usage.unwrap();
    assert_eq!((usage.calls(), usage.errors()), (9, 3));
}

#[tokio::test]
async fn an_instance_serves_one_tenant_and_one_configuration() {
    let trap_at_second = "(if (i32.gt_u (global.get $calls) (i32.const 1)) (then unreachable)) i32.const 0";
    let fixture = Fixture::start(&[("p.wasm", &filter(trap_at_second))]).await;
    let set = fixture.plugins.snapshot();
    for (tenant, config) in [("a", "1"), ("b", "1"), ("a", "2")] {
        let bound = Binding { config: Some(config.into()), ..binding("p", OnFailure::Hold) };
        let mut endpoint = std::sync::Arc::unwrap_or_clone(endpoint(vec![bound]));
        endpoint.tenant = tenant.parse().unwrap();
        let judgement = set.judge(&subject("{}"), &std::sync::Arc::new(endpoint), &[]).await;
        assert_eq!(judgement.decision, Decision::Send(None), "{tenant} {config}");
    }
}

#[tokio::test]
async fn many_configurations_make_room_for_each_other() {
    let fixture =
        Fixture::with(&[("p.wasm", &filter("i32.const 0"))], |_, options| options.instances = 4).await;
    for config in 0..40 {
        let bound = Binding { config: Some(config.to_string().into()), ..binding("p", OnFailure::Hold) };
        assert_eq!(judge(&fixture, vec![bound]).await.decision, Decision::Send(None), "{config}");
    }
}

#[tokio::test]
async fn on_failure_decides_what_a_failure_means() {
    let fixture = Fixture::start(&[("bad.wasm", &filter("unreachable"))]).await;
    for plugin in ["bad", "missing"] {
        let open = judge(&fixture, vec![binding(plugin, OnFailure::Open)]).await;
        assert_eq!(open.decision, Decision::Send(None));
        assert!(matches!(open.runs[..], [ref run] if matches!(run.outcome, PluginRunOutcome::Failed(_))));
        let closed = judge(&fixture, vec![binding(plugin, OnFailure::Closed)]).await.decision;
        assert!(matches!(closed, Decision::Drop { reason, .. } if reason.contains("closed")));
        let hold = judge(&fixture, vec![binding(plugin, OnFailure::Hold)]).await.decision;
        assert!(matches!(hold, Decision::Hold { .. }));
    }
}

#[tokio::test]
async fn a_guest_that_says_never_is_refused_and_one_that_says_later_is_held() {
    let error = |case: u8| {
        format!(
            "(i32.store8 (i32.const 0) (i32.const 1)) (i32.store8 (i32.const 4) (i32.const {case}))
             (i32.store (i32.const 8) (i32.const 64)) (i32.store (i32.const 12) (i32.const 4)) i32.const 0"
        )
    };
    let files = [("never.wasm", filter(&error(0))), ("later.wasm", filter(&error(1)))];
    let fixture = Fixture::start(&files.each_ref().map(|(file, bytes)| (*file, bytes.as_slice()))).await;
    let never = judge(&fixture, vec![binding("never", OnFailure::Hold)]).await.decision;
    assert!(matches!(never, Decision::Refuse { message, .. } if message.ends_with(": seen")));
    let later = judge(&fixture, vec![binding("later", OnFailure::Hold)]).await.decision;
    assert!(matches!(later, Decision::Hold { message, .. } if message.ends_with(": seen")));
}

#[tokio::test]
async fn a_binding_is_asked_only_about_its_topics() {
    let fixture = Fixture::start(&[("bad.wasm", &filter("unreachable"))]).await;
    let mut bound = binding("bad", OnFailure::Hold);
    bound.topics = vec!["refunds/*".parse().unwrap()];
    let judgement = judge(&fixture, vec![bound]).await;
    assert_eq!(judgement, Judgement { decision: Decision::Send(None), runs: Vec::new() });
}

#[tokio::test]
async fn a_binding_that_cannot_work_is_refused_with_the_plugins_own_words() {
    let fixture = Fixture::start(&[("p.wasm", &filter_with_init("i32.const 0"))]).await;
    let check = async |config: &str, plugin: &str| {
        let bound = Binding { config: Some(config.into()), ..binding(plugin, OnFailure::Hold) };
        fixture.plugins.check_binding(&TenantId::default(), &bound).await
    };
    assert_eq!(check("{}", "p").await, Ok(()));
    assert_eq!(
        check("\"bad\"", "p").await,
        Err(BindingError::Refused { plugin: name("p"), error: CallError::Init("seen".into()) })
    );
    assert_eq!(check("{}", "q").await, Err(BindingError::Unknown(name("q"))));
    let patterns = fixture.plugins.check_patterns(&name("p"), &["a/+".to_owned()]).await;
    assert_eq!(patterns, Err(BindingError::NotAMatcher(name("p"))));
}

#[tokio::test]
async fn a_thousand_calls_that_are_cancelled_leave_nothing_behind() {
    const INSTANCES: usize = 4;
    let looping = filter_with_init(LOOP);
    let slow_start =
        Shape { realloc: "(loop $l (br $l)) i32.const 0", ..Shape::default() }.filter_with_init();
    let files: [(&str, &[u8]); 3] =
        [("loops.wasm", &looping), ("starts.wasm", &slow_start), ("good.wasm", &filter("i32.const 0"))];
    let fixture = Fixture::with(&files, |_, options| options.instances = INSTANCES).await;
    let set = fixture.plugins.snapshot();
    let event = subject("{}");
    let [loops, starts, good] =
        ["loops", "starts", "good"].map(|plugin| endpoint(vec![binding(plugin, OnFailure::Hold)]));
    let mut cancelled = 0;
    while cancelled < 1_000 {
        // Most are in the filter, some in `init`, and the fifth waits for an instance. Each is dropped after a turn or two.
        let judged = if cancelled % 4 == 0 { &starts } else { &loops };
        let mut calls: Vec<_> =
            (0..=cancelled % 5).map(|_| Box::pin(set.judge(&event, judged, &[]))).collect();
        for _ in 0..=cancelled % 2 {
            for call in &mut calls {
                assert!(turn_of(call).await.is_none());
            }
        }
        cancelled += calls.len();
        drop(calls);
        assert_eq!(set.judge(&event, &good, &[]).await.decision, Decision::Send(None));
    }
    let usage = fixture.plugins.get(&name("loops")).unwrap().usage.unwrap();
    assert_eq!(usage.calls(), 0, "no call came to an end");
    let runtime = &fixture.plugins.runtime;
    runtime.pool.sweep(Instant::now() + Duration::from_hours(1));
    assert_eq!(runtime.pool.free_slots(), INSTANCES);
    let metrics = runtime.engine.pooling_allocator_metrics().expect("a pool");
    assert_eq!((metrics.component_instances(), metrics.core_instances(), metrics.memories()), (0, 0, 0));
    assert_eq!((metrics.tables(), metrics.stacks()), (0, 0));
}

#[tokio::test]
async fn a_matcher_answers_each_topic_once_and_refuses_patterns_in_its_own_words() {
    let fixture = Fixture::start(&[("m.wasm", &matcher()), ("f.wasm", &filter("i32.const 0"))]).await;
    let (m, patterns) = (name("m"), ["a/+".to_owned(), "b/#".to_owned()]);
    assert_eq!(fixture.plugins.check_patterns(&m, &patterns).await, Ok(()));
    let none = fixture.plugins.check_patterns(&m, &[]).await.unwrap_err();
    assert_eq!(none.to_string(), "the plugin `m` does not accept this: it refused the patterns: no patterns");
    let set = fixture.plugins.snapshot();
    for (topic, expected) in [("orders/created", true), ("a/b", false), ("orders/created", true)] {
        assert_eq!(set.topic_matches(&m, &patterns, &event(1, topic, "1")).await, Ok(expected), "{topic}");
    }
    assert_eq!(fixture.plugins.get(&m).unwrap().usage.unwrap().calls(), 2);
    let not_a_matcher = set.topic_matches(&name("f"), &patterns, &event(1, "a/b", "1")).await;
    assert_eq!(not_a_matcher, Err(CallError::NotExported("topic-matcher")));
    let bound = fixture.plugins.check_binding(&TenantId::default(), &binding("m", OnFailure::Hold)).await;
    assert_eq!(bound, Err(BindingError::NotBindable(m)));
}
