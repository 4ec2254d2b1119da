//! What happens in a run: worked out from its seed before it begins, so that it can be read, repeated and cut down.

use std::time::Duration;

use rand::rngs::StdRng;
use rand::{RngExt as _, SeedableRng as _};

use super::receiver::Mode;
use crate::store::redb::faults::Kind;

/// A run before it begins.
#[derive(Debug, Clone)]
pub(super) struct Script {
    pub(super) seed: u64,
    pub(super) setup: Setup,
    pub(super) steps: Vec<Step>,
}

/// What is there from the start.
#[derive(Debug, Clone)]
pub(super) struct Setup {
    pub(super) endpoints: Vec<Plan>,
    pub(super) max_in_flight: usize,
    pub(super) max_in_flight_per_endpoint: usize,
    pub(super) lane_buffer: usize,
    /// Events that may wait in memory for dispatch.
    pub(super) handoff: usize,
    pub(super) dispatch_in_flight: usize,
    /// Deliveries of a tenant that may wait; 0 = any number.
    pub(super) backlog: u64,
    /// The longest time that a step of the writer waits for the disk.
    pub(super) disk_takes_ms: u64,
}

impl Setup {
    /// One endpoint and that of the operations, and room for eight of everything.
    pub(super) fn narrow(plan: Plan) -> Self {
        Self {
            endpoints: vec![plan, Plan::of_operations()],
            max_in_flight: 8,
            max_in_flight_per_endpoint: 8,
            lane_buffer: 8,
            handoff: 8,
            dispatch_in_flight: 8,
            backlog: 0,
            disk_takes_ms: 5,
        }
    }
}

/// An endpoint as it is created.
#[derive(Debug, Clone)]
pub(super) struct Plan {
    pub(super) tenant: &'static str,
    pub(super) topics: &'static str,
    pub(super) limits: Limits,
    pub(super) order: Order,
    /// Whether it wants only events whose `k` is 0 to 2.
    pub(super) is_filtered: bool,
    /// The waits of its own retry schedule, in seconds.
    pub(super) retry: Option<Vec<u64>>,
    pub(super) mode: Mode,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Limits {
    pub(super) rate: u32,
    pub(super) burst: u32,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Order {
    None,
    Whole,
    ByKey,
}

#[derive(Debug, Clone)]
pub(super) struct Step {
    /// How long after the one before.
    pub(super) after: Duration,
    pub(super) action: Action,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Action {
    /// A producer posts so many events in one request.
    Post(Batch),
    Receiver(usize, Mode),
    Limit(usize, Limits),
    Deactivate(usize),
    Activate(usize),
    Delete(usize),
    /// Somebody picks one of the newest deliveries.
    Retry(usize),
    Cancel(usize),
    Replay(usize),
    Recover(usize),
    /// The wall clock is set by so many hours. The clock of a gateway that starts later shows that, unless what it has is of a later time.
    SetClock(i64),
    /// After so many operations more, the disk of the tables or of the log fails: for good, or one operation of a kind.
    BreakDisk {
        log: bool,
        after: usize,
        once: Option<Kind>,
    },
    Kill,
    PowerLoss,
    Stop,
}

/// Who is told what the gateway tells about itself.
pub(super) const OPERATIONS: &str = "ops";
/// Events of one request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Batch {
    pub(super) tenant: &'static str,
    pub(super) topic: &'static str,
    pub(super) events: usize,
    pub(super) own_ids: bool,
}

const TENANTS: [&str; 2] = ["acme", "globex"];
const TOPICS: [&str; 3] = ["orders/created", "orders/paid", "users/changed"];
const PATTERNS: [&str; 4] = ["**", "orders/*", "orders/created", "users/*"];

impl Script {
    pub(super) fn of_seed(seed: u64) -> Self {
        let mut rng = StdRng::seed_from_u64(seed);
        let setup = Setup::random(&mut rng);
        let count = rng.random_range(10..60);
        let steps = (0..count).map(|_| Step::random(&mut rng, setup.endpoints.len())).collect();
        Self { seed, setup, steps }
    }
}

impl Setup {
    fn random(rng: &mut StdRng) -> Self {
        let count = rng.random_range(1..7);
        Self {
            endpoints: (0..count).map(|_| Plan::random(rng)).chain([Plan::of_operations()]).collect(),
            max_in_flight: rng.random_range(4..40),
            max_in_flight_per_endpoint: rng.random_range(2..20),
            lane_buffer: rng.random_range(1..20),
            handoff: rng.random_range(1..20),
            dispatch_in_flight: rng.random_range(1..20),
            backlog: if rng.random_ratio(1, 4) { rng.random_range(20..40) } else { 0 },
            disk_takes_ms: rng.random_range(0..20),
        }
    }
}

impl Plan {
    pub(super) fn of_operations() -> Self {
        Self {
            tenant: OPERATIONS,
            topics: "**",
            limits: Limits::default(),
            order: Order::None,
            is_filtered: false,
            retry: None,
            mode: Mode::Fine(20),
        }
    }

    fn random(rng: &mut StdRng) -> Self {
        Self {
            tenant: pick(rng, &TENANTS),
            topics: pick(rng, &PATTERNS),
            limits: Limits::random(rng),
            order: pick(rng, &[Order::None, Order::None, Order::Whole, Order::ByKey]),
            is_filtered: rng.random_ratio(1, 4),
            retry: rng.random_ratio(1, 3).then(|| vec![1; rng.random_range(1..4)]),
            mode: Mode::random(rng),
        }
    }
}

impl Limits {
    fn random(rng: &mut StdRng) -> Self {
        let mut limit = |most| if rng.random_ratio(1, 2) { rng.random_range(1..most) } else { 0 };
        Self { rate: limit(30), burst: limit(6) }
    }
}

impl Step {
    fn random(rng: &mut StdRng, endpoints: usize) -> Self {
        let after = match rng.random_range(0..20) {
            0..8 => Duration::from_millis(rng.random_range(0..100)),
            8..16 => Duration::from_millis(rng.random_range(100..5_000)),
            16..19 => Duration::from_secs(rng.random_range(5..200)),
            _ => Duration::from_secs(rng.random_range(200..40_000)),
        };
        Self { after, action: Action::random(rng, endpoints) }
    }
}

impl Action {
    fn random(rng: &mut StdRng, endpoints: usize) -> Self {
        let endpoint = rng.random_range(0..endpoints);
        match rng.random_range(0..100) {
            0..42 => Self::Post(Batch {
                tenant: pick(rng, &TENANTS),
                topic: pick(rng, &TOPICS),
                events: if rng.random_ratio(1, 3) { rng.random_range(2..25) } else { 1 },
                own_ids: rng.random_ratio(4, 5),
            }),
            42..58 => Self::Receiver(endpoint, Mode::random(rng)),
            58..64 => Self::Limit(endpoint, Limits::random(rng)),
            64..68 => Self::Deactivate(endpoint),
            68..72 => Self::Activate(endpoint),
            72..73 => Self::Delete(endpoint),
            73..77 => Self::Retry(rng.random_range(0..50)),
            77..80 => Self::Cancel(rng.random_range(0..50)),
            80..82 => Self::Replay(rng.random_range(0..50)),
            82..84 => Self::Recover(endpoint),
            84..88 => Self::SetClock(pick(rng, &[-24, 24])),
            88..90 => Self::BreakDisk {
                log: rng.random_ratio(1, 2),
                after: rng.random_range(0..60),
                once: pick(
                    rng,
                    &[None, Some(Kind::Read), Some(Kind::Write), Some(Kind::SetLen), Some(Kind::Sync)],
                ),
            },
            90..94 => Self::Kill,
            94..97 => Self::PowerLoss,
            _ => Self::Stop,
        }
    }
}

fn pick<T: Copy>(rng: &mut StdRng, of: &[T]) -> T {
    of[rng.random_range(0..of.len())]
}
