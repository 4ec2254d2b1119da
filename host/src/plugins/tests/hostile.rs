//! Guests that no compiler makes: each ends in its sentence, and another plugin on the same worker answers meanwhile.

use std::time::Duration;

use super::guests::{self, Shape, drop_with, filter, matcher_with};
use super::{Fixture, binding, endpoint, name, subject, turn_of};
use crate::model::OnFailure;
use crate::plugins::{Decision, Options, PluginSet, PluginState};

const LOOP: &str = "(loop $l (br $l))";
/// Long enough that the neighbour is called again and again, short enough for a test.
const DEADLINE: Duration = Duration::from_millis(100);
const INSTANCES: usize = 70;
const NEIGHBOUR_CALLS: usize = 20;

async fn with(hostile: &[u8], change: impl FnOnce(&mut Options)) -> Fixture {
    let files: [(&str, &[u8]); 2] = [("p.wasm", hostile), ("good.wasm", &filter("i32.const 0"))];
    Fixture::with(&files, |_, options| {
        *options = Options {
            deadline: DEADLINE,
            init_deadline: DEADLINE,
            instances: INSTANCES,
            concurrency: INSTANCES,
            ..Options::default()
        };
        change(options);
    })
    .await
}

/// What a judgement by `plugin` comes to.
async fn decision(set: &PluginSet, plugin: &str) -> Decision {
    set.judge(&subject("{}"), &endpoint(vec![binding(plugin, OnFailure::Hold)]), &[]).await.decision
}

/// What stands on the delivery of a hostile plugin, whose neighbour is asked while it runs and afterwards.
async fn held(fixture: &Fixture) -> String {
    let set = fixture.plugins.snapshot();
    let neighbour = async {
        for _ in 0..NEIGHBOUR_CALLS {
            assert_eq!(decision(&set, "good").await, Decision::Send(None));
            tokio::task::yield_now().await;
        }
    };
    let (hostile, ()) = tokio::join!(decision(&set, "p"), neighbour);
    assert_eq!(decision(&set, "good").await, Decision::Send(None));
    let Decision::Hold { plugin, message, .. } = hostile else { panic!("{hostile:?}") };
    assert_eq!(plugin, name("p"));
    message
}

async fn message(hostile: Shape<'_>) -> String {
    held(&with(&hostile.filter(), |_| {}).await).await
}

/// Why a file is not loaded; its neighbour is.
async fn refusal(hostile: &[u8]) -> String {
    let fixture = with(hostile, |_| {}).await;
    assert_eq!(decision(&fixture.plugins.snapshot(), "good").await, Decision::Send(None));
    let status = fixture.plugins.get(&name("p")).unwrap();
    assert_eq!(status.state(), PluginState::Degraded);
    status.rejected.unwrap().reason
}

#[tokio::test]
async fn a_loop_ends_wherever_it_is() {
    let too_long = "it ran past its deadline of 100 ms";
    let filter = format!("{LOOP} i32.const 0");
    assert_eq!(message(Shape { filter: &filter, ..Shape::default() }).await, too_long);
    assert_eq!(message(Shape { post: LOOP, ..Shape::default() }).await, too_long);
    // The host calls it to hand the configuration over.
    let realloc = format!("{LOOP} i32.const 0");
    let file = Shape { realloc: &realloc, ..Shape::default() }.filter_with_init();
    assert_eq!(held(&with(&file, |_| {}).await).await, too_long);
    let items = format!("(func $start {LOOP}) (start $start)");
    let start = refusal(&Shape { items: &items, ..Shape::default() }.filter()).await;
    assert_eq!(start, format!("the component does not start: {too_long}"));
}

#[tokio::test]
async fn memory_and_tables_end_at_their_limits() {
    let over = "it used more than 64 MiB of memory";
    let grow = "(loop $l (drop (memory.grow (i32.const 1))) (br $l)) i32.const 0";
    assert_eq!(message(Shape { filter: grow, ..Shape::default() }).await, over);
    for memory in ["1025", "65536"] {
        let large = refusal(&Shape { memory, ..Shape::default() }.filter()).await;
        assert_eq!(large, format!("the component does not start: {over}"), "{memory} pages");
    }
    let five_gib = refusal(&guests::memory_of("81920")).await;
    assert!(
        five_gib.starts_with("the file is not a valid component: memory size must be at most"),
        "{five_gib}"
    );
    let five_gib = refusal(&guests::memory_of("i64 81920")).await;
    assert!(five_gib.contains("memory64"), "{five_gib}");

    // Growing a table fails as the standard says, and the guest goes on.
    let items = "(table $t 1 funcref)";
    let grow = "(loop $l (br_if $l (i32.ne (table.grow $t (ref.null func) (i32.const 1000)) (i32.const -1))))
        (if (i32.gt_u (table.size $t) (i32.const 100000)) (then unreachable)) i32.const 0";
    let fixture = with(&Shape { items, filter: grow, ..Shape::default() }.filter(), |_| {}).await;
    assert_eq!(decision(&fixture.plugins.snapshot(), "p").await, Decision::Send(None));
    let items = "(table 2000000 funcref)";
    let large = refusal(&Shape { items, ..Shape::default() }.filter()).await;
    assert!(large.contains("table"), "{large}");
}

#[tokio::test]
async fn sixty_four_instances_at_their_limit_at_once_leave_nothing_behind() {
    // 63 MiB each, a byte of each page written, and then it waits for its end.
    let fill = format!(
        "(local $at i32)
        (drop (memory.grow (i32.const 1007)))
        (loop $next
          (i32.store8 (local.get $at) (i32.const 1))
          (local.set $at (i32.add (local.get $at) (i32.const 0x10000)))
          (br_if $next (i32.lt_u (local.get $at) (i32.const 0x3f00000))))
        {LOOP} i32.const 0"
    );
    let items = format!("(func $fill (result i32) {fill})");
    let file = Shape { items: &items, filter: "call $fill", ..Shape::default() }.filter();
    let fixture = with(&file, |options| options.deadline = Duration::from_secs(2)).await;
    let set = fixture.plugins.snapshot();
    let (subject, judged) = (subject("{}"), endpoint(vec![binding("p", OnFailure::Hold)]));
    let mut calls: Vec<_> = (0..64).map(|_| Box::pin(set.judge(&subject, &judged, &[]))).collect();
    for call in &mut calls {
        // Until each has filled its memory and goes round in its loop.
        assert!(turn_of(call).await.is_none());
    }
    assert!(fixture.plugins.runtime.pool.free_slots() <= INSTANCES - 64, "all are there at once");
    assert_eq!(decision(&set, "good").await, Decision::Send(None));
    for call in calls {
        let Decision::Hold { message, .. } = call.await.decision else { panic!() };
        assert_eq!(message, "it ran past its deadline of 2 s");
    }
    fixture.plugins.runtime.pool.sweep(tokio::time::Instant::now() + Duration::from_mins(2));
    assert_eq!(fixture.plugins.runtime.pool.free_slots(), INSTANCES);
}

#[tokio::test]
async fn an_answer_that_lies_about_where_it_is_is_malformed() {
    for (answer, words) in [
        (drop_with("i32.const 0xfffff000", "i32.const 100"), "out of bounds"),
        (drop_with("i32.const 64", "i32.const -1"), "out of bounds"),
        (drop_with("i32.const 65535", "i32.const 2"), "out of bounds"),
        (drop_with("i32.const 96", "i32.const 2"), "invalid utf-8"),
        ("i32.const -4".to_owned(), "pointer"),
        ("i32.const 65533".to_owned(), "pointer"),
        ("(i32.store8 (i32.const 0) (i32.const 7)) i32.const 0".to_owned(), "discriminant"),
    ] {
        let message = message(Shape { filter: &answer, ..Shape::default() }).await;
        assert!(
            message.starts_with("its output is malformed: ") && message.contains(words),
            "{answer}: {message}"
        );
    }
}

#[tokio::test]
async fn memory_that_realloc_gives_is_checked_before_it_is_written_to() {
    for realloc in ["i32.const -1", "i32.const 65535", "i32.const 0x7fffffff", "unreachable"] {
        let file = Shape { realloc, ..Shape::default() }.filter_with_init();
        let message = held(&with(&file, |_| {}).await).await;
        let is_told =
            message.starts_with("its output is malformed: realloc return") || message.contains("unreachable");
        assert!(is_told, "{realloc}: {message}");
    }
    let patterns = ["a/+".to_owned(), "b/#".to_owned()];
    // All pieces at the same place: the guest harms itself and gets wrong patterns.
    let fixture = with(&matcher_with("i32.const 1024"), |_| {}).await;
    assert_eq!(fixture.plugins.check_patterns(&name("p"), &patterns).await, Ok(()));
    let fixture = with(&matcher_with("i32.const 1023"), |_| {}).await;
    let unaligned = fixture.plugins.check_patterns(&name("p"), &patterns).await.unwrap_err().to_string();
    assert!(unaligned.contains("not aligned"), "{unaligned}");
}

#[tokio::test]
async fn contracts_of_the_future_are_refused_by_name() {
    let asynchronous = refusal(&guests::asynchronous()).await;
    assert!(asynchronous.contains("async"), "{asynchronous}");
    let newer = with(&guests::exporting("hookway:plugin/filter@1.1.0"), |_| {}).await;
    assert_eq!(decision(&newer.plugins.snapshot(), "p").await, Decision::Send(None));
    let other = refusal(&guests::exporting("hookway:plugin/filter@2.0.0")).await;
    assert!(other.contains("exports `hookway:plugin/filter@2.0.0`, this gateway speaks 1.x"), "{other}");
    let types = refusal(&guests::wrong_types()).await;
    assert!(types.contains("does not fit `hookway:plugin@1.0.0`"), "{types}");
}
