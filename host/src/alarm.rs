//! News that comes once, for a task that is polled far more often than that.
//!
//! To poll a cancellation token takes two locks that all who wait for it share, and a connection is polled several times for each
//! request. An alarm looks at a flag of its own until it rings.

use std::future::{Future, poll_fn};
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, Wake, Waker};

/// A future that is polled when it may be ready, and otherwise not.
#[derive(Debug)]
pub struct Alarm<F> {
    news: Pin<Box<F>>,
    bell: Option<Arc<Bell>>,
}

/// What the future wakes.
#[derive(Debug)]
struct Bell {
    rings: AtomicBool,
    task: Waker,
}

impl<F: Future<Output = ()>> Alarm<F> {
    /// Rings when this resolves.
    #[must_use]
    pub fn new(news: F) -> Self {
        Self { news: Box::pin(news), bell: None }
    }

    /// Ready once it rings; not to be asked again then.
    pub fn poll(&mut self, context: &mut Context<'_>) -> Poll<()> {
        let is_quiet =
            |bell: &Arc<Bell>| !bell.rings.load(Ordering::Acquire) && bell.task.will_wake(context.waker());
        if self.bell.as_ref().is_some_and(is_quiet) {
            return Poll::Pending;
        }
        let bell = Arc::new(Bell { rings: AtomicBool::new(false), task: context.waker().clone() });
        let polled = self.news.as_mut().poll(&mut Context::from_waker(&Waker::from(Arc::clone(&bell))));
        self.bell = Some(bell);
        polled
    }

    /// Resolves once it rings. Safe to drop before it does.
    pub async fn rung(&mut self) {
        poll_fn(|context| self.poll(context)).await;
    }

    /// What comes of this work, or `None` if the alarm rings before.
    pub async fn interrupting<W: Future>(mut self, work: W) -> Option<W::Output> {
        let mut work = pin!(work);
        poll_fn(|context| match work.as_mut().poll(context) {
            Poll::Ready(done) => Poll::Ready(Some(done)),
            Poll::Pending => self.poll(context).map(|()| None),
        })
        .await
    }
}

impl Wake for Bell {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.rings.store(true, Ordering::Release);
        self.task.wake_by_ref();
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;
    use std::future::pending;

    use tokio::sync::oneshot;

    use super::*;

    /// A task that notes that it is woken.
    #[derive(Default)]
    struct Task(AtomicBool);

    impl Wake for Task {
        fn wake(self: Arc<Self>) {
            self.0.store(true, Ordering::Relaxed);
        }
    }

    fn poll<F: Future<Output = ()>>(alarm: &mut Alarm<F>, task: &Arc<Task>) -> Poll<()> {
        alarm.poll(&mut Context::from_waker(&Waker::from(Arc::clone(task))))
    }

    #[test]
    fn what_it_waits_for_is_polled_at_first_and_when_it_rings() {
        let (ring, mut rung) = oneshot::channel::<()>();
        let polls = Cell::new(0);
        let mut alarm = Alarm::new(poll_fn(|context| {
            polls.set(polls.get() + 1);
            Pin::new(&mut rung).poll(context).map(drop)
        }));
        let task = Arc::default();
        assert!((0..3).all(|_| poll(&mut alarm, &task).is_pending()));
        assert_eq!(polls.get(), 1);
        ring.send(()).unwrap();
        assert!(task.0.load(Ordering::Relaxed));
        assert!(poll(&mut alarm, &task).is_ready());
        assert_eq!(polls.get(), 2);
    }

    #[test]
    fn it_wakes_the_task_that_asked_last() {
        let (ring, rung) = oneshot::channel::<()>();
        let mut alarm = Alarm::new(async { drop(rung.await) });
        let (first, last) = (Arc::default(), Arc::default());
        assert!(poll(&mut alarm, &first).is_pending() && poll(&mut alarm, &last).is_pending());
        ring.send(()).unwrap();
        assert!(last.0.load(Ordering::Relaxed) && !first.0.load(Ordering::Relaxed));
        assert!(poll(&mut alarm, &last).is_ready());
    }

    #[tokio::test]
    async fn work_goes_on_until_it_is_done_or_the_alarm_rings() {
        assert_eq!(Alarm::new(pending()).interrupting(async { 7 }).await, Some(7));
        assert_eq!(Alarm::new(async {}).interrupting(pending::<()>()).await, None);
    }
}
