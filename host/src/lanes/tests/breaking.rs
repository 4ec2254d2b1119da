//! Receivers that are down: only probed, without using up what waits, however it waits.

use super::*;
use crate::lanes::BreakerState;

const LANE: EndpointId = EndpointId::from_u128(1);
const FAILURES: u128 = 10;

fn id(n: u128) -> DeliveryId {
    job(LANE, n).delivery
}

/// An attempt ends without a good answer.
fn failed(schedule: &mut Schedule, n: u128, now: UnixMs) -> Option<Turn> {
    let turn = schedule.sent(
        Ended { endpoint: LANE, delivery: id(n), is_final: false, signal: Signal::Down(Duration::ZERO) },
        now,
    );
    schedule.settled(LANE, id(n), Some(now.after(Duration::from_secs(5))));
    turn
}

fn succeeded(schedule: &mut Schedule, n: u128, now: UnixMs) -> Option<Turn> {
    let signal = Signal::Up(Duration::from_millis(5));
    let turn = schedule.sent(Ended { endpoint: LANE, delivery: id(n), is_final: true, signal }, now);
    schedule.settled(LANE, id(n), None);
    turn
}

/// A lane whose receiver failed so often, at [`NOW`], that its breaker is open.
fn broken() -> Schedule {
    let mut schedule = schedule(100, 100, 100);
    for n in 1..=FAILURES {
        assert!(schedule.offer(job(LANE, n), NOW, false));
        assert!(matches!(schedule.next(NOW, unlimited), Step::Run(_)));
        let opened = failed(&mut schedule, n, NOW).is_some();
        assert_eq!(opened, n == FAILURES);
    }
    schedule
}

/// When the next probe may start.
fn probe_at(schedule: &Schedule, now: UnixMs) -> UnixMs {
    let BreakerState::Open { probe_at, .. } = schedule.breaker(LANE, now) else { panic!("not open") };
    probe_at
}

/// The probe that the lane reads and starts at this time.
fn probe(schedule: &mut Schedule, n: u128, now: UnixMs) {
    let Step::Load(_, limit) = schedule.next(now, unlimited) else { panic!("nothing is read for a probe") };
    assert_eq!(limit, 1, "nothing but the probe is read");
    schedule.loaded(LANE, Due { jobs: vec![job(LANE, n)], next: Some(NOW) });
    assert!(matches!(schedule.next(now, unlimited), Step::Run(probe) if probe.delivery == id(n)));
}

#[test]
fn while_it_is_open_one_probe_starts_each_time_and_nothing_else() {
    let mut schedule = broken();
    assert!(!schedule.offer(job(LANE, 50), NOW, false), "it waits in the store, with all its attempts");
    schedule.added(LANE, NOW);
    let (mut now, mut waits) = (NOW, Vec::new());
    for n in 50..54 {
        let at = probe_at(&schedule, now);
        waits.push(at.since(now).as_secs());
        assert!(matches!(schedule.next(now, unlimited), Step::Wait(Some(until)) if until == at));
        now = at;
        probe(&mut schedule, n, now);
        assert!(matches!(schedule.next(now, unlimited), Step::Wait(_)), "one at a time");
        assert_eq!(failed(&mut schedule, n, now), None);
    }
    assert_eq!(waits, [1, 2, 4, 8]);
}

#[test]
fn a_probe_that_succeeds_lets_all_go_first_one_and_then_more() {
    let mut schedule = broken();
    schedule.added(LANE, NOW);
    let now = probe_at(&schedule, NOW);
    probe(&mut schedule, 50, now);
    assert_eq!(succeeded(&mut schedule, 50, now), Some(Turn::Closed(NOW)));
    assert_eq!(schedule.breaker(LANE, now), BreakerState::Closed);
    assert!(matches!(schedule.next(now, unlimited), Step::Load(..)));
    schedule.loaded(LANE, Due { jobs: (60..80).map(|n| job(LANE, n)).collect(), next: None });
    let mut at_once = Vec::new();
    for _ in 0..5 {
        let under_way = runs(&mut schedule);
        at_once.push(under_way.len());
        for (_, n) in under_way {
            succeeded(&mut schedule, n, now);
        }
    }
    assert_eq!(at_once, [2, 3, 5, 7, 3], "it is not met by all at once");
}

#[test]
fn what_waited_in_memory_goes_back_to_the_store() {
    let mut schedule = schedule(100, 100, 100);
    for n in 1..=30 {
        assert!(schedule.offer(job(LANE, n), NOW, false));
    }
    let mut started = 0;
    while started < FAILURES {
        match schedule.next(NOW, unlimited) {
            Step::Run(_) => started += 1,
            Step::Load(..) | Step::LoadInOrder(..) | Step::Wait(_) => {
                // The window let no more start: those under way fail.
                failed(&mut schedule, started, NOW);
            }
        }
    }
    for n in 1..=FAILURES {
        failed(&mut schedule, n, NOW);
    }
    let now = probe_at(&schedule, NOW);
    assert_eq!(runs(&mut schedule), []);
    probe(&mut schedule, 11, now);
}

#[test]
fn whoever_wants_to_know_now_gets_a_probe_now() {
    type Ask = fn(&mut Schedule);
    let asks: [Ask; 3] = [
        |schedule| schedule.probe_now(LANE, NOW),
        |schedule| schedule.changed(LANE, NOW),
        |schedule| {
            schedule.pause(LANE);
            schedule.resume(LANE, NOW);
        },
    ];
    for ask in asks {
        let mut schedule = broken();
        schedule.added(LANE, NOW);
        assert!(matches!(schedule.next(NOW, unlimited), Step::Wait(_)));
        ask(&mut schedule);
        probe(&mut schedule, 50, NOW);
    }
}

#[test]
fn an_event_that_tests_the_endpoint_is_the_probe() {
    let mut schedule = broken();
    schedule.added(LANE, NOW);
    assert!(matches!(schedule.next(NOW, unlimited), Step::Wait(_)));
    let mut test = job(LANE, 99);
    Arc::get_mut(&mut test.event).unwrap().test_of = Some(LANE);
    assert!(schedule.offer(test, NOW, false));
    assert_eq!(runs(&mut schedule), [(1, 99)]);
    assert_eq!(succeeded(&mut schedule, 99, NOW), Some(Turn::Closed(NOW)));
    assert!(matches!(schedule.next(NOW, unlimited), Step::Load(..)), "the rest follows");
}

#[test]
fn a_recovery_makes_nothing_due_for_a_receiver_that_is_down() {
    let mut schedule = broken();
    assert_eq!(schedule.room(LANE, Limits::default(), NOW), 0);
}

#[test]
fn the_probe_of_an_ordered_lane_is_the_first_of_a_line() {
    let mut schedule = schedule(100, 100, 100);
    let order = crate::model::OrderId::WHOLE;
    let ordered = move |_| Limits { order: Some(order), ..Limits::default() };
    let line = crate::model::Line::WHOLE;
    let mut now = NOW;
    for n in 1..=FAILURES {
        schedule.stored(LANE, now);
        let Step::LoadInOrder(load) = schedule.next(now, ordered) else { panic!("not read") };
        let jobs = vec![Job { line: Some(line), ..job(LANE, n) }];
        let found = crate::store::InOrder { jobs, ..Default::default() };
        schedule.loaded_in_order(LANE, found, order, load.dispatched);
        assert!(matches!(schedule.next(now, ordered), Step::Run(_)));
        failed(&mut schedule, n, now);
        now = now.after(Duration::from_secs(5));
    }
    let at = probe_at(&schedule, now.before(Duration::from_secs(5)));
    let Step::LoadInOrder(load) = schedule.next(at.max(now), ordered) else { panic!("no probe") };
    assert_eq!(load.limit, 1);
}

#[test]
fn after_a_start_an_endpoint_that_failed_is_probed_before_all_goes_out() {
    let mut schedule = schedule(100, 100, 100);
    schedule.suspect(LANE, UnixMs(3), NOW);
    schedule.stored(LANE, UnixMs(5));
    assert_eq!(schedule.breaker(LANE, NOW), BreakerState::HalfOpen { since: UnixMs(3) });
    probe(&mut schedule, 7, NOW);
    assert_eq!(failed(&mut schedule, 7, NOW), None);
    let BreakerState::Open { since, .. } = schedule.breaker(LANE, NOW) else { panic!("not open") };
    assert_eq!(since, UnixMs(3));
}

#[test]
fn nothing_is_remembered_of_a_receiver_that_works_and_of_an_endpoint_that_is_deleted() {
    let mut schedule = broken();
    schedule.delete(LANE);
    assert_eq!(schedule.breaker(LANE, NOW), BreakerState::Closed);
    assert!(schedule.is_empty());
}
