//! The stop signal, passed to every stage, and the tasks that are waited for.

use std::future::Future;
use std::time::Duration;

use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// Tells tasks to stop and knows which are still running. Clones share both.
#[derive(Debug, Clone, Default)]
pub struct Shutdown {
    token: CancellationToken,
    tasks: TaskTracker,
}

impl Shutdown {
    /// Not stopping yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Runs a task that shutdown waits for. It must end soon after [`Shutdown::requested`] resolves.
    pub fn spawn<F>(&self, task: F) -> JoinHandle<F::Output>
    where
        F: Future + Send + 'static,
        F::Output: Send + 'static,
    {
        self.tasks.spawn(task)
    }

    /// Resolves when it is time to stop.
    pub async fn requested(&self) {
        self.token.cancelled().await;
    }

    /// Whether it is time to stop.
    #[must_use]
    pub fn is_requested(&self) -> bool {
        self.token.is_cancelled()
    }

    /// Asks everyone to stop.
    pub fn request(&self) {
        self.token.cancel();
    }

    /// Waits until every task has ended, for at most `limit`; says whether all did.
    pub async fn finished(&self, limit: Duration) -> bool {
        self.tasks.close();
        tokio::time::timeout(limit, self.tasks.wait()).await.is_ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn waits_for_tasks_but_not_for_ever() {
        let shutdown = Shutdown::new();
        let (quick, stuck) = (shutdown.clone(), Shutdown::new());
        shutdown.spawn(async move { quick.requested().await });
        shutdown.request();
        assert!(shutdown.finished(Duration::from_secs(1)).await);
        stuck.spawn(std::future::pending::<()>());
        stuck.request();
        assert!(!stuck.finished(Duration::from_secs(1)).await);
    }
}
