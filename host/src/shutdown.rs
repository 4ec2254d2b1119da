//! The stop, from its announcement to its end, and the tasks that are waited for.
//!
//! ```text
//! announced -- delay --> requested -- what is under way ends --> over -- the store is closed --> the process ends
//! '------------------------------------- timeout --------------------------------------------'
//! ```
//!
//! Announced, the gateway still works and says that it soon will not, so that a load balancer can look away. Requested, nothing
//! new begins. Over, what is still under way is given up: it is in the store and goes on after the next start.

use std::future::Future;
use std::time::Duration;

use jiff::fmt::serde::unsigned_duration::friendly::compact::required as friendly;
use serde::{Deserialize, Serialize};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// A commit on a disk that is busy.
const CLOSE: Duration = Duration::from_secs(1);

/// How long a stop may take.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Options {
    /// From the signal to the end of the process. Default: 30 s.
    #[serde(with = "friendly")]
    pub timeout: Duration,
    /// How much of that goes by first, with `/readyz` saying that the gateway stops, before it takes no more requests. Default: none.
    #[serde(with = "friendly")]
    pub delay: Duration,
}

/// Tells tasks to stop and knows which are still running. Clones share both.
#[derive(Debug, Clone, Default)]
pub struct Shutdown {
    announced: CancellationToken,
    requested: CancellationToken,
    over: CancellationToken,
    tasks: TaskTracker,
}

impl Shutdown {
    /// Not stopping yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// One that is told to stop with this one, or alone, and has tasks of its own: when their time is over is its own affair, too.
    #[must_use]
    pub fn child(&self) -> Self {
        Self {
            announced: self.announced.child_token(),
            requested: self.requested.child_token(),
            over: CancellationToken::new(),
            tasks: TaskTracker::new(),
        }
    }

    /// Runs a task that shutdown waits for. It must end soon after [`Shutdown::requested`] resolves.
    pub fn spawn<F>(&self, task: F)
    where
        F: Future + Send + 'static,
        F::Output: Send + 'static,
    {
        drop(self.tasks.spawn(task));
    }

    /// Resolves when it is time to stop.
    pub async fn requested(&self) {
        self.requested.cancelled().await;
    }

    /// Whether it is time to stop.
    #[must_use]
    pub fn is_requested(&self) -> bool {
        self.requested.is_cancelled()
    }

    /// Whether it is, or soon will be.
    #[must_use]
    pub fn is_announced(&self) -> bool {
        self.announced.is_cancelled()
    }

    /// Says that everyone will be asked to stop soon.
    pub fn announce(&self) {
        self.announced.cancel();
    }

    /// Asks everyone to stop.
    pub fn request(&self) {
        self.announce();
        self.requested.cancel();
    }

    /// Waits until every task has ended, for at most `limit`, and says whether all did. The time of those that did not is over then.
    pub async fn finished(&self, limit: Duration) -> bool {
        self.tasks.close();
        let all = tokio::time::timeout(limit, self.tasks.wait()).await.is_ok();
        self.over.cancel();
        all
    }

    /// Resolves when what is still under way is given up.
    pub async fn over(&self) {
        self.over.cancelled().await;
    }
}

impl Options {
    /// What is wrong with them, if something is.
    ///
    /// # Errors
    /// A sentence that names the setting.
    pub fn check(self) -> Result<(), String> {
        if self.timeout.is_zero() {
            return Err("shutdown.timeout: must be longer than 0 s; a second signal stops at once".to_owned());
        }
        if self.delay >= self.timeout {
            return Err(
                "shutdown.delay: must be shorter than `shutdown.timeout`, which it is a part of".to_owned()
            );
        }
        Ok(())
    }

    /// What the delay leaves.
    #[must_use]
    pub const fn after_delay(self) -> Duration {
        self.timeout.saturating_sub(self.delay)
    }

    /// How long what is under way may take to end: what the delay leaves, less what the store may need to be closed.
    #[must_use]
    pub fn for_work(self) -> Duration {
        let left = self.after_delay();
        left - (left / 10).max(CLOSE.min(left / 2))
    }

    /// How long may be waited then for what tells about the work, whatever that left: a part of what the store may need.
    #[must_use]
    pub fn for_telemetry(self) -> Duration {
        (self.after_delay() - self.for_work()) / 4
    }
}

impl Default for Options {
    fn default() -> Self {
        // What container runtimes and Kubernetes wait before they kill, and twice the time of an attempt.
        Self { timeout: Duration::from_secs(30), delay: Duration::ZERO }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[tokio::test(start_paused = true)]
    async fn waits_for_tasks_but_not_for_ever() {
        let shutdown = Shutdown::new();
        let (quick, stuck) = (shutdown.clone(), Shutdown::new());
        shutdown.spawn(async move { quick.requested().await });
        shutdown.request();
        assert!(shutdown.finished(SECOND).await);
        stuck.spawn(std::future::pending::<()>());
        stuck.request();
        assert!(!stuck.finished(SECOND).await);
        stuck.over().await;
    }

    #[tokio::test]
    async fn a_child_stops_with_its_parent_and_not_the_other_way_round() {
        let parent = Shutdown::new();
        let (first, second) = (parent.child(), parent.child());
        first.request();
        assert!(first.is_requested() && !parent.is_announced());
        parent.announce();
        assert!(second.is_announced() && !second.is_requested());
        parent.request();
        assert!(second.is_requested());
        assert!(second.finished(SECOND).await, "its tasks are its own");
        let third = parent.child();
        assert!(parent.finished(SECOND).await);
        assert!(!third.over.is_cancelled(), "its tasks have the time that it gives them");
    }

    #[test]
    fn a_stop_keeps_some_of_its_time_for_the_store() {
        let options = Options { timeout: 30 * SECOND, delay: 10 * SECOND };
        assert_eq!((options.after_delay(), options.for_work()), (20 * SECOND, 18 * SECOND));
        assert_eq!(options.for_telemetry(), SECOND / 2);
        assert_eq!(Options { timeout: 4 * SECOND, ..Options::default() }.for_work(), 3 * SECOND);
        assert_eq!(Options { timeout: SECOND, ..Options::default() }.for_work(), SECOND / 2);
        assert!(options.check().is_ok());
        for (timeout, delay, about) in [(0, 0, "shutdown.timeout"), (5, 5, "shutdown.delay")] {
            let options = Options { timeout: timeout * SECOND, delay: delay * SECOND };
            assert!(options.check().unwrap_err().starts_with(about));
        }
    }
}
