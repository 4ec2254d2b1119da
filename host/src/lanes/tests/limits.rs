//! The limits of owners: kept however work comes and timers fire, nearly reached while work waits, changed at once.

use proptest::prelude::*;

use super::*;

/// What the network may add to one request and not to another.
const JITTER_MS: u64 = 39;

fn rate(rate: u32) -> impl Fn(EndpointId) -> Limits + Copy {
    move |_| Limits { rate, ..Limits::default() }
}

fn burst(burst: u32) -> impl Fn(EndpointId) -> Limits + Copy {
    move |_| Limits { burst, ..Limits::default() }
}

/// A lane with this many deliveries.
fn with_work(count: u128) -> Schedule {
    let mut schedule = schedule(10_000, 10_000, 1_000_000);
    for n in 0..count {
        assert!(schedule.offer(job(endpoint(1), n), NOW, false));
    }
    schedule
}

/// What is started at this time; the POSTs end at once.
fn started(
    schedule: &mut Schedule,
    now: UnixMs,
    limits: impl Fn(EndpointId) -> Limits,
) -> (usize, Option<UnixMs>) {
    let mut count = 0;
    loop {
        match schedule.next(now, &limits) {
            Step::Run(job) => {
                sent(schedule, job.endpoint, job.delivery, true);
                schedule.settled(job.endpoint, job.delivery, None);
                count += 1;
            }
            Step::Load(endpoint, _) => schedule.loaded(endpoint, Due::default()),
            Step::LoadInOrder(..) => panic!("nobody asked for an order"),
            Step::Wait(until) => return (count, until),
        }
    }
}

/// The times in milliseconds at which deliveries start in `seconds` when work always waits and timers are late.
fn saturated(limit: u32, seconds: u32, late: &[u64]) -> Vec<u64> {
    let mut schedule = with_work(u128::from(limit * seconds) + 1);
    let mut late = late.iter().cycle();
    let (mut now, mut starts) = (NOW, Vec::new());
    while now.0 < NOW.0 + u64::from(seconds) * 1000 {
        let (count, until) = started(&mut schedule, now, rate(limit));
        starts.extend(std::iter::repeat_n(now.0, count));
        let Some(until) = until else { break };
        assert!(until > now, "no polling");
        now = UnixMs(until.0 + late.next().unwrap());
    }
    starts
}

/// The most that arrive within a second, wherever the second begins.
fn most_in_a_second(arrivals: &[u64]) -> usize {
    let mut sorted = arrivals.to_vec();
    sorted.sort_unstable();
    let within = |from: usize| sorted[from..].partition_point(|at| at - sorted[from] < 1000);
    (0..sorted.len()).map(within).max().unwrap_or(0)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]

    #[test]
    fn the_limit_is_kept_in_every_second_whatever_the_network_adds(
        limit in 1_u32..=300,
        late in prop::collection::vec(0_u64..=60, 1..50),
        jitter in prop::collection::vec(0..=JITTER_MS, 1..50),
    ) {
        let starts = saturated(limit, 4, &late);
        let arrivals: Vec<_> = starts.iter().zip(jitter.iter().cycle()).map(|(at, more)| at + more).collect();
        prop_assert!(most_in_a_second(&arrivals) <= limit as usize);
    }

    #[test]
    fn the_limit_is_nearly_reached_while_work_waits(
        limit in 1_u32..=300,
        late in prop::collection::vec(0_u64..=3, 1..50),
    ) {
        let starts = saturated(limit, 10, &late);
        prop_assert!(starts.len() as f64 >= f64::from(limit) * 10.0 * 0.95, "{} of {}", starts.len(), limit * 10);
    }

    #[test]
    fn the_limit_is_kept_when_work_comes_and_goes_and_lanes_are_idle(
        limit in 1_u32..=20,
        gaps in prop::collection::vec((0_u64..=700, 0_usize..=12), 1..60),
    ) {
        let (mut schedule, mut now, mut n) = (with_work(0), NOW, 0);
        let mut starts = Vec::new();
        for (gap, arriving) in gaps {
            now = UnixMs(now.0 + gap);
            for _ in 0..arriving {
                n += 1;
                assert!(schedule.offer(job(endpoint(1), n), now, false));
            }
            let (count, _) = started(&mut schedule, now, rate(limit));
            starts.extend(std::iter::repeat_n(now.0, count));
        }
        prop_assert!(most_in_a_second(&starts) <= limit as usize);
    }
}

#[test]
fn thousands_a_second_start_several_in_a_millisecond() {
    let starts = saturated(4_000, 5, &[0, 1, 2]);
    assert!(starts.len() >= 19_000, "{}", starts.len());
    assert!(most_in_a_second(&starts) <= 4_000);
}

#[test]
fn without_a_limit_nothing_waits() {
    assert_eq!(started(&mut with_work(5_000), NOW, unlimited), (5_000, None));
}

#[test]
fn a_limited_lane_leaves_the_turns_to_others() {
    let mut schedule = with_work(10);
    for n in 20..25 {
        assert!(schedule.offer(job(endpoint(2), n), NOW, false));
    }
    let first = |lane: EndpointId| Limits { rate: u32::from(lane == endpoint(1)), ..Limits::default() };
    assert_eq!(started(&mut schedule, NOW, first).0, 1 + 5);
}

#[test]
fn another_rate_counts_from_the_next_start_on() {
    let mut schedule = with_work(10);
    assert_eq!(started(&mut schedule, NOW, rate(1)), (1, Some(UnixMs(2_040))));
    assert_eq!(started(&mut schedule, NOW, unlimited).0, 0, "nobody said that it changed");
    schedule.changed(endpoint(1), NOW);
    assert_eq!(started(&mut schedule, NOW, unlimited), (9, None));
}

#[test]
fn no_more_than_the_burst_limit_is_in_flight_and_another_one_counts_at_once() {
    let mut schedule = with_work(10);
    let run = |schedule: &mut Schedule, limit| {
        let mut count = 0;
        loop {
            match schedule.next(NOW, burst(limit)) {
                Step::Run(_) => count += 1,
                Step::Load(endpoint, _) => schedule.loaded(endpoint, Due::default()),
                Step::LoadInOrder(..) | Step::Wait(_) => return count,
            }
        }
    };
    assert_eq!(run(&mut schedule, 3), 3);
    sent(&mut schedule, endpoint(1), job(endpoint(1), 1).delivery, true);
    assert_eq!(run(&mut schedule, 3), 1);
    schedule.changed(endpoint(1), NOW);
    assert_eq!(run(&mut schedule, 5), 2);
    sent(&mut schedule, endpoint(1), job(endpoint(1), 1).delivery, true);
    assert_eq!(run(&mut schedule, 2), 0, "a lower one waits for those in flight");
    schedule.changed(endpoint(1), NOW);
    assert_eq!(run(&mut schedule, 0), 10 - 6);
}

#[test]
fn the_limit_of_the_host_stays_below_a_higher_one_of_the_owner() {
    let mut schedule = schedule(100, 2, 100);
    for n in 1..=4 {
        assert!(schedule.offer(job(endpoint(1), n), NOW, false));
    }
    let limits = burst(50);
    let runs = std::iter::from_fn(|| matches!(schedule.next(NOW, limits), Step::Run(_)).then_some(()));
    assert_eq!(runs.count(), 2);
}

#[test]
fn a_deleted_endpoint_that_waited_for_its_rate_leaves_no_timer() {
    let mut schedule = with_work(3);
    assert_eq!(started(&mut schedule, NOW, rate(1)).0, 1);
    schedule.delete(endpoint(1));
    assert!(matches!(schedule.next(NOW, unlimited), Step::Wait(None)));
}

#[test]
fn a_lane_that_was_stopped_has_not_forgotten_what_it_sent() {
    let mut schedule = with_work(1000);
    let (before, until) = started(&mut schedule, NOW, rate(10));
    let until = until.unwrap();
    assert!(before > 0 && until > NOW);
    schedule.pause(endpoint(1));
    assert_eq!(started(&mut schedule, until, rate(10)), (0, None), "it has neither turns nor timers");
    schedule.resume(endpoint(1), NOW);
    assert!(matches!(schedule.next(NOW, rate(10)), Step::Load(..)));
    schedule.loaded(endpoint(1), Due { jobs: vec![job(endpoint(1), 2000)], next: None });
    assert_eq!(started(&mut schedule, NOW, rate(10)), (0, Some(until)));
}

#[test]
fn limits_of_the_host_that_are_set_later_hold_for_the_next_start() {
    let mut schedule = schedule(1, 1, 8);
    let (a, b) = (endpoint(1), endpoint(2));
    for n in 0..3 {
        assert!(schedule.offer(job(a, n), NOW, false));
        assert!(schedule.offer(job(b, 10 + n), NOW, false));
    }
    assert_eq!(runs(&mut schedule), [(1, 0)]);
    let more = Options { max_in_flight: 5, max_in_flight_per_endpoint: 2, ..Options::default() };
    schedule.set(more.clone());
    assert_eq!(runs(&mut schedule), [(2, 10), (1, 1), (2, 11)]);
    // What runs already is over: nothing starts until it is not.
    schedule.set(Options { max_in_flight: 3, ..more });
    sent(&mut schedule, a, job(a, 0).delivery, true);
    assert_eq!(runs(&mut schedule), []);
    sent(&mut schedule, a, job(a, 1).delivery, true);
    assert_eq!(runs(&mut schedule), [(1, 2)]);
}
