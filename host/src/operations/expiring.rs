//! `hookway.secret.expiring`: 7 days before a signing secret expires, and 1 day before.
//!
//! After a stop over both only the nearer one is told, and nothing about a secret that has expired. The wall clock
//! decides, as it does about signing.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use super::{Operations, STORE_RETRY};
use crate::model::{Endpoint, SecretId, UnixMs};
use crate::notices::Notice;
use crate::shutdown::Shutdown;
use crate::store::Error;

/// How long before the expiry, with its name in the key of the event; the nearest last.
const MARKS: [(Duration, &str); 2] = [(Duration::from_hours(7 * 24), "7d"), (Duration::from_hours(24), "1d")];
/// Looked at again after this in any case, as the wall clock may be set.
const RESCAN: Duration = Duration::from_hours(1);
/// Changes that come together are looked at together: a look goes over all endpoints.
const QUIET: Duration = Duration::from_secs(1);

/// What there is to tell at one moment.
#[derive(Debug, Default)]
struct Look {
    due: Vec<Expiring>,
    /// When there is more to tell.
    next: Option<UnixMs>,
}

/// A secret that has passed a mark.
#[derive(Debug)]
struct Expiring {
    endpoint: Arc<Endpoint>,
    secret: SecretId,
    expires_at: UnixMs,
    mark: &'static str,
}

/// Tells of expiring secrets until it is time to stop.
pub(super) async fn run(operations: Operations, shutdown: Shutdown) {
    let mut told = HashSet::new();
    loop {
        // From before the look on, so that no change falls between the two.
        let mut changes = operations.directory.changes();
        let now = operations.clock.wall();
        let Look { due, next } = look(operations.directory.list(), now);
        let mut wait = next.map_or(RESCAN, |next| next.since(now).min(RESCAN));
        tokio::select! {
            telling = operations.tell_all(due, &mut told) => if let Err(error) = telling {
                tracing::error!(%error, "cannot store that a secret expires soon; trying again");
                wait = STORE_RETRY;
            },
            () = shutdown.requested() => return,
        }
        tokio::select! {
            () = tokio::time::sleep(wait) => {}
            () = async {
                // Too far behind is news as well.
                let _ = changes.recv().await;
                tokio::time::sleep(QUIET).await;
            } => {}
            () = shutdown.requested() => return,
        }
    }
}

impl Operations {
    /// Tells what was not told yet, and keeps in mind what is due still.
    async fn tell_all(&self, due: Vec<Expiring>, told: &mut HashSet<String>) -> Result<(), Error> {
        let mut still_due = HashSet::with_capacity(due.len());
        for expiring in due {
            let key = expiring.key();
            if !told.contains(&key) {
                let Expiring { endpoint, secret, expires_at, .. } = &expiring;
                let (secret, expires_at) = (*secret, *expires_at);
                self.tell_once(&key, &Notice::SecretExpiring { endpoint, secret, expires_at }).await?;
            }
            still_due.insert(key);
        }
        *told = still_due;
        Ok(())
    }
}

impl Expiring {
    /// A secret whose expiry is changed is another matter.
    fn key(&self) -> String {
        format!("secret.expiring {} {} {}", self.secret, self.expires_at.0, self.mark)
    }
}

fn look(endpoints: Vec<Arc<Endpoint>>, now: UnixMs) -> Look {
    let mut look = Look::default();
    for endpoint in endpoints {
        for secret in endpoint.secrets.iter().filter(|secret| secret.is_active(now)) {
            let Some(expires_at) = secret.expires_at else { continue };
            let (passed, next) = marks(expires_at, now);
            let expiring =
                |mark| Expiring { endpoint: Arc::clone(&endpoint), secret: secret.id, expires_at, mark };
            look.due.extend(passed.map(expiring));
            look.next = [look.next, next].into_iter().flatten().min();
        }
    }
    look
}

/// The nearest mark that has passed, and when the next one does.
fn marks(expires_at: UnixMs, now: UnixMs) -> (Option<&'static str>, Option<UnixMs>) {
    let mut passed = None;
    for (before, name) in MARKS {
        let at = expires_at.before(before);
        if now < at {
            return (passed, Some(at));
        }
        passed = Some(name);
    }
    (passed, None)
}
