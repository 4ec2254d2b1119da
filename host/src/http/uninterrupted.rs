//! Work that must not stop half-way because a client hung up.
//!
//! The future of a handler is dropped when its connection breaks. Between a commit and what follows from it (handing an
//! event on, indexing an endpoint) that would leave memory behind the store until the next start.

use std::future::{Future, pending};
use std::panic::resume_unwind;

/// Runs the work to its end, whether or not the returned future is still polled.
pub async fn uninterrupted<F>(work: F) -> F::Output
where
    F: Future<Output: Send + 'static> + Send + 'static,
{
    match tokio::spawn(work).await {
        Ok(output) => output,
        Err(error) => match error.try_into_panic() {
            Ok(panic) => resume_unwind(panic),
            // Cancelled: the runtime is shutting down, and nobody will poll this again.
            Err(_) => pending().await,
        },
    }
}
