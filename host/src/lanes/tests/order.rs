//! Ordered lanes: one after another, nothing overtakes, whatever fails, waits or changes.

use super::*;
use crate::store::DueInOrder;

const LANE: EndpointId = EndpointId::from_u128(1);

fn ordered(_: EndpointId) -> Limits {
    Limits { ordered: true, ..Limits::default() }
}

fn found(events: impl IntoIterator<Item = u128>, next: Option<UnixMs>, awaits_dispatch: bool) -> DueInOrder {
    let jobs = events.into_iter().map(|n| job(LANE, n)).collect();
    DueInOrder { due: Due { jobs, next }, awaits_dispatch }
}

/// The load that the schedule asks for.
fn load(schedule: &mut Schedule, now: UnixMs) -> u64 {
    let Step::LoadInOrder(LANE, _, dispatched) = schedule.next(now, ordered) else {
        panic!("nothing is loaded")
    };
    dispatched
}

/// A lane that has read these.
fn with_ready(events: impl IntoIterator<Item = u128>) -> Schedule {
    let mut schedule = schedule(100, 100, 100);
    schedule.stored(LANE, NOW);
    let dispatched = load(&mut schedule, NOW);
    schedule.loaded_in_order(LANE, found(events, None, false), dispatched);
    schedule
}

/// The event that starts now, if one does.
fn starts(schedule: &mut Schedule) -> Option<u128> {
    match schedule.next(NOW, ordered) {
        Step::Run(job) => Some(job.delivery.event.as_u128()),
        Step::Load(..) | Step::LoadInOrder(..) | Step::Wait(_) => None,
    }
}

#[test]
fn the_next_starts_when_the_one_before_has_ended() {
    let mut schedule = with_ready([1, 2]);
    assert_eq!(starts(&mut schedule), Some(1));
    assert_eq!(starts(&mut schedule), None);
    schedule.sent(LANE, true);
    assert_eq!(starts(&mut schedule), Some(2));
}

#[test]
fn one_that_is_tried_again_holds_up_those_behind_it() {
    let mut schedule = with_ready([1, 2]);
    assert_eq!(starts(&mut schedule), Some(1));
    schedule.sent(LANE, false);
    schedule.stored(LANE, NOW);
    assert_eq!(starts(&mut schedule), None, "nothing is read before the store knows");
    schedule.settled(LANE, job(LANE, 1).delivery, Some(UnixMs(5_000)));
    let dispatched = load(&mut schedule, NOW);
    schedule.loaded_in_order(LANE, found([], Some(UnixMs(5_000)), false), dispatched);
    assert!(matches!(schedule.next(NOW, ordered), Step::Wait(Some(UnixMs(5_000)))));
    let dispatched = load(&mut schedule, UnixMs(5_000));
    schedule.loaded_in_order(LANE, found([1, 2], None, false), dispatched);
    assert_eq!(starts(&mut schedule), Some(1));
}

#[test]
fn an_ordered_delivery_is_never_taken_from_memory() {
    assert!(schedule(9, 9, 9).offer(job(LANE, 1), NOW, true).is_err());
}

#[test]
fn a_lane_that_waits_for_a_fan_out_is_read_again_after_the_next_one() {
    let mut schedule = with_ready([]);
    schedule.stored(LANE, NOW);
    let dispatched = load(&mut schedule, NOW);
    schedule.loaded_in_order(LANE, found([], None, true), dispatched);
    assert!(matches!(schedule.next(NOW, ordered), Step::Wait(None)));
    assert!(schedule.dispatched());
    load(&mut schedule, NOW);
    assert!(!schedule.dispatched(), "nobody waits any more");
}

#[test]
fn a_fan_out_that_ends_during_the_load_is_not_missed() {
    let mut schedule = with_ready([]);
    schedule.stored(LANE, NOW);
    let dispatched = load(&mut schedule, NOW);
    schedule.dispatched();
    schedule.loaded_in_order(LANE, found([], None, true), dispatched);
    load(&mut schedule, NOW);
}

#[test]
fn a_lane_that_becomes_ordered_reads_again_what_it_had_once_all_in_flight_is_settled() {
    let mut schedule = schedule(100, 2, 100);
    for n in 1..=4 {
        schedule.offer(job(LANE, n), NOW, false).unwrap();
    }
    assert_eq!(runs(&mut schedule).len(), 2);
    schedule.sent(LANE, true);
    assert_eq!(starts(&mut schedule), None);
    schedule.settled(LANE, job(LANE, 1).delivery, None);
    assert_eq!(starts(&mut schedule), None);
    schedule.sent(LANE, true);
    schedule.settled(LANE, job(LANE, 2).delivery, None);
    let dispatched = load(&mut schedule, NOW);
    schedule.loaded_in_order(LANE, found([3], None, false), dispatched);
    assert_eq!(starts(&mut schedule), Some(3));
    assert!(schedule.dispatched(), "the fourth may have been offered before its commit");
}

#[test]
fn a_load_in_the_order_of_before_is_not_used() {
    let mut schedule = schedule(100, 100, 100);
    schedule.stored(LANE, NOW);
    assert!(matches!(schedule.next(NOW, unlimited), Step::Load(..)));
    schedule.stored(LANE, NOW);
    assert!(matches!(schedule.next(NOW, ordered), Step::Wait(None)));
    schedule.loaded(LANE, Due { jobs: vec![job(LANE, 2), job(LANE, 1)], next: None });
    load(&mut schedule, NOW);
}

#[test]
fn a_lane_that_is_free_again_reads_what_its_order_kept_back() {
    let mut schedule = with_ready([]);
    schedule.stored(LANE, UnixMs(9_000));
    schedule.changed(LANE);
    assert!(matches!(schedule.next(NOW, unlimited), Step::Load(LANE, _)));
}

#[test]
fn a_stopped_lane_gives_nothing_and_reads_its_order_again_once_it_runs_and_all_is_settled() {
    let mut schedule = with_ready([1, 2]);
    assert_eq!(starts(&mut schedule), Some(1));
    schedule.pause(LANE);
    schedule.changed(LANE);
    schedule.sent(LANE, true);
    assert_eq!(starts(&mut schedule), None);
    schedule.resume(LANE);
    assert_eq!(starts(&mut schedule), None, "the store does not know yet what came of the first");
    schedule.settled(LANE, job(LANE, 1).delivery, None);
    let dispatched = load(&mut schedule, NOW);
    schedule.loaded_in_order(LANE, found([2], None, false), dispatched);
    assert_eq!(starts(&mut schedule), Some(2));
}

#[test]
fn what_an_ordered_load_brings_to_a_stopped_lane_stays_in_the_store() {
    let mut schedule = with_ready([]);
    schedule.stored(LANE, NOW);
    let dispatched = load(&mut schedule, NOW);
    schedule.pause(LANE);
    schedule.loaded_in_order(LANE, found([1], None, true), dispatched);
    schedule.dispatched();
    assert_eq!(starts(&mut schedule), None);
    schedule.resume(LANE);
    let dispatched = load(&mut schedule, NOW);
    schedule.loaded_in_order(LANE, found([1], None, false), dispatched);
    assert_eq!(starts(&mut schedule), Some(1));
}
