//! What is outside of the gateway, and remembers: receivers on the wire, the clocks, and who asked for what.

use std::cell::Cell;
use std::collections::BTreeMap;
use std::fmt::{Debug, Write as _};
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use rand::SeedableRng as _;
use rand::rngs::StdRng;
use tokio::time::{Instant, sleep};

use super::receiver::{Mode, Reaction};
use super::sabotage::Sabotage;
use super::script::{Limits, Setup};
use crate::clock::Clock;
use crate::deliver::{Post, SendFuture, Sent, Transport};
use crate::model::{AttemptOutcome, UnixMs};
use crate::store::conformance::fixtures::T0;

thread_local! {
    /// What the clock on the wall shows, and when that was so. Of a thread, because a clock has room for a function alone.
    static WALL: Cell<Option<(Instant, u64)>> = const { Cell::new(None) };
}

fn wall() -> Option<UnixMs> {
    let (at, ms) = WALL.get()?;
    Some(UnixMs(ms).after(at.elapsed()))
}

/// Times are milliseconds since the run began, by a clock that nobody sets.
pub(super) struct World(Mutex<State>);

struct State {
    rng: StdRng,
    life_began: Option<(Instant, u64)>,
    next_life_begins: u64,
    /// By how much the wall clock is off.
    skew_ms: i64,
    modes: Vec<Mode>,
    history: History,
    /// Events by their ids, in the order in which they are first seen: the ids differ from run to run.
    names: Vec<String>,
    sabotage: Option<Sabotage>,
}

/// All that happened.
#[derive(Debug, Clone, Default)]
pub(super) struct History {
    pub(super) lines: String,
    /// Counts what happens, so that things of one millisecond have an order.
    pub(super) clock: usize,
    pub(super) lives: Vec<Life>,
    pub(super) posts: Vec<Posted>,
    pub(super) events: Vec<Asked>,
    pub(super) changes: Vec<Change>,
    pub(super) resends: Vec<Resent>,
    pub(super) clock_was_set: bool,
    /// How often the store was read.
    pub(super) reads: u64,
    /// Since when all receivers are well and all endpoints active.
    pub(super) well_since: Option<u64>,
    /// The most undelivered work of a tenant that was seen after one of its events was taken.
    pub(super) most_work: BTreeMap<&'static str, u64>,
}

/// One run of the gateway, from its start to its end.
#[derive(Debug, Clone)]
pub(super) struct Life {
    pub(super) ended: Option<u64>,
    pub(super) was_killed: bool,
    /// When its disk was told to fail.
    pub(super) broken_at: Option<u64>,
    /// What its clock is ahead of the times of the history.
    pub(super) clock_is_ahead_ms: i64,
}

/// A request on the wire.
#[derive(Debug, Clone)]
pub(super) struct Posted {
    pub(super) is_on_wire: bool,
    pub(super) life: usize,
    pub(super) endpoint: usize,
    pub(super) event: String,
    pub(super) ordinal: u16,
    pub(super) number: u16,
    pub(super) began: Moment,
    /// `None` if the gateway was killed meanwhile.
    pub(super) ended: Option<Moment>,
    pub(super) outcome: AttemptOutcome,
    pub(super) asks_for: Option<Duration>,
    pub(super) body: u64,
    /// By how much the time that was signed differs from that of the wall.
    pub(super) signed_off_by_ms: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Moment {
    pub(super) at: u64,
    pub(super) order: usize,
}

/// An event that a producer posts, again and again until it knows what became of it.
#[derive(Debug, Clone)]
pub(super) struct Asked {
    pub(super) own_id: Option<String>,
    pub(super) tenant: &'static str,
    pub(super) topic: &'static str,
    pub(super) k: u32,
    pub(super) data: String,
    pub(super) asked: u64,
    /// The id that the answer gave it.
    pub(super) accepted: Option<String>,
    pub(super) accepted_at: Option<u64>,
    pub(super) given_up: bool,
}

/// What somebody changed about an endpoint.
#[derive(Debug, Clone)]
pub(super) struct Change {
    pub(super) life: usize,
    pub(super) endpoint: usize,
    pub(super) what: Changed,
    pub(super) asked: u64,
    /// When it was answered with success. Without an answer nobody knows.
    pub(super) done: Option<u64>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Changed {
    Created(Limits),
    Limits(Limits),
    Deactivated,
    Activated,
    Deleted,
}

/// What somebody had sent again or cancelled.
#[derive(Debug, Clone)]
pub(super) struct Resent {
    pub(super) asked: u64,
    pub(super) what: Resend,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Resend {
    Retry { event: String, ordinal: u16, endpoint: usize },
    Cancel { event: String, ordinal: u16 },
    Replay { event: String },
    Recovery { endpoint: usize },
}

impl World {
    pub(super) fn new(seed: u64, setup: &Setup, sabotage: Option<Sabotage>) -> Self {
        Self(Mutex::new(State {
            rng: StdRng::seed_from_u64(seed ^ 0x5eed),
            life_began: None,
            next_life_begins: 0,
            skew_ms: 0,
            modes: setup.endpoints.iter().map(|plan| plan.mode).collect(),
            history: History::default(),
            names: Vec::new(),
            sabotage,
        }))
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A gateway starts; the clock that it gets.
    pub(super) fn begin_life(&self) -> Clock {
        let mut state = self.state();
        let began = state.next_life_begins;
        let clock_is_ahead_ms = state.skew_ms;
        state.life_began = Some((Instant::now(), began));
        let life = Life { ended: None, was_killed: false, broken_at: None, clock_is_ahead_ms };
        state.history.lives.push(life);
        state.show_wall();
        state.note("starts", &clock_is_ahead_ms);
        Clock::with_wall(UnixMs(T0.0.saturating_add(began).saturating_add_signed(clock_is_ahead_ms)), wall)
    }

    /// Which clock it goes by.
    pub(super) fn goes_by(&self, clock: Clock) {
        let mut state = self.state();
        let shown = i128::from(clock.now().0) - i128::from(T0.0) - i128::from(state.now());
        let ahead = i64::try_from(shown).unwrap_or_default();
        if let Some(life) = state.history.lives.last_mut() {
            life.clock_is_ahead_ms = ahead;
        }
        state.note("goes by a clock that is ahead", &ahead);
    }

    /// It ended; the next one starts `pause` later.
    pub(super) fn end_life(&self, how: &str, was_killed: bool, pause: Duration) {
        let mut state = self.state();
        state.note(how, &"");
        let ended = state.now();
        state.next_life_begins = ended + u64::try_from(pause.as_millis()).unwrap_or_default();
        if let Some(life) = state.history.lives.last_mut() {
            life.ended = Some(ended);
            life.was_killed = was_killed;
        }
    }

    pub(super) fn set_clock(&self, hours: i64) {
        let mut state = self.state();
        state.skew_ms += hours * 3_600_000;
        state.history.clock_was_set = true;
        state.show_wall();
        state.note("the clock is set by hours", &hours);
    }

    pub(super) fn disk_breaks(&self) {
        let mut state = self.state();
        let now = state.now();
        if let Some(life) = state.history.lives.last_mut() {
            life.broken_at = life.broken_at.or(Some(now));
        }
        state.note("the disk will fail", &"");
    }

    pub(super) fn set_mode(&self, endpoint: usize, mode: Mode) {
        let mut state = self.state();
        state.modes[endpoint] = mode;
        state.note("a receiver changes", &(endpoint, mode));
    }

    /// Draws from the numbers of the run.
    pub(super) fn draw<T>(&self, draw: impl FnOnce(&mut StdRng) -> T) -> T {
        draw(&mut self.state().rng)
    }

    pub(super) fn note(&self, what: &str, about: &dyn Debug) {
        self.state().note(what, about);
    }

    /// Changes what is remembered.
    pub(super) fn remember<T>(&self, change: impl FnOnce(&mut History, u64) -> T) -> T {
        let mut state = self.state();
        let now = state.now();
        change(&mut state.history, now)
    }

    pub(super) fn history(&self) -> History {
        let mut history = self.state().history.clone();
        history.posts.retain(|post| post.is_on_wire);
        history
    }

    /// A number for all that happened, in its order.
    pub(super) fn fingerprint(&self) -> u64 {
        let mut hasher = DefaultHasher::new();
        self.state().history.lines.hash(&mut hasher);
        hasher.finish()
    }

    fn begin(&self, post: &Post) -> (usize, Reaction, bool) {
        let mut state = self.state();
        let header = |name: &str| {
            let value = post.headers.iter().find(|header| header.name == name);
            String::from_utf8(value.map_or(Vec::new(), |header| header.value.to_vec())).unwrap_or_default()
        };
        let event = state.name(&header("webhook-id"));
        let endpoint = post.url.host_str().and_then(|host| host.strip_prefix('e')?.split('.').next());
        let endpoint: usize = endpoint.and_then(|n| n.parse().ok()).unwrap_or_default();
        let ordinal = header("hookway-delivery-id").rsplit('_').next().and_then(|n| n.parse().ok());
        let wall = wall().unwrap_or_default();
        let mode = state.modes[endpoint];
        let reaction = mode.react(&mut state.rng, wall);
        let signed = UnixMs(header("webhook-timestamp").parse::<u64>().unwrap_or_default() * 1000);
        let mut hasher = DefaultHasher::new();
        post.body.hash(&mut hasher);
        if state.sabotage == Some(Sabotage::ChangesBody) && state.history.clock.is_multiple_of(7) {
            1.hash(&mut hasher);
        }
        let posted = Posted {
            is_on_wire: true,
            life: state.history.lives.len() - 1,
            endpoint,
            event,
            ordinal: ordinal.unwrap_or(u16::MAX),
            number: header("hookway-attempt").parse().unwrap_or_default(),
            began: state.moment(),
            ended: None,
            outcome: reaction.outcome.clone(),
            asks_for: reaction.asks_for,
            body: hasher.finish(),
            signed_off_by_ms: signed.0.abs_diff(wall.0),
        };
        let Posted { event, ordinal, number, .. } = &posted;
        let about = format!("{event}/{ordinal} to e{endpoint}, attempt {number}");
        state.note("POST", &about);
        let misbehaves = state.history.clock.is_multiple_of(5);
        state.history.posts.push(posted);
        (state.history.posts.len() - 1, reaction, misbehaves)
    }

    fn end(&self, post: usize) {
        let mut state = self.state();
        let moment = state.moment();
        let posted = &mut state.history.posts[post];
        posted.ended = Some(moment);
        let Posted { endpoint, event, ordinal, number, outcome, .. } = posted;
        let what = match outcome {
            AttemptOutcome::Answered { status, .. } => status.to_string(),
            AttemptOutcome::Failed(error) => error.class.name().to_owned(),
        };
        let about = format!("{event}/{ordinal} to e{endpoint}, attempt {number}: {what}");
        state.note("answer", &about);
    }

    fn never_sent(&self, post: usize) {
        self.state().history.posts[post].is_on_wire = false;
    }

    fn sabotage(&self) -> Option<Sabotage> {
        self.state().sabotage
    }

    /// What an event of this id is called in the history.
    pub(super) fn name(&self, id: &str) -> String {
        self.state().name(id)
    }
}

impl State {
    fn now(&self) -> u64 {
        self.life_began.map_or(0, |(at, ms)| ms + u64::try_from(at.elapsed().as_millis()).unwrap_or_default())
    }

    fn moment(&mut self) -> Moment {
        self.history.clock += 1;
        Moment { at: self.now(), order: self.history.clock }
    }

    fn show_wall(&self) {
        let wall = T0.0.saturating_add(self.now()).saturating_add_signed(self.skew_ms);
        WALL.set(Some((Instant::now(), wall)));
    }

    fn note(&mut self, what: &str, about: &dyn Debug) {
        self.history.clock += 1;
        let (now, life) = (self.now(), self.history.lives.len());
        // Writing to a string cannot fail.
        let _ = writeln!(self.history.lines, "{life} {:>9}.{:03} {what} {about:?}", now / 1000, now % 1000);
    }

    fn name(&mut self, id: &str) -> String {
        if !id.starts_with("evt_") {
            return id.to_owned();
        }
        let place = self.names.iter().position(|known| known == id).unwrap_or_else(|| {
            self.names.push(id.to_owned());
            self.names.len() - 1
        });
        format!("made-{place}")
    }
}

impl Transport for World {
    fn send<'a>(&'a self, post: &'a Post) -> SendFuture<'a> {
        let (index, reaction, misbehaves) = self.begin(post);
        let Reaction { takes, outcome, .. } = reaction;
        Box::pin(async move {
            sleep(takes).await;
            match self.sabotage().filter(|_| misbehaves) {
                Some(Sabotage::SendsTwice) => {
                    self.end(index);
                    let (again, Reaction { takes, .. }, _) = self.begin(post);
                    sleep(takes).await;
                    self.end(again);
                }
                Some(Sabotage::SendsNothing) => self.never_sent(index),
                _ => self.end(index),
            }
            Sent { outcome, took: takes }
        })
    }
}
