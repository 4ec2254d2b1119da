//! A clock that is set by a day before a start: nothing comes late by that, early, or all at once.

use super::receiver::Mode;
use super::run::run;
use super::script::{Action, Batch, Limits, Plan, Setup, Step};
use super::*;

const BATCH: Batch = Batch { tenant: "acme", topic: "orders/created", events: 12, own_ids: true };
const AT_ONCE: Duration = Duration::ZERO;
const RETRY: Duration = Duration::from_hours(2);

fn setup(limits: Limits) -> Setup {
    let retry = Some(vec![RETRY.as_secs()]);
    let plan = Plan { tenant: "acme", limits, retry, ..Plan::of_operations() };
    Setup::narrow(plan)
}

/// When each POST began, and its number, of a run in which an attempt of each of 12 events fails and 12 more wait for their first when
/// the clock is set and the process killed. All rules hold.
fn posts(hours: i64, limits: Limits) -> Vec<(Duration, u16)> {
    let step = |after, action| Step { after, action };
    let steps = vec![
        step(Duration::from_secs(1), Action::Receiver(0, Mode::Status(500))),
        step(AT_ONCE, Action::Post(BATCH)),
        step(Duration::from_mins(10), Action::Receiver(0, Mode::Fine(20))),
        step(AT_ONCE, Action::Post(BATCH)),
        step(AT_ONCE, Action::SetClock(hours)),
        step(AT_ONCE, Action::Kill),
        step(RETRY * 2, Action::Receiver(0, Mode::Fine(20))),
    ];
    let script = Script { seed: 1, setup: setup(limits), steps };
    let ran = run(&script, &Fixture::new(), None);
    let history = ran.world.history();
    check(&script, &history, &ran.outcome.unwrap()).unwrap();
    assert_eq!(history.lives.len(), 2);
    let posts = history.posts.iter().filter(|post| post.endpoint == 0);
    posts.map(|post| (Duration::from_millis(post.began.at), post.number)).collect()
}

#[test]
fn a_clock_that_was_set_back_a_day_makes_nothing_late_and_nothing_early() {
    let posts = posts(-24, Limits::default());
    let (first, again): (Vec<_>, Vec<_>) = posts.into_iter().partition(|(_, number)| *number == 1);
    let latest = first.iter().max().unwrap().0;
    assert!(first.len() >= 24 && latest < Duration::from_mins(15), "{latest:?}");
    assert_eq!(again.len(), 12);
    for (at, _) in again {
        // It was told of ten minutes before the kill, and nothing since.
        assert!((RETRY.mul_f64(0.8)..RETRY.mul_f64(1.2) + Duration::from_mins(15)).contains(&at), "{at:?}");
    }
}

#[test]
fn what_is_due_at_once_after_a_jump_forward_comes_at_the_limit() {
    const RATE: u32 = 2;
    let posts = posts(24, Limits { rate: RATE, burst: 0 });
    let mut again: Vec<_> = posts.into_iter().filter(|(_, number)| *number == 2).map(|(at, _)| at).collect();
    again.sort_unstable();
    assert_eq!(again.len(), 12);
    assert!(again[0] < Duration::from_mins(15), "by the clock they are due: {again:?}");
    assert!(again[11] - again[0] >= Duration::from_secs(5), "{again:?}");
}
