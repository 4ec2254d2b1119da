//! How long a test waits: until something is reported, or for [`PATIENCE`], and then it says what it waited for.

use std::future::Future;
use std::time::Duration;

use anyhow::{Context, Result};

/// Far longer than anything takes on a busy machine, far shorter than the patience of a person.
pub const PATIENCE: Duration = Duration::from_secs(20);

/// The API has no push, so a state that only the API shows is asked for this often.
const ASK_EVERY: Duration = Duration::from_millis(20);

/// The result of `future`, or after [`PATIENCE`] the sentence that `what` did not happen.
///
/// # Errors
/// The time is up.
pub async fn within<F: Future>(what: &str, future: F) -> Result<F::Output> {
    let outcome = tokio::time::timeout(PATIENCE, future).await;
    outcome.with_context(|| format!("waited {} s for this: {what}", PATIENCE.as_secs()))
}

/// Asks again and again until the answer is `Some`, for states that only the API shows.
///
/// # Errors
/// The time is up, or asking fails.
pub async fn eventually<T, F>(what: &str, mut ask: impl FnMut() -> F) -> Result<T>
where
    F: Future<Output = Result<Option<T>>>,
{
    let asking = async {
        let mut ticks = tokio::time::interval(ASK_EVERY);
        loop {
            ticks.tick().await;
            if let Some(answer) = ask().await? {
                return Ok(answer);
            }
        }
    };
    within(what, asking).await?
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_wait_ends_with_a_sentence() {
        let error = within("rain", std::future::pending::<()>()).await.unwrap_err();
        assert_eq!(error.to_string(), "waited 20 s for this: rain");
    }

    #[tokio::test(start_paused = true)]
    async fn asks_until_there_is_an_answer() {
        let mut asked = 0;
        let ask = || {
            asked += 1;
            std::future::ready(Ok((asked == 3).then_some(asked)))
        };
        assert_eq!(eventually("three", ask).await.unwrap(), 3);
    }
}
