//! What a recovery would find: counted, and nothing changed.

use std::collections::BTreeMap;

use super::Resends;
use crate::model::{Recovery, Wanted};
use crate::store::{Candidate, Candidates, Error, Reached};

/// Deliveries and events that are looked at for one count. It takes some seconds at the most.
pub const MAX_COUNTED: u64 = 200_000;
/// Candidates that are read at once, with their events.
const PAGE: usize = 64;

/// What was counted.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Count {
    /// How many there are of each kind that is wanted.
    pub found: BTreeMap<Wanted, u64>,
    /// How many were looked at.
    pub scanned: u64,
    /// Whether the whole range was looked at.
    pub is_complete: bool,
}

impl Resends {
    /// Counts what a recovery would find now. Of events that were missed those count that the endpoint wants; filter and
    /// plugins are not asked.
    ///
    /// # Errors
    /// The store's.
    pub async fn count(&self, mut recovery: Recovery) -> Result<Count, Error> {
        let mut count =
            Count { found: recovery.wanted.iter().map(|wanted| (*wanted, 0)).collect(), ..Count::default() };
        while count.scanned < MAX_COUNTED {
            let Candidates { found, scanned, reached } =
                self.store.candidates(recovery.clone(), PAGE).await?;
            count.scanned += scanned;
            for candidate in found {
                if let Some(wanted) = self.kind(&recovery, candidate).await {
                    *count.found.entry(wanted).or_default() += 1;
                }
            }
            match reached {
                Reached::Place(place) => recovery.place = place,
                // What is not dispatched yet cannot be counted.
                Reached::Undispatched(_) | Reached::End => {
                    count.is_complete = reached == Reached::End;
                    break;
                }
            }
        }
        Ok(count)
    }

    async fn kind(&self, recovery: &Recovery, candidate: Candidate) -> Option<Wanted> {
        match candidate {
            Candidate::Delivery(delivery, _) => Wanted::of(&delivery.state),
            Candidate::Missed(event) => {
                let trial = self.judge.trial(&event)?;
                let interested = self.judge.interested(&trial).await;
                let is_wanted = interested.iter().any(|one| one.endpoint.id == recovery.endpoint);
                is_wanted.then_some(Wanted::Missed)
            }
        }
    }
}
