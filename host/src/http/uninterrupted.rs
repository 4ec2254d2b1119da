//! Work that must not stop half-way because a client hung up.
//!
//! The future of a handler is dropped when its connection breaks. Between a commit and what follows from it (handing an
//! event on, indexing an endpoint) that would leave memory behind the store until the next start.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::runtime::Handle;

/// Runs the work to its end, whether or not the returned future is still polled. Nothing is begun before it is polled once.
pub async fn uninterrupted<F>(work: F) -> F::Output
where
    F: Future<Output: Send + 'static> + Send + 'static,
{
    Uninterrupted(Some(Box::pin(work))).await
}

/// Work that is done where it is waited for. Only what is left of it when nobody waits any more becomes a task.
struct Uninterrupted<F: Future<Output: Send + 'static> + Send + 'static>(Option<Pin<Box<F>>>);

impl<F: Future<Output: Send + 'static> + Send + 'static> Future for Uninterrupted<F> {
    type Output = F::Output;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<F::Output> {
        // Taken out, so that work that panics is not begun again.
        let mut work = self.0.take().expect("nobody polls a future that has ended");
        let polled = work.as_mut().poll(context);
        if polled.is_pending() {
            self.0 = Some(work);
        }
        polled
    }
}

impl<F: Future<Output: Send + 'static> + Send + 'static> Drop for Uninterrupted<F> {
    fn drop(&mut self) {
        // Without a runtime nothing goes on: the process ends.
        if let (Some(rest), Ok(runtime)) = (self.0.take(), Handle::try_current()) {
            runtime.spawn(rest);
        }
    }
}

#[cfg(test)]
mod tests {
    use tokio::sync::oneshot;

    use super::*;

    #[tokio::test]
    async fn what_nobody_waits_for_any_more_is_done_all_the_same() {
        let (go_on, wait) = oneshot::channel();
        let (done, is_done) = oneshot::channel();
        let mut work = Box::pin(uninterrupted(async move {
            wait.await.unwrap();
            done.send(()).unwrap();
        }));
        assert!(std::future::poll_fn(|context| Poll::Ready(work.as_mut().poll(context))).await.is_pending());
        drop(work);
        go_on.send(()).unwrap();
        is_done.await.unwrap();
    }

    #[tokio::test]
    async fn what_is_done_is_answered() {
        assert_eq!(uninterrupted(async { 7 }).await, 7);
    }

    #[tokio::test]
    #[should_panic(expected = "of its own")]
    async fn a_panic_is_that_of_who_waits() {
        uninterrupted(async { panic!("of its own") }).await;
    }
}
