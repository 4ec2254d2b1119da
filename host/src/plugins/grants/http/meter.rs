//! How long one call of a guest waited for others, and how often.
//!
//! The time in which at least one request is under way is not the guest's own: it is taken from a budget, and the deadline of
//! the call is that much later. So a call takes at most its deadline and its budget together.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

/// What one call of a guest has left. Clones share it.
#[derive(Debug, Clone)]
pub(in crate::plugins) struct Meter(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    budget: Duration,
    requests: Mutex<Requests>,
    over: CancellationToken,
}

#[derive(Debug)]
struct Requests {
    left: u32,
    under_way: u32,
    /// When the first of those that are under way began.
    since: Option<Instant>,
    waited: Duration,
}

/// A request that is under way, until it is dropped.
#[derive(Debug)]
pub(super) struct UnderWay(Meter);

impl Meter {
    pub(super) fn new(requests: u32, budget: Duration) -> Self {
        let requests = Requests { left: requests, under_way: 0, since: None, waited: Duration::ZERO };
        Self(Arc::new(Shared { budget, requests: Mutex::new(requests), over: CancellationToken::new() }))
    }

    /// Begins a request, and says until when it may take; `None` if the call has made all that it may make.
    pub(super) fn begin(&self) -> Option<(UnderWay, Instant)> {
        let mut requests = self.requests();
        requests.left = requests.left.checked_sub(1)?;
        let now = Instant::now();
        requests.under_way += 1;
        requests.since.get_or_insert(now);
        let left = self.0.budget.saturating_sub(requests.waited(now));
        drop(requests);
        Some((UnderWay(self.clone()), now + left))
    }

    /// How much later than its deadline the call ends at this moment.
    pub(in crate::plugins) fn waited(&self) -> Duration {
        self.requests().waited(Instant::now()).min(self.0.budget)
    }

    /// The call is over: what is still under way is ended.
    pub(in crate::plugins) fn end(&self) {
        self.0.over.cancel();
    }

    pub(super) async fn ended(&self) {
        self.0.over.cancelled().await;
    }

    fn requests(&self) -> MutexGuard<'_, Requests> {
        self.0.requests.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Requests {
    fn waited(&self, now: Instant) -> Duration {
        let current = self.since.map_or(Duration::ZERO, |since| now.saturating_duration_since(since));
        self.waited + current
    }
}

impl Drop for UnderWay {
    fn drop(&mut self) {
        let mut requests = self.0.requests();
        requests.under_way -= 1;
        if requests.under_way == 0 {
            requests.waited = requests.waited(Instant::now());
            requests.since = None;
        }
    }
}

#[cfg(test)]
mod tests {
    use tokio::time::sleep;

    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[tokio::test(start_paused = true)]
    async fn only_the_time_with_a_request_under_way_counts_and_no_more_than_the_budget() {
        let meter = Meter::new(3, 10 * SECOND);
        sleep(SECOND).await;
        assert_eq!(meter.waited(), Duration::ZERO);
        let (first, until) = meter.begin().unwrap();
        assert_eq!(until, Instant::now() + 10 * SECOND);
        sleep(2 * SECOND).await;
        let (second, until) = meter.begin().unwrap();
        assert_eq!(until, Instant::now() + 8 * SECOND, "what is left of the budget");
        drop(first);
        sleep(2 * SECOND).await;
        drop(second);
        sleep(SECOND).await;
        assert_eq!(meter.waited(), 4 * SECOND, "two at a time count once");
        let third = meter.begin().unwrap();
        sleep(60 * SECOND).await;
        assert_eq!(meter.waited(), 10 * SECOND);
        assert!(meter.begin().is_none(), "all were made");
        drop(third);
    }
}
