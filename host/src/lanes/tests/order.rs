//! Ordered lanes: line by line, nothing overtakes, whatever fails, waits or changes.

use std::collections::HashSet;

use super::*;
use crate::model::{Line, OrderId};
use crate::store::InOrder;

const LANE: EndpointId = EndpointId::from_u128(1);

fn whole(_: EndpointId) -> Limits {
    Limits { order: Some(OrderId::WHOLE), ..Limits::default() }
}

fn by_key() -> OrderId {
    "/id".parse::<crate::model::OrderingKey>().unwrap().order()
}

fn keyed(_: EndpointId) -> Limits {
    Limits { order: Some(by_key()), ..Limits::default() }
}

fn line(key: u128) -> Line {
    Line { order: by_key(), key }
}

fn id(n: u128) -> DeliveryId {
    job(LANE, n).delivery
}

/// These were found, each event with its line; lines were passed by; and where the look ended.
fn found(events: &[(u128, Line)], passed: &[Line], to: u128) -> InOrder {
    let jobs = events.iter().map(|(n, line)| Job { line: Some(*line), ..job(LANE, *n) }).collect();
    InOrder { jobs, passed: passed.iter().copied().collect(), looked_to: Some(id(to)), ..InOrder::default() }
}

/// These were found in an endpoint that is one line.
fn one_line(events: impl IntoIterator<Item = u128>, next: Option<UnixMs>, awaits_dispatch: bool) -> InOrder {
    let events: Vec<_> = events.into_iter().map(|n| (n, Line::WHOLE)).collect();
    let passed: &[Line] = if next.is_some() { &[Line::WHOLE] } else { &[] };
    InOrder { next, awaits_dispatch, ..found(&events, passed, 99) }
}

/// The load that the schedule asks for.
fn load(schedule: &mut Schedule, now: UnixMs, limits: fn(EndpointId) -> Limits) -> OrderedLoad {
    match schedule.next(now, limits) {
        Step::LoadInOrder(load) => load,
        other @ (Step::Run(_) | Step::Load(..) | Step::Wait(_)) => panic!("no load: {other:?}"),
    }
}

fn answer(schedule: &mut Schedule, load: OrderedLoad, found: InOrder) {
    schedule.loaded_in_order(load.endpoint, found, load.lookout.order, load.dispatched);
}

fn load_and_answer(schedule: &mut Schedule, now: UnixMs, found: InOrder) {
    let load = load(schedule, now, whole);
    answer(schedule, load, found);
}

/// A lane of one line that has read these.
fn with_ready(events: impl IntoIterator<Item = u128>) -> Schedule {
    let mut schedule = schedule(100, 100, 100);
    schedule.stored(LANE, NOW);
    load_and_answer(&mut schedule, NOW, one_line(events, None, false));
    schedule
}

/// A lane of several lines that has read this.
fn with_lines(found: InOrder) -> Schedule {
    let mut schedule = schedule(100, 100, 100);
    schedule.stored(LANE, NOW);
    let load = load(&mut schedule, NOW, keyed);
    answer(&mut schedule, load, found);
    schedule
}

/// The event that starts now, if one does.
fn starts_by(schedule: &mut Schedule, limits: fn(EndpointId) -> Limits) -> Option<u128> {
    match schedule.next(NOW, limits) {
        Step::Run(job) => Some(job.delivery.event.as_u128()),
        Step::Load(..) | Step::LoadInOrder(..) | Step::Wait(_) => None,
    }
}

fn starts(schedule: &mut Schedule) -> Option<u128> {
    starts_by(schedule, whole)
}

fn all_that_start(schedule: &mut Schedule) -> Vec<u128> {
    std::iter::from_fn(|| starts_by(schedule, keyed)).collect()
}

#[test]
fn the_next_starts_when_the_one_before_has_ended() {
    let mut schedule = with_ready([1, 2]);
    assert_eq!(starts(&mut schedule), Some(1));
    assert_eq!(starts(&mut schedule), None);
    sent(&mut schedule, LANE, id(1), true);
    assert_eq!(starts(&mut schedule), Some(2));
}

#[test]
fn one_that_is_tried_again_holds_up_those_behind_it() {
    let mut schedule = with_ready([1, 2]);
    assert_eq!(starts(&mut schedule), Some(1));
    sent(&mut schedule, LANE, id(1), false);
    schedule.settled(LANE, id(1), Some(UnixMs(5_000)));
    assert!(matches!(schedule.next(NOW, whole), Step::Wait(Some(UnixMs(5_000)))));
    load_and_answer(&mut schedule, UnixMs(5_000), one_line([1, 2], None, false));
    assert_eq!(starts(&mut schedule), Some(1));
}

#[test]
fn an_ordered_delivery_is_never_taken_from_memory() {
    assert!(!schedule(9, 9, 9).offer(job(LANE, 1), NOW, true));
}

#[test]
fn lines_run_beside_each_other_and_each_in_its_order() {
    let mut schedule = with_lines(found(&[(1, line(1)), (2, line(2)), (3, line(1)), (4, line(3))], &[], 4));
    assert_eq!(all_that_start(&mut schedule), [1, 2, 4]);
    sent(&mut schedule, LANE, id(2), true);
    assert_eq!(all_that_start(&mut schedule), [0; 0]);
    sent(&mut schedule, LANE, id(1), true);
    assert_eq!(all_that_start(&mut schedule), [3]);
}

#[test]
fn one_that_is_tried_again_holds_up_its_own_line_only() {
    let mut schedule = with_lines(found(&[(1, line(1)), (2, line(1)), (3, line(2)), (4, line(2))], &[], 4));
    assert_eq!(all_that_start(&mut schedule), [1, 3]);
    sent(&mut schedule, LANE, id(1), false);
    schedule.settled(LANE, id(1), Some(UnixMs(5_000)));
    sent(&mut schedule, LANE, id(3), true);
    assert_eq!(all_that_start(&mut schedule), [4]);
    schedule.added(LANE, NOW);
    let load = load(&mut schedule, NOW, keyed);
    assert_eq!(load.lookout.after, Some(id(4)), "what is behind the first need not be looked at");
    assert_eq!(load.lookout.passed, HashSet::from([line(1)]));
}

#[test]
fn the_store_is_read_while_lines_are_busy_and_told_of_them() {
    let mut schedule = with_lines(found(&[(1, line(1)), (2, line(1)), (3, line(2))], &[], 3));
    assert_eq!(all_that_start(&mut schedule), [1, 3]);
    sent(&mut schedule, LANE, id(3), true);
    schedule.added(LANE, NOW);
    let load = load(&mut schedule, NOW, keyed);
    let known = [(id(1), line(1)), (id(2), line(1)), (id(3), line(2))];
    assert_eq!(load.lookout.known, known.into());
    answer(&mut schedule, load, found(&[(4, line(4))], &[line(2)], 5));
    assert_eq!(all_that_start(&mut schedule), [4]);
}

#[test]
fn what_was_passed_by_behind_a_busy_one_is_read_once_that_is_settled() {
    let mut schedule = with_lines(found(&[(1, line(1)), (2, line(2))], &[line(1)], 9));
    assert_eq!(all_that_start(&mut schedule), [1, 2]);
    sent(&mut schedule, LANE, id(2), true);
    schedule.settled(LANE, id(2), None);
    assert!(matches!(schedule.next(NOW, keyed), Step::Wait(None)), "nothing of that line was passed by");
    sent(&mut schedule, LANE, id(1), true);
    schedule.settled(LANE, id(1), None);
    assert_eq!(load(&mut schedule, NOW, keyed).lookout.after, None);
}

#[test]
fn one_that_is_settled_during_the_load_that_passed_its_line_by_is_not_missed() {
    let mut schedule = with_lines(found(&[(1, line(1))], &[], 1));
    assert_eq!(all_that_start(&mut schedule), [1]);
    schedule.added(LANE, NOW);
    let under_way = load(&mut schedule, NOW, keyed);
    sent(&mut schedule, LANE, id(1), true);
    schedule.settled(LANE, id(1), None);
    answer(&mut schedule, under_way, found(&[], &[line(1)], 2));
    assert_eq!(load(&mut schedule, NOW, keyed).lookout.after, None);
}

#[test]
fn a_lane_that_waits_for_a_fan_out_is_read_again_after_the_next_one() {
    let mut schedule = with_ready([]);
    schedule.stored(LANE, NOW);
    load_and_answer(&mut schedule, NOW, one_line([], None, true));
    assert!(matches!(schedule.next(NOW, whole), Step::Wait(None)));
    assert!(schedule.dispatched());
    load(&mut schedule, NOW, whole);
    assert!(!schedule.dispatched(), "nobody waits any more");
}

#[test]
fn a_fan_out_that_ends_during_the_load_is_not_missed() {
    let mut schedule = with_ready([]);
    schedule.stored(LANE, NOW);
    let under_way = load(&mut schedule, NOW, whole);
    schedule.dispatched();
    answer(&mut schedule, under_way, one_line([], None, true));
    load(&mut schedule, NOW, whole);
}

#[test]
fn a_lane_that_becomes_ordered_reads_again_what_it_had_once_all_in_flight_is_settled() {
    let mut schedule = schedule(100, 2, 100);
    for n in 1..=4 {
        assert!(schedule.offer(job(LANE, n), NOW, false));
    }
    assert_eq!(runs(&mut schedule).len(), 2);
    sent(&mut schedule, LANE, id(1), true);
    assert_eq!(starts(&mut schedule), None);
    schedule.settled(LANE, id(1), None);
    assert_eq!(starts(&mut schedule), None);
    sent(&mut schedule, LANE, id(2), true);
    schedule.settled(LANE, id(2), None);
    load_and_answer(&mut schedule, NOW, one_line([3], None, false));
    assert_eq!(starts(&mut schedule), Some(3));
    assert!(schedule.dispatched(), "the fourth may have been offered before its commit");
}

#[test]
fn a_lane_that_gets_another_key_waits_for_what_goes_by_the_old_one() {
    let mut schedule = with_ready([1, 2]);
    assert_eq!(starts(&mut schedule), Some(1));
    schedule.changed(LANE, NOW);
    assert_eq!(all_that_start(&mut schedule), [0; 0]);
    sent(&mut schedule, LANE, id(1), true);
    schedule.settled(LANE, id(1), None);
    let load = load(&mut schedule, NOW, keyed);
    assert_eq!((load.lookout.after, load.lookout.known.len()), (None, 0));
    answer(&mut schedule, load, found(&[(2, line(1))], &[], 2));
    assert_eq!(all_that_start(&mut schedule), [2]);
}

#[test]
fn a_load_in_the_order_of_before_is_not_used() {
    let mut schedule = schedule(100, 100, 100);
    schedule.stored(LANE, NOW);
    assert!(matches!(schedule.next(NOW, unlimited), Step::Load(..)));
    schedule.stored(LANE, NOW);
    assert!(matches!(schedule.next(NOW, whole), Step::Wait(None)));
    schedule.loaded(LANE, Due { jobs: vec![job(LANE, 2), job(LANE, 1)], next: None });
    let under_way = load(&mut schedule, NOW, whole);
    schedule.changed(LANE, NOW);
    assert!(matches!(schedule.next(NOW, keyed), Step::Wait(None)));
    answer(&mut schedule, under_way, one_line([1, 2], None, false));
    load(&mut schedule, NOW, keyed);
}

#[test]
fn a_lane_that_is_free_again_reads_what_its_order_kept_back() {
    let mut schedule = with_ready([]);
    schedule.stored(LANE, UnixMs(9_000));
    schedule.changed(LANE, NOW);
    assert!(matches!(schedule.next(NOW, unlimited), Step::Load(LANE, _)));
}

#[test]
fn a_stopped_lane_gives_nothing_and_reads_its_order_again_once_it_runs() {
    let mut schedule = with_ready([1, 2]);
    assert_eq!(starts(&mut schedule), Some(1));
    schedule.pause(LANE);
    schedule.changed(LANE, NOW);
    sent(&mut schedule, LANE, id(1), true);
    assert_eq!(starts(&mut schedule), None);
    schedule.resume(LANE, NOW);
    let load = load(&mut schedule, NOW, whole);
    let known = [(id(1), Line::WHOLE)];
    assert_eq!(load.lookout.known, known.into(), "the store does not know yet what came of the first");
    answer(&mut schedule, load, found(&[], &[Line::WHOLE], 2));
    assert_eq!(starts(&mut schedule), None);
    schedule.settled(LANE, id(1), None);
    load_and_answer(&mut schedule, NOW, one_line([2], None, false));
    assert_eq!(starts(&mut schedule), Some(2));
}

#[test]
fn what_an_ordered_load_brings_to_a_stopped_lane_stays_in_the_store() {
    let mut schedule = with_ready([]);
    schedule.stored(LANE, NOW);
    let under_way = load(&mut schedule, NOW, whole);
    schedule.pause(LANE);
    answer(&mut schedule, under_way, one_line([1], None, true));
    schedule.dispatched();
    assert_eq!(starts(&mut schedule), None);
    schedule.resume(LANE, NOW);
    load_and_answer(&mut schedule, NOW, one_line([1], None, false));
    assert_eq!(starts(&mut schedule), Some(1));
}

#[test]
fn a_deleted_lane_with_lines_leaves_nothing_behind() {
    let mut schedule = with_lines(found(&[(1, line(1)), (2, line(1))], &[line(2)], 9));
    assert_eq!(all_that_start(&mut schedule), [1]);
    schedule.delete(LANE);
    sent(&mut schedule, LANE, id(1), false);
    schedule.settled(LANE, id(1), None);
    assert!(schedule.is_empty());
}

#[test]
fn a_claim_of_one_in_a_line_gives_the_line_back_to_the_store_and_leaves_the_others() {
    let (one, other) = (line(1), line(2));
    let mut schedule = with_lines(found(&[(1, one), (2, one), (3, other), (4, one)], &[], 4));
    assert_eq!(all_that_start(&mut schedule), [1, 3]);
    assert!(schedule.claim(LANE, id(2)), "it stands behind one that is under way");
    sent(&mut schedule, LANE, id(1), true);
    schedule.settled(LANE, id(1), None);
    assert_eq!(starts_by(&mut schedule, keyed), None, "nothing of its line starts meanwhile");
    schedule.put_back(LANE, id(2));
    let again = load(&mut schedule, NOW, keyed);
    assert_eq!(again.lookout.after, None, "from the beginning");
    answer(&mut schedule, again, found(&[(4, one)], &[], 4));
    assert_eq!(all_that_start(&mut schedule), [4]);
}
