//! A run from its first step to its end: lives of a gateway, one after another, on what the one before left.

use std::sync::Arc;
use std::time::Duration;

use ::http::Method;
use rand::RngExt as _;
use serde_json::{Value, json};
use tokio::time::sleep;

use super::gateway::{Fixture, Gateway, Machine, endpoint_id, endpoint_number};
use super::outcome::Outcome;
use super::receiver::Mode;
use super::sabotage::Sabotage;
use super::script::{Action, Batch, Limits, Script, Setup};
use super::world::{Asked, Change, Changed, Resend, Resent, World};
use crate::model::TenantId;
use crate::store::{DeliveryFilter, Store as _};

/// What is under way gets this long to end when a gateway is stopped.
const STOP: Duration = Duration::from_secs(30);
/// Everything ends within this long after all receivers are well: the longest wait of the schedule, the days by which clocks were
/// set back, and the longest that a receiver asked for.
const REST: Duration = Duration::from_hours(24 * 12);
const LOOK: Duration = Duration::from_mins(10);
/// How often it is looked whether the store still takes writes.
const STORE_LOOK: Duration = Duration::from_millis(500);
const JSON: &str = "application/json";

/// How a run went.
pub(super) struct Ran {
    pub(super) world: Arc<World>,
    /// What the store had at the end; or why there is none.
    pub(super) outcome: Result<Outcome, String>,
    /// Steps that were taken.
    pub(super) steps: usize,
}

struct Run<'a> {
    script: &'a Script,
    fixture: &'a Fixture,
    sabotage: Option<Sabotage>,
    world: Arc<World>,
    machine: Machine,
    next: usize,
    created: Vec<usize>,
}

/// How a life ended.
enum End {
    /// Killed, or without power.
    Over,
    Stopped {
        in_time: bool,
    },
    Finished(Box<Outcome>),
    Stuck(String),
}

pub(super) fn run(script: &Script, fixture: &Fixture, sabotage: Option<Sabotage>) -> Ran {
    let world = Arc::new(World::new(script.seed, &script.setup, sabotage));
    let machine = Machine::new(script.seed, sabotage);
    let mut run = Run { script, fixture, sabotage, world, machine, next: 0, created: Vec::new() };
    let outcome = loop {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build();
        let end = runtime.unwrap().block_on(run.live());
        match end {
            End::Over | End::Stopped { in_time: true } => {}
            End::Stopped { in_time: false } => break Err("a stop took more than 30 s".to_owned()),
            End::Finished(outcome) => break Ok(*outcome),
            End::Stuck(why) => break Err(why),
        }
    };
    Ran { world: run.world, outcome, steps: run.next }
}

impl Run<'_> {
    const fn setup(&self) -> &Setup {
        &self.script.setup
    }

    async fn live(&mut self) -> End {
        let (setup, world) = (&self.script.setup, &self.world);
        let started = Gateway::start(&mut self.machine, setup, world, self.fixture, self.sabotage).await;
        let gateway = match started {
            Ok(gateway) => gateway,
            Err(error) => return End::Stuck(format!("the gateway does not start: {error}")),
        };
        if let Err(error) = self.create_endpoints(&gateway).await {
            return End::Stuck(format!("an endpoint cannot be created: {error}"));
        }
        let end = self.take_steps(&gateway).await;
        self.world.remember(|history, _| history.reads += gateway.store.reads());
        end
    }

    async fn take_steps(&mut self, gateway: &Gateway) -> End {
        self.ask_again(gateway);
        while let Some(step) = self.script.steps.get(self.next).cloned() {
            self.next += 1;
            if self.store_fails_within(gateway, step.after).await {
                return self.stop(gateway).await;
            }
            if step.action == Action::Stop {
                return self.stop(gateway).await;
            }
            if [Action::Kill, Action::PowerLoss].contains(&step.action) {
                return self.kill(step.action == Action::PowerLoss);
            }
            self.act(gateway, step.action);
        }
        if !gateway.store.is_writable() || self.is_broken() {
            return self.kill(false);
        }
        self.come_to_rest(gateway).await
    }

    /// Waits, but no longer than the store takes writes: a gateway whose store has failed stops.
    async fn store_fails_within(&self, gateway: &Gateway, wait: Duration) -> bool {
        if !self.is_broken() {
            sleep(wait).await;
            return false;
        }
        let failure = async {
            while gateway.store.is_writable() {
                sleep(STORE_LOOK).await;
            }
        };
        tokio::time::timeout(wait, failure).await.is_ok()
    }

    fn is_broken(&self) -> bool {
        self.world.remember(|history, _| history.lives.last().is_some_and(|life| life.broken_at.is_some()))
    }

    async fn create_endpoints(&mut self, gateway: &Gateway) -> Result<(), crate::store::Error> {
        let new = gateway.create_endpoints(self.setup(), self.sabotage, &self.created).await?;
        for endpoint in new {
            self.created.push(endpoint);
            let limits = self.setup().endpoints[endpoint].limits;
            self.world.remember(|history, now| {
                let life = history.lives.len() - 1;
                let what = Changed::Created(limits);
                history.changes.push(Change { life, endpoint, what, asked: now, done: Some(now) });
            });
        }
        Ok(())
    }

    /// What the gateway does from now on, as it is taken apart, reaches no disk.
    fn kill(&mut self, power_lost: bool) -> End {
        let pause = Duration::from_millis(self.world.draw(|rng| rng.random_range(0..5_000)));
        let how = if power_lost { "the power is lost" } else { "the process is killed" };
        self.world.end_life(how, true, pause);
        self.restart(power_lost);
        End::Over
    }

    fn restart(&mut self, power_was_lost: bool) {
        let Self { machine, world, sabotage, .. } = self;
        world.draw(|rng| machine.restart(power_was_lost, rng, *sabotage));
    }

    async fn stop(&mut self, gateway: &Gateway) -> End {
        self.world.note("is asked to stop", &"");
        gateway.shutdown.request();
        let in_time = gateway.shutdown.finished(STOP).await;
        // A store that failed says so; what it has is what a kill would leave.
        let _ = gateway.store.close();
        self.world.end_life("stopped", !in_time, Duration::from_secs(1));
        // What a disk had in hand when it failed may be gone with it.
        self.restart(self.is_broken() && self.world.draw(|rng| rng.random_ratio(1, 2)));
        End::Stopped { in_time }
    }

    fn act(&self, gateway: &Gateway, action: Action) {
        match action {
            Action::Post(batch) => self.post(gateway, batch),
            Action::Receiver(endpoint, mode) => self.world.set_mode(endpoint, mode),
            Action::Limit(endpoint, limits) => {
                self.change(gateway, endpoint, Changed::Limits(limits));
            }
            Action::Deactivate(endpoint) => self.change(gateway, endpoint, Changed::Deactivated),
            Action::Activate(endpoint) => self.change(gateway, endpoint, Changed::Activated),
            Action::Delete(endpoint) => self.change(gateway, endpoint, Changed::Deleted),
            Action::Retry(nth) => self.resend(gateway, nth, "retry"),
            Action::Cancel(nth) => self.resend(gateway, nth, "cancel"),
            Action::Replay(nth) => self.resend(gateway, nth, "replay"),
            Action::Recover(endpoint) => self.recover(gateway, endpoint),
            Action::SetClock(hours) => self.world.set_clock(hours),
            Action::BreakDisk { log, after, once } => {
                let disk = if log { &self.machine.log } else { &self.machine.tables };
                match once {
                    Some(kind) => disk.fail_once_after(kind, after),
                    None => disk.fail_after(after),
                }
                self.world.disk_breaks();
            }
            Action::Kill | Action::PowerLoss | Action::Stop => {}
        }
        self.ask_again(gateway);
    }

    /// New events in one request.
    fn post(&self, gateway: &Gateway, Batch { tenant, topic, events, own_ids }: Batch) {
        let asked = self.world.remember(|history, now| {
            let first = history.events.len();
            for n in first..first + events {
                let k = u32::try_from(n * 7 % 5).unwrap_or_default();
                history.events.push(Asked {
                    own_id: own_ids.then(|| format!("e-{n}")),
                    tenant,
                    topic,
                    k,
                    data: format!(r#"{{"n": {n}, "k": {k}}}"#),
                    asked: now,
                    accepted: None,
                    accepted_at: None,
                    given_up: !own_ids,
                });
            }
            (first..first + events).collect::<Vec<_>>()
        });
        self.ask(gateway, asked);
    }

    /// Events whose producer does not know what became of them.
    fn ask_again(&self, gateway: &Gateway) {
        let unknown = self.world.remember(|history, _| {
            let events = history.events.iter().enumerate();
            let unknown = events.filter(|(_, event)| event.accepted.is_none() && !event.given_up);
            unknown.map(|(n, event)| (n, event.tenant)).collect::<Vec<_>>()
        });
        for of_tenant in unknown.chunk_by(|(_, one), (_, other)| one == other) {
            for some in of_tenant.chunks(20) {
                self.ask(gateway, some.iter().map(|(n, _)| *n).collect());
            }
        }
    }

    fn ask(&self, gateway: &Gateway, asked: Vec<usize>) {
        let (world, gateway) = (Arc::clone(&self.world), gateway.clone());
        tokio::spawn(async move {
            let lines = world
                .remember(|history, _| asked.iter().map(|n| line(&history.events[*n])).collect::<Vec<_>>());
            let media = if lines.len() == 1 { JSON } else { "application/x-ndjson" };
            let body = (media, lines.join("\n"));
            world.note("is asked to take", &asked);
            let (status, headers, answer) = gateway.call(Method::POST, "/v1/events", body).await;
            world.note("answers", &(status.as_u16(), &asked));
            let too_many = status == 429;
            assert!(!too_many || headers.contains_key("retry-after"), "429 says when to come again");
            let many =
                answer["events"].as_array().map(|events| events.iter().map(|event| &event["event_id"]));
            let ids = many.map_or_else(|| vec![answer["event_id"].clone()], |ids| ids.cloned().collect());
            if status == 202 {
                world.remember(|history, now| {
                    let tenant = history.events[asked[0]].tenant;
                    let work = gateway.store.backlog(&tenant.parse().unwrap()).deliveries;
                    let most = history.most_work.entry(tenant).or_default();
                    *most = work.max(*most);
                    for (n, id) in asked.iter().zip(ids) {
                        let id = id.as_str().unwrap_or_default().to_owned();
                        let event = &mut history.events[*n];
                        event.accepted.get_or_insert(id);
                        event.accepted_at.get_or_insert(now);
                    }
                });
            }
        });
    }

    fn change(&self, gateway: &Gateway, endpoint: usize, what: Changed) {
        let index = self.world.remember(|history, now| {
            let life = history.lives.len() - 1;
            history.changes.push(Change { life, endpoint, what, asked: now, done: None });
            history.changes.len() - 1
        });
        let (world, gateway, sabotage) = (Arc::clone(&self.world), gateway.clone(), self.sabotage);
        let is_end = matches!(what, Changed::Deactivated | Changed::Deleted);
        tokio::spawn(async move {
            let path = format!("/v1/endpoints/{}", endpoint_id(endpoint));
            let (method, path, body) = match what {
                Changed::Created(_) => return,
                // Whoever ignores limits is not told of any.
                Changed::Limits(_) if sabotage == Some(Sabotage::IgnoresLimits) => {
                    (Method::PATCH, path, json!({ "description": "limited" }))
                }
                Changed::Limits(Limits { rate, burst }) => {
                    (Method::PATCH, path, json!({ "rate_limit": rate, "burst_limit": burst }))
                }
                // Nothing is done, and whoever asked is told that it was.
                _ if is_end && sabotage == Some(Sabotage::IgnoresOwners) => (Method::GET, path, Value::Null),
                Changed::Deactivated => (Method::POST, format!("{path}/deactivate"), Value::Null),
                Changed::Activated => (Method::POST, format!("{path}/activate"), Value::Null),
                Changed::Deleted => (Method::DELETE, path, Value::Null),
            };
            let (status, ..) = gateway.call(method, &path, (JSON, body.to_string())).await;
            world.note("changed", &(endpoint, what, status.as_u16()));
            if status.is_success() {
                world.remember(|history, now| history.changes[index].done = Some(now));
            }
        });
    }

    fn resend(&self, gateway: &Gateway, nth: usize, verb: &'static str) {
        let (world, gateway) = (Arc::clone(&self.world), gateway.clone());
        tokio::spawn(async move {
            let newest = gateway.store.deliveries(DeliveryFilter::default(), None, 50).await;
            let Ok(newest) = newest else { return };
            let Some(row) = newest.rows.get(nth % newest.rows.len().max(1)) else { return };
            let (event, ordinal) = (world.name(row.event.id.as_str()), row.delivery.id.ordinal);
            let endpoint = endpoint_number(row.delivery.endpoint);
            let (path, what) = match verb {
                "retry" => (
                    format!("/v1/deliveries/{}/retry", row.delivery.id),
                    Resend::Retry { event, ordinal, endpoint },
                ),
                "cancel" => {
                    (format!("/v1/deliveries/{}/cancel", row.delivery.id), Resend::Cancel { event, ordinal })
                }
                _ => (
                    format!("/v1/events/{}/replay?tenant={}", row.event.id, row.event.tenant),
                    Resend::Replay { event },
                ),
            };
            world.note("is asked to", &what);
            world.remember(|history, asked| history.resends.push(Resent { asked, what }));
            let (status, ..) = gateway.call(Method::POST, &path, (JSON, String::new())).await;
            world.note(verb, &status.as_u16());
        });
    }

    fn recover(&self, gateway: &Gateway, endpoint: usize) {
        let what = Resend::Recovery { endpoint };
        self.world.note("is asked to", &what);
        self.world.remember(|history, asked| history.resends.push(Resent { asked, what }));
        let (world, gateway) = (Arc::clone(&self.world), gateway.clone());
        tokio::spawn(async move {
            let path = format!("/v1/endpoints/{}/recover", endpoint_id(endpoint));
            let body = json!({ "since": "2001-01-01T00:00:00Z", "status": ["failed", "cancelled"] });
            let (status, ..) = gateway.call(Method::POST, &path, (JSON, body.to_string())).await;
            world.note("recovery", &status.as_u16());
        });
    }

    /// All receivers are well and all endpoints active: everything ends.
    async fn come_to_rest(&mut self, gateway: &Gateway) -> End {
        self.world.note("all receivers are well from now on", &"");
        self.world.remember(|history, now| history.well_since = Some(now));
        let endpoints = self.setup().endpoints.len();
        (0..endpoints).for_each(|endpoint| self.world.set_mode(endpoint, Mode::Fine(20)));
        let mut tenants: Vec<TenantId> =
            self.setup().endpoints.iter().map(|plan| plan.tenant.parse().unwrap()).collect();
        tenants.extend(["acme", "globex"].map(|tenant| tenant.parse().unwrap()));
        let mut waited = Duration::ZERO;
        loop {
            (0..endpoints).for_each(|endpoint| {
                if gateway.directory.is_inactive(endpoint_id(endpoint)) {
                    self.change(gateway, endpoint, Changed::Activated);
                }
            });
            self.ask_again(gateway);
            sleep(LOOK).await;
            waited += LOOK;
            let is_asked = self.world.remember(|history, _| {
                history.events.iter().all(|event| event.accepted.is_some() || event.given_up)
            });
            let waits = tenants.iter().any(|tenant| gateway.store.backlog(tenant).deliveries > 0);
            if is_asked && !waits {
                break;
            }
            if waited > REST {
                let left = tenants.iter().map(|tenant| gateway.store.backlog(tenant)).collect::<Vec<_>>();
                return End::Stuck(format!(
                    "does not come to rest: {left:?} are left, all asked: {is_asked}"
                ));
            }
        }
        let outcome = match Outcome::read(gateway, &self.world).await {
            Ok(outcome) => outcome.spoilt(self.sabotage),
            Err(error) => return End::Stuck(format!("the store cannot be read at the end: {error}")),
        };
        let end = self.stop(gateway).await;
        if !matches!(end, End::Stopped { in_time: true }) {
            return end;
        }
        // One gives the writer its turns.
        let tasks = tokio::runtime::Handle::current().metrics().num_alive_tasks();
        End::Finished(Box::new(Outcome { tasks_left: tasks.saturating_sub(1), ..outcome }))
    }
}

fn line(event: &Asked) -> String {
    let id = event.own_id.as_ref().map(|id| format!(r#""event_id": "{id}", "#)).unwrap_or_default();
    let Asked { tenant, topic, data, .. } = event;
    format!(r#"{{"event": "{topic}", "tenant": "{tenant}", {id}"data": {data}}}"#)
}
