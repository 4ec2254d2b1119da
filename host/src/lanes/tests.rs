//! The schedule, step by step, in a time of its own.

mod breaking;
mod claims;
mod limits;
mod neighbours;
mod order;
mod properties;
mod simulation;

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;

use super::Options;
use super::breakers::Turn;
use super::schedule::{Ended, Schedule};
use super::signal::Signal;
use super::step::{Limits, OrderedLoad, Step};
use crate::model::{DeliveryId, EndpointId, EnvelopeCache, Event, EventKey, Job, TenantId, UnixMs};
use crate::store::Due;

const NOW: UnixMs = UnixMs(1_000);

fn schedule(max_in_flight: usize, per_endpoint: usize, lane_buffer: usize) -> Schedule {
    Schedule::new(Options {
        max_in_flight,
        max_in_flight_per_endpoint: per_endpoint,
        lane_buffer,
        ..Options::default()
    })
}

fn endpoint(n: u128) -> EndpointId {
    EndpointId::from_u128(n)
}

fn job(endpoint: EndpointId, n: u128) -> Job {
    let key = EventKey::from_u128(n);
    let event = Event {
        key,
        id: key.into(),
        tenant: TenantId::default(),
        topic: "a/b".parse().unwrap(),
        timestamp: jiff::Timestamp::UNIX_EPOCH,
        accepted_at: NOW,
        data: Bytes::from_static(b"{}"),
        test_of: None,
        trace: None,
        envelope: EnvelopeCache::default(),
    };
    Job {
        delivery: DeliveryId { event: key, ordinal: 0 },
        endpoint,
        attempts: 0,
        schedule_from: 0,
        event: Arc::new(event),
        custom: None,
        line: None,
    }
}

/// An attempt ends that was answered.
fn sent(schedule: &mut Schedule, endpoint: EndpointId, delivery: DeliveryId, is_final: bool) {
    let signal = Signal::Up(Duration::ZERO);
    let turn = schedule.sent(Ended { endpoint, delivery, is_final, signal }, NOW);
    assert_eq!(turn, None);
}

fn unlimited(_: EndpointId) -> Limits {
    Limits::default()
}

/// The endpoints and events that run until there is nothing to do.
fn runs(schedule: &mut Schedule) -> Vec<(u128, u128)> {
    std::iter::from_fn(|| match schedule.next(NOW, unlimited) {
        Step::Run(job) => Some((job.endpoint.as_u128(), job.delivery.event.as_u128())),
        Step::Load(..) | Step::LoadInOrder(..) | Step::Wait(_) => None,
    })
    .collect()
}

#[test]
fn lanes_take_turns_however_much_one_of_them_has() {
    let mut schedule = schedule(100, 100, 100);
    for n in 1..=3 {
        assert!(schedule.offer(job(endpoint(1), n), NOW, false));
    }
    assert!(schedule.offer(job(endpoint(2), 9), NOW, false));
    assert_eq!(runs(&mut schedule), [(1, 1), (2, 9), (1, 2), (1, 3)]);
}

#[test]
fn an_endpoint_that_hangs_takes_its_own_slots_and_no_more() {
    let mut schedule = schedule(100, 2, 100);
    for n in 1..=3 {
        assert!(schedule.offer(job(endpoint(1), n), NOW, false));
    }
    assert_eq!(runs(&mut schedule), [(1, 1), (1, 2)]);
    assert!(schedule.offer(job(endpoint(2), 4), NOW, false));
    assert_eq!(runs(&mut schedule), [(2, 4)]);
    sent(&mut schedule, endpoint(1), job(endpoint(1), 1).delivery, true);
    assert_eq!(runs(&mut schedule), [(1, 3)]);
}

#[test]
fn the_host_never_has_more_in_flight_than_its_limit() {
    let mut schedule = schedule(2, 2, 100);
    for n in 1..=4 {
        assert!(schedule.offer(job(endpoint(n), n), NOW, false));
    }
    assert_eq!(runs(&mut schedule).len(), 2);
    sent(&mut schedule, endpoint(1), job(endpoint(1), 1).delivery, true);
    assert_eq!(runs(&mut schedule).len(), 1);
}

#[test]
fn what_does_not_fit_is_loaded_when_the_lane_is_empty_and_nothing_is_sent_twice() {
    let mut schedule = schedule(100, 100, 2);
    let lane = endpoint(1);
    assert!(schedule.offer(job(lane, 1), NOW, false));
    assert!(schedule.offer(job(lane, 2), NOW, false));
    assert!(!schedule.offer(job(lane, 3), NOW, false));
    schedule.stored(lane, NOW);
    assert!(!schedule.offer(job(lane, 4), NOW, false), "a later one must not overtake what waits");
    assert!(matches!(schedule.next(NOW, unlimited), Step::Run(_)));
    assert!(matches!(schedule.next(NOW, unlimited), Step::Run(_)));

    let Step::Load(loading, limit) = schedule.next(NOW, unlimited) else { panic!("nothing is loaded") };
    assert_eq!((loading, limit), (lane, 4));
    assert!(matches!(schedule.next(NOW, unlimited), Step::Wait(None)), "one load at a time");
    let jobs = (1..=4).map(|n| job(lane, n)).collect();
    schedule.loaded(lane, Due { jobs, next: Some(UnixMs(5_000)) });
    assert_eq!(runs(&mut schedule), [(1, 3), (1, 4)]);
    assert!(matches!(schedule.next(NOW, unlimited), Step::Wait(Some(UnixMs(5_000)))));
}

#[test]
fn what_comes_while_the_store_is_read_joins_what_is_found_there() {
    let mut schedule = schedule(100, 100, 100);
    let lane = endpoint(1);
    schedule.stored(lane, NOW);
    assert!(matches!(schedule.next(NOW, unlimited), Step::Load(..)));
    assert!(schedule.offer(job(lane, 2), NOW, false));
    assert_eq!(runs(&mut schedule), [(1, 2)]);
    // The read found it too.
    schedule.loaded(lane, Due { jobs: vec![job(lane, 1), job(lane, 2)], next: None });
    assert_eq!(runs(&mut schedule), [(1, 1)]);
    assert!(schedule.offer(job(lane, 3), NOW, false), "and the lane goes on in memory");
}

#[test]
fn a_fast_lane_reads_more_at_a_time_and_before_it_has_nothing_left() {
    let mut schedule = schedule(10_000, 16, 1_000);
    let lane = endpoint(1);
    schedule.stored(lane, NOW);
    let (mut events, mut limits) = (1.., Vec::new());
    let mut waiting = 0;
    while limits.len() < 6 {
        match schedule.next(NOW, unlimited) {
            Step::Load(_, limit) => {
                // Those that wait here are found too.
                let new = limit - waiting;
                assert!(waiting <= new / 4, "{waiting} of {new}");
                limits.push(new);
                let jobs: Vec<_> = events.by_ref().take(new).map(|n| job(lane, n)).collect();
                waiting += jobs.len();
                schedule.loaded(lane, Due { jobs, next: Some(NOW) });
            }
            Step::Run(job) => {
                waiting -= 1;
                sent(&mut schedule, lane, job.delivery, true);
                schedule.settled(lane, job.delivery, None);
            }
            Step::LoadInOrder(..) | Step::Wait(_) => panic!("there is something to do"),
        }
    }
    assert_eq!(limits[0], 64);
    assert!(limits.is_sorted(), "{limits:?}");
    assert_eq!(limits[5], 1_000, "and no more than may wait in memory");
}

#[test]
fn however_many_lanes_wait_few_are_read_at_a_time_and_none_while_memory_is_full() {
    let options = Options { max_in_flight: 100_000, buffer_bytes: 64 << 10, ..Options::default() };
    let mut schedule = Schedule::new(options);
    let lanes = 1_000;
    (0..lanes).for_each(|n| schedule.stored(endpoint(n), NOW));
    let (mut loads, mut ran) = (Vec::new(), 0);
    let mut most = 0;
    for _ in 0..10 * lanes {
        match schedule.next(UnixMs(5_000), |_| Limits { rate: 1, ..Limits::default() }) {
            Step::Load(lane, limit) => loads.push((lane, limit)),
            Step::Run(_) => ran += 1,
            Step::LoadInOrder(..) => panic!("nothing is ordered here"),
            Step::Wait(_) if loads.is_empty() => break,
            Step::Wait(_) => {
                most = most.max(loads.len());
                for (lane, limit) in loads.drain(..) {
                    // Each lane has more than it could ever take.
                    let jobs = (0..limit).map(|n| job(lane, lane.as_u128() * 1_000 + n as u128)).collect();
                    schedule.loaded(lane, Due { jobs, next: Some(NOW) });
                }
            }
        }
    }
    assert!((2..=32).contains(&most), "{most} at a time");
    assert!(schedule.bytes_ready() <= 2 * (64 << 10), "{} bytes", schedule.bytes_ready());
    assert!(ran >= 50, "{ran} lanes had a turn");
}

#[test]
fn a_failed_delivery_is_loaded_when_it_is_due_and_not_before() {
    let mut schedule = schedule(100, 100, 100);
    let lane = endpoint(1);
    assert!(schedule.offer(job(lane, 1), NOW, false));
    assert_eq!(runs(&mut schedule).len(), 1);
    sent(&mut schedule, lane, job(lane, 1).delivery, true);
    schedule.settled(lane, job(lane, 1).delivery, Some(UnixMs(6_000)));
    assert!(matches!(schedule.next(UnixMs(5_999), unlimited), Step::Wait(Some(UnixMs(6_000)))));
    assert!(matches!(schedule.next(UnixMs(6_000), unlimited), Step::Load(..)));
    schedule.loaded(lane, Due { jobs: vec![job(lane, 1)], next: None });
    assert!(matches!(schedule.next(UnixMs(6_000), unlimited), Step::Run(_)));
}

#[test]
fn what_comes_due_during_a_load_is_not_forgotten() {
    let mut schedule = schedule(100, 100, 100);
    let lane = endpoint(1);
    schedule.stored(lane, NOW);
    assert!(matches!(schedule.next(NOW, unlimited), Step::Load(..)));
    schedule.stored(lane, UnixMs(2_000));
    schedule.loaded(lane, Due::default());
    assert!(matches!(schedule.next(NOW, unlimited), Step::Wait(Some(UnixMs(2_000)))));
}

#[test]
fn a_delivery_that_is_recorded_during_a_load_is_not_sent_again() {
    let mut schedule = schedule(100, 100, 100);
    let lane = endpoint(1);
    assert!(schedule.offer(job(lane, 1), NOW, false));
    assert_eq!(runs(&mut schedule), [(1, 1)]);
    schedule.stored(lane, NOW);
    assert!(matches!(schedule.next(NOW, unlimited), Step::Load(..)));
    sent(&mut schedule, lane, job(lane, 1).delivery, true);
    schedule.settled(lane, job(lane, 1).delivery, None);
    // The store was read before the attempt was recorded in it.
    schedule.loaded(lane, Due { jobs: vec![job(lane, 1), job(lane, 2)], next: None });
    assert_eq!(runs(&mut schedule), [(1, 2)]);
}

#[test]
fn a_deleted_endpoint_leaves_nothing_behind() {
    let mut schedule = schedule(100, 1, 100);
    let lane = endpoint(1);
    assert!(schedule.offer(job(lane, 1), NOW, false));
    assert!(schedule.offer(job(lane, 2), NOW, false));
    assert_eq!(runs(&mut schedule).len(), 1);
    schedule.delete(lane);
    sent(&mut schedule, lane, job(lane, 1).delivery, true);
    schedule.settled(lane, job(lane, 1).delivery, None);
    assert!(matches!(schedule.next(NOW, unlimited), Step::Wait(None)));
}

#[test]
fn a_stopped_lane_takes_and_gives_nothing_and_reads_everything_once_it_runs_again() {
    let mut schedule = schedule(100, 1, 100);
    let lane = endpoint(1);
    assert!(schedule.offer(job(lane, 1), NOW, false));
    assert!(schedule.offer(job(lane, 2), NOW, false));
    assert_eq!(runs(&mut schedule).len(), 1);
    schedule.pause(lane);
    assert!(!schedule.offer(job(lane, 3), NOW, false));
    schedule.stored(lane, NOW);
    sent(&mut schedule, lane, job(lane, 1).delivery, true);
    schedule.settled(lane, job(lane, 1).delivery, Some(NOW));
    assert!(matches!(schedule.next(NOW, unlimited), Step::Wait(None)));
    schedule.resume(lane, NOW);
    assert!(matches!(schedule.next(NOW, unlimited), Step::Load(loading, _) if loading == lane));
}

#[test]
fn what_a_load_brings_to_a_stopped_lane_stays_in_the_store() {
    let mut schedule = schedule(100, 100, 100);
    let lane = endpoint(1);
    schedule.stored(lane, NOW);
    assert!(matches!(schedule.next(NOW, unlimited), Step::Load(..)));
    schedule.pause(lane);
    schedule.loaded(lane, Due { jobs: vec![job(lane, 1)], next: Some(NOW) });
    assert!(matches!(schedule.next(NOW, unlimited), Step::Wait(None)));
    schedule.resume(lane, NOW);
    assert!(matches!(schedule.next(NOW, unlimited), Step::Load(..)));
}
