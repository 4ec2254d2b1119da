//! An ordered lane against a store that is a map: events that are fanned out late, attempts that fail, commits and reads that
//! take their time, plugins that hold, and restarts, by seeds. Whatever happens, a line is in order, has one attempt in
//! flight, and ends; and lines run beside each other.

use std::collections::{BTreeMap, HashMap, HashSet};

use rand::rngs::StdRng;
use rand::{RngExt as _, SeedableRng as _};

use super::*;
use crate::model::{Line, OrderId};
use crate::store::{InOrder, Lookout};

const LANE: EndpointId = EndpointId::from_u128(1);
const SEEDS: u64 = 200;
const EVENTS: u128 = 120;
/// Steps after which a lane that has not ended never will.
const MOST_STEPS: usize = 100_000;

/// Where the delivery of an event stands.
#[derive(Debug, Clone, Copy, PartialEq)]
enum State {
    Accepted,
    Held,
    DueAt(u64),
    Ended,
}

/// An attempt that is over and not recorded, or recorded and not settled.
struct Finished {
    event: u128,
    due_at: Option<u64>,
    committed: bool,
}

struct World {
    rng: StdRng,
    seed: u64,
    order: OrderId,
    lines: u128,
    now: u64,
    schedule: Schedule,
    /// What the store has.
    stored: BTreeMap<u128, State>,
    /// The load that is under way, and what it found if it has looked already.
    load: Option<(OrderedLoad, Option<InOrder>)>,
    in_flight: Vec<u128>,
    /// In the order of the writes.
    finished: Vec<Finished>,
    most_in_flight: usize,
}

impl World {
    fn new(seed: u64) -> Self {
        let mut rng = StdRng::seed_from_u64(seed);
        let lines = rng.random_range(1..12);
        let order = if lines == 1 { OrderId::WHOLE } else { OrderId::from_u64(1 << 63) };
        let schedule = new_schedule(&mut rng);
        let (stored, in_flight, finished) = (BTreeMap::new(), Vec::new(), Vec::new());
        Self {
            rng,
            seed,
            order,
            lines,
            now: 1,
            schedule,
            stored,
            load: None,
            in_flight,
            finished,
            most_in_flight: 0,
        }
    }

    fn line(&self, event: u128) -> Line {
        // Some lines are much longer than others.
        let key = (event * event % 31) % self.lines;
        Line { order: self.order, key }
    }

    fn pick(&mut self, of: &[u128]) -> Option<u128> {
        (!of.is_empty()).then(|| of[self.rng.random_range(0..of.len())])
    }

    fn in_state(&self, wanted: impl Fn(State) -> bool) -> Vec<u128> {
        self.stored.iter().filter(|(_, state)| wanted(**state)).map(|(event, _)| *event).collect()
    }

    fn is_over(&self) -> bool {
        self.stored.len() as u128 == EVENTS && self.stored.values().all(|state| *state == State::Ended)
    }

    /// One thing that happens, whichever it is.
    fn step(&mut self) {
        match self.rng.random_range(0..100) {
            0..15 => self.accept(),
            15..27 => self.fan_out(),
            27..30 => self.judge_again(),
            30..55 => self.ask(),
            55..62 => self.look(),
            62..70 => self.answer(),
            70..80 => self.finish(),
            80..86 => self.commit(),
            86..93 => self.settle(),
            93..99 => self.now += self.rng.random_range(1..40),
            _ if self.rng.random_ratio(1, 8) => self.restart(),
            _ => {}
        }
    }

    fn accept(&mut self) {
        let event = self.stored.len() as u128 + 1;
        if event <= EVENTS {
            self.stored.insert(event, State::Accepted);
        }
    }

    fn fan_out(&mut self) {
        let waiting = self.in_state(|state| state == State::Accepted);
        let Some(event) = self.pick(&waiting) else { return };
        let state = match self.rng.random_range(0..10) {
            0 => State::Held,
            1 => State::Ended,
            _ => State::DueAt(self.now),
        };
        self.stored.insert(event, state);
        if let State::DueAt(at) = state {
            self.schedule.added(LANE, UnixMs(at));
        }
        self.schedule.dispatched();
    }

    fn judge_again(&mut self) {
        let held = self.in_state(|state| state == State::Held);
        let Some(event) = self.pick(&held) else { return };
        let state = if self.rng.random_ratio(1, 4) { State::Ended } else { State::DueAt(self.now) };
        self.stored.insert(event, state);
        self.schedule.stored(LANE, UnixMs(self.now));
    }

    fn ask(&mut self) {
        let order = self.order;
        let limits = move |_| Limits { order: Some(order), ..Limits::default() };
        match self.schedule.next(UnixMs(self.now), limits) {
            Step::Run(job) => self.start(job.delivery.event.as_u128()),
            Step::LoadInOrder(load) => {
                assert!(self.load.is_none(), "two loads at a time, seed {}", self.seed);
                self.load = Some((load, None));
            }
            Step::Load(..) => panic!("out of order, seed {}", self.seed),
            Step::Wait(_) => {}
        }
    }

    /// The rules of a line.
    fn start(&mut self, event: u128) {
        let line = self.line(event);
        let busy = self.in_flight.iter().find(|other| self.line(**other) == line);
        assert_eq!(busy, None, "{event} starts beside one of its line, seed {}", self.seed);
        for (earlier, state) in self.stored.range(..event).filter(|(earlier, _)| self.line(**earlier) == line)
        {
            let has_ended = self.finished.iter().any(|done| done.event == *earlier && done.due_at.is_none());
            assert!(
                *state == State::Ended || has_ended,
                "{event} starts before {earlier} has ended ({state:?}), seed {}",
                self.seed
            );
        }
        let again =
            self.finished.iter().any(|done| done.event == event) || self.stored[&event] == State::Ended;
        assert!(!again, "{event} starts twice, seed {}", self.seed);
        self.in_flight.push(event);
        self.most_in_flight = self.most_in_flight.max(self.in_flight.len());
    }

    fn look(&mut self) {
        if let Some((load, None)) = &self.load {
            let found = self.found(&load.lookout, load.limit);
            if let Some((_, answer)) = &mut self.load {
                *answer = Some(found);
            }
        }
    }

    /// What `Store::due_in_order` promises.
    fn found(&self, lookout: &Lookout, limit: usize) -> InOrder {
        let busy: HashSet<_> = lookout.known.values().copied().collect();
        let mut found =
            InOrder { passed: lookout.passed.clone(), looked_to: lookout.after, ..InOrder::default() };
        let mut taken = HashMap::<Line, usize>::new();
        let after = lookout.after.map_or(0, |id| id.event.as_u128());
        for (event, state) in self.stored.range(after + 1..) {
            let (line, id) = (self.line(*event), job(LANE, *event).delivery);
            let due_at = match state {
                State::Accepted => {
                    found.awaits_dispatch = true;
                    break;
                }
                State::Ended => continue,
                State::Held => None,
                State::DueAt(at) => Some(*at),
            };
            if !lookout.known.contains_key(&id) && !found.passed.contains(&line) {
                let of_line = taken.entry(line).or_default();
                let is_due = due_at.is_some_and(|at| at <= self.now);
                let is_free = is_due && !busy.contains(&line);
                if is_free && found.jobs.len() == limit {
                    found.more = true;
                    break;
                }
                if !is_free || *of_line == self.order.share(limit) {
                    found.passed.insert(line);
                    let at = due_at.filter(|_| !is_due).map(UnixMs);
                    found.next = found.next.into_iter().chain(at).min();
                } else {
                    *of_line += 1;
                    found.jobs.push(Job { line: Some(line), ..job(LANE, *event) });
                }
            }
            found.looked_to = Some(id);
        }
        found
    }

    fn answer(&mut self) {
        match self.load.take() {
            Some((load, Some(found))) => {
                self.schedule.loaded_in_order(LANE, found, load.lookout.order, load.dispatched);
            }
            other => self.load = other,
        }
    }

    fn finish(&mut self) {
        let in_flight = self.in_flight.clone();
        let Some(event) = self.pick(&in_flight) else { return };
        self.in_flight.retain(|other| *other != event);
        let due_at = self.rng.random_ratio(1, 4).then(|| self.now + self.rng.random_range(0..100));
        self.finished.push(Finished { event, due_at, committed: false });
        sent(&mut self.schedule, LANE, job(LANE, event).delivery, due_at.is_none());
    }

    fn commit(&mut self) {
        if let Some(next) = self.finished.iter_mut().find(|done| !done.committed) {
            next.committed = true;
            self.stored.insert(next.event, next.due_at.map_or(State::Ended, State::DueAt));
        }
    }

    fn settle(&mut self) {
        let committed: Vec<_> =
            self.finished.iter().filter(|done| done.committed).map(|done| done.event).collect();
        let Some(event) = self.pick(&committed) else { return };
        let Some(at) = self.finished.iter().position(|done| done.event == event) else { return };
        let done = self.finished.remove(at);
        self.schedule.settled(LANE, job(LANE, event).delivery, done.due_at.map(UnixMs));
    }

    /// What was not committed is lost, and what was in flight begins again.
    fn restart(&mut self) {
        self.schedule = new_schedule(&mut self.rng);
        self.schedule.stored(LANE, UnixMs(0));
        self.load = None;
        self.in_flight.clear();
        self.finished.clear();
    }
}

fn new_schedule(rng: &mut StdRng) -> Schedule {
    schedule(100, rng.random_range(1..20), rng.random_range(1..40))
}

#[test]
fn lines_are_in_order_run_beside_each_other_and_end() {
    let mut most_in_flight = 0;
    for seed in 0..SEEDS {
        let mut world = World::new(seed);
        let steps = std::iter::repeat_with(|| world.step_until_over()).take(MOST_STEPS);
        assert!(steps.into_iter().any(|over| over), "seed {seed} does not end: {:?}", world.stored);
        most_in_flight = most_in_flight.max(world.most_in_flight);
        if world.lines == 1 {
            assert_eq!(world.most_in_flight, 1, "seed {seed}");
        }
    }
    assert!(most_in_flight > 5, "at most {most_in_flight} lines ran beside each other");
}

impl World {
    fn step_until_over(&mut self) -> bool {
        self.step();
        self.is_over()
    }
}
