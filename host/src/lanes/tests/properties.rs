//! Many endpoints of many tenants in a time of their own: offers, reads, ends, failures, pauses and changes in any order. Whatever
//! they are, no limit is exceeded, nothing is started twice or early, and everything that waits is started in the end.

use std::collections::{BTreeMap, HashMap, HashSet};

use proptest::prelude::*;

use super::*;
use crate::lanes::schedule::Schedule;

const LANES: u128 = 5;
const MAX_IN_FLIGHT: usize = 12;
const PER_ENDPOINT: usize = 4;

/// Something that happens to the schedule.
#[derive(Debug, Clone)]
enum Op {
    /// A delivery comes fresh.
    Offer(u128),
    /// Time passes, and what may start does.
    Run(u64),
    /// The oldest attempt under way of an endpoint ends so: it is over, or due again after so long.
    End(u128, Outcome),
    Pause(u128),
    Resume(u128),
    Limit(u128, u32, u32),
}

#[derive(Debug, Clone, Copy)]
enum Outcome {
    Well,
    /// Refused by a receiver that is there.
    Refused(u64),
    Down(u64),
}

fn op() -> impl Strategy<Value = Op> {
    let lane = 1..=LANES;
    let ended = prop_oneof![
        3 => Just(Outcome::Well),
        1 => (1_u64..5_000).prop_map(Outcome::Refused),
        2 => (1_u64..5_000).prop_map(Outcome::Down),
    ];
    prop_oneof![
        8 => lane.clone().prop_map(Op::Offer),
        8 => (0_u64..3_000).prop_map(Op::Run),
        8 => (lane.clone(), ended).prop_map(|(lane, ended)| Op::End(lane, ended)),
        1 => lane.clone().prop_map(Op::Pause),
        1 => lane.clone().prop_map(Op::Resume),
        1 => (lane, 0_u32..6, 0_u32..4).prop_map(|(lane, rate, burst)| Op::Limit(lane, rate, burst)),
    ]
}

/// The store as a map, and what was started.
struct World {
    now: u64,
    schedule: Schedule,
    /// What waits, with when it is due.
    waiting: BTreeMap<u128, (u128, u64)>,
    in_flight: Vec<(u128, u128)>,
    limits: HashMap<u128, Limits>,
    paused: HashSet<u128>,
    starts: HashMap<u128, Vec<u64>>,
    count: u128,
}

impl World {
    fn new() -> Self {
        Self {
            now: 1_000,
            schedule: schedule(MAX_IN_FLIGHT, PER_ENDPOINT, 3),
            waiting: BTreeMap::new(),
            in_flight: Vec::new(),
            limits: HashMap::new(),
            paused: HashSet::new(),
            starts: HashMap::new(),
            count: 0,
        }
    }

    fn happen(&mut self, op: &Op) {
        let now = UnixMs(self.now);
        match *op {
            Op::Offer(lane) => {
                self.count += 1;
                self.waiting.insert(self.count, (lane, self.now));
                if !self.schedule.offer(job(endpoint(lane), self.count), now, false) {
                    self.schedule.added(endpoint(lane), now);
                }
            }
            Op::Run(passes) => {
                self.run();
                self.now += passes;
                self.run();
            }
            Op::End(lane, ended) => self.end(lane, ended),
            Op::Pause(lane) => {
                self.paused.insert(lane);
                self.schedule.pause(endpoint(lane));
            }
            Op::Resume(lane) => {
                self.paused.remove(&lane);
                self.schedule.resume(endpoint(lane), now);
            }
            Op::Limit(lane, rate, burst) => {
                self.limits.insert(lane, Limits { rate, burst, order: None });
                // What started under another limit is no part of this one.
                self.starts.remove(&lane);
                if !self.paused.contains(&lane) {
                    self.schedule.changed(endpoint(lane), now);
                }
            }
        }
    }

    /// Starts what may start now.
    fn run(&mut self) {
        for _ in 0..10_000 {
            let limits = self.limits.clone();
            let asked = |endpoint: EndpointId| limits.get(&endpoint.as_u128()).copied().unwrap_or_default();
            match self.schedule.next(UnixMs(self.now), asked) {
                Step::Run(job) => self.start(&job),
                Step::Load(endpoint, limit) => {
                    let due = self.due(endpoint.as_u128(), limit);
                    self.schedule.loaded(endpoint, due);
                }
                Step::LoadInOrder(..) => panic!("nothing is ordered here"),
                Step::Wait(_) => return,
            }
        }
        panic!("the schedule never waits");
    }

    fn start(&mut self, job: &Job) {
        let (lane, n) = (job.endpoint.as_u128(), job.delivery.event.as_u128());
        let (of, due_at) = self.waiting[&n];
        assert_eq!(of, lane);
        assert!(due_at <= self.now, "{n} starts {} ms early", due_at - self.now);
        assert!(!self.in_flight.contains(&(lane, n)), "{n} starts twice");
        assert!(!self.paused.contains(&lane), "{n} starts though {lane} is paused");
        self.in_flight.push((lane, n));
        let of_lane = self.in_flight.iter().filter(|(of, _)| *of == lane).count();
        let limits = self.limits.get(&lane).copied().unwrap_or_default();
        assert!(self.in_flight.len() <= MAX_IN_FLIGHT && of_lane <= PER_ENDPOINT);
        assert!(limits.burst == 0 || of_lane <= limits.burst as usize, "{of_lane} of {limits:?}");
        let starts = self.starts.entry(lane).or_default();
        starts.push(self.now);
        let now = self.now;
        let in_a_second = starts.iter().filter(|at| **at + 1_000 > now).count();
        assert!(limits.rate == 0 || in_a_second <= limits.rate as usize, "{in_a_second} of {limits:?}");
    }

    /// What `Store::due` promises.
    fn due(&self, lane: u128, limit: usize) -> Due {
        let of_lane = || self.waiting.iter().filter(|(_, (of, _))| *of == lane);
        let mut due: Vec<_> = of_lane().filter(|(_, (_, at))| *at <= self.now).collect();
        due.sort_by_key(|(n, (_, at))| (*at, **n));
        let mut rest: Vec<_> =
            of_lane().filter(|(_, (_, at))| *at > self.now).map(|(_, (_, at))| *at).collect();
        rest.extend(due.iter().skip(limit).map(|(_, (_, at))| *at));
        let jobs = due.iter().take(limit).map(|(n, _)| job(endpoint(lane), **n)).collect();
        Due { jobs, next: rest.into_iter().min().map(UnixMs) }
    }

    fn end(&mut self, lane: u128, ended: Outcome) {
        let Some(at) = self.in_flight.iter().position(|(of, _)| *of == lane) else { return };
        let (_, n) = self.in_flight.remove(at);
        let took = Duration::from_millis(5);
        let (signal, due_at) = match ended {
            Outcome::Well => (Signal::Up(took), None),
            Outcome::Refused(wait) => (Signal::Up(took), Some(self.now + wait)),
            Outcome::Down(wait) => (Signal::Down(took), Some(self.now + wait)),
        };
        let delivery = job(endpoint(lane), n).delivery;
        let is_final = due_at.is_none();
        let now = UnixMs(self.now);
        self.schedule.sent(Ended { endpoint: endpoint(lane), delivery, is_final, signal }, now);
        match due_at {
            Some(due_at) => self.waiting.insert(n, (lane, due_at)),
            None => self.waiting.remove(&n),
        };
        self.schedule.settled(endpoint(lane), delivery, due_at.map(UnixMs));
    }

    /// All receivers are well, and nobody is paused: everything is started, and nothing is kept.
    fn come_to_rest(&mut self) {
        for lane in self.paused.clone() {
            self.happen(&Op::Resume(lane));
        }
        for _ in 0..50_000 {
            self.run();
            while let Some((lane, _)) = self.in_flight.first().copied() {
                self.end(lane, Outcome::Well);
            }
            if self.waiting.is_empty() {
                break;
            }
            self.now += 50;
        }
        // What was due once may be looked for, and is not there.
        self.now += 10_000;
        self.run();
        assert!(self.waiting.is_empty(), "never started: {:?}", self.waiting);
        assert!(self.schedule.is_empty(), "something is kept of nothing: {:?}", self.schedule);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn whatever_happens_limits_hold_and_everything_is_started(ops in prop::collection::vec(op(), 1..200)) {
        let mut world = World::new();
        ops.iter().for_each(|op| world.happen(op));
        world.come_to_rest();
    }

    /// Tenants take turns, and endpoints within theirs: while all have work, none is ahead of another by more than a turn.
    #[test]
    fn turns_are_even_while_all_have_work(tenants in prop::collection::vec(1_usize..5, 1..5)) {
        let mut schedule = schedule(1_000, 1_000, 1_000);
        let mut n = 0;
        for (tenant, lanes) in tenants.iter().enumerate() {
            for lane in 0..*lanes {
                for _ in 0..20 {
                    n += 1;
                    let endpoint = endpoint(tenant as u128 * 10 + lane as u128 + 1);
                    let mut job = job(endpoint, n);
                    job.event = Arc::new(Event {
                        key: job.event.key,
                        id: job.event.id.clone(),
                        tenant: format!("t{tenant}").parse().unwrap(),
                        topic: job.event.topic.clone(),
                        timestamp: job.event.timestamp,
                        accepted_at: job.event.accepted_at,
                        data: job.event.data.clone(),
                        test_of: None,
                        trace: None,
                        envelope: EnvelopeCache::default(),
                    });
                    prop_assert!(schedule.offer(job, NOW, false));
                }
            }
        }
        let mut started = vec![0_usize; tenants.len()];
        // Each tenant has 16 starts at least: what a window lets one lane have.
        for _ in 0..tenants.len() * 16 {
            let Step::Run(job) = schedule.next(NOW, unlimited) else { panic!("{started:?}") };
            started[usize::try_from((job.endpoint.as_u128() - 1) / 10).unwrap()] += 1;
        }
        let (least, most) = (started.iter().min().unwrap(), started.iter().max().unwrap());
        prop_assert!(most - least <= 1, "{started:?}");
    }
}
