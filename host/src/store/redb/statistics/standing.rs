//! What stands, counted from the deliveries one by one: what `standing` is held against, and made anew of.

use std::collections::HashMap;

use redb::ReadableTable as _;

use super::{Differences, keys_of, place};
use crate::model::{DeliveryStatus, EndpointId};
use crate::store::redb::changes;
use crate::store::redb::codec::EventRow;
use crate::store::redb::failure::Failure;
use crate::store::redb::schema::{META_FOLDED_BELOW, Tables};

/// What stands, counted from the deliveries one by one.
#[derive(Debug, Default)]
pub(in crate::store::redb) struct Counted(HashMap<Vec<u8>, Differences>);

impl Counted {
    /// One more delivery.
    pub(in crate::store::redb) fn add(
        &mut self,
        event: &EventRow<'_>,
        endpoint: EndpointId,
        status: DeliveryStatus,
    ) {
        if place(status).is_some() {
            for key in keys_of(event.tenant(), event.topic(), endpoint) {
                self.0.entry(key).or_default().stand(Some(status), 1);
            }
        }
    }
}

impl Tables<'_> {
    /// A scope of which `standing` and the journal say something else than was counted.
    pub(in crate::store::redb) fn miscounted(&self, counted: &Counted) -> Result<Option<String>, Failure> {
        let expected = self.standing_without_journal(counted)?;
        let mut found = 0;
        for row in self.standing.iter()? {
            let (scope, (pending, retrying, held)) = row.map(|(scope, sums)| (scope, sums.value()))?;
            found += 1;
            if expected.get(scope.value()) != Some(&[pending, retrying, held]) {
                return Ok(Some(name_of(scope.value())));
            }
        }
        Ok((found != expected.len()).then(|| "a scope that is not there".to_owned()))
    }

    /// Makes `standing` what it has to be.
    pub(in crate::store::redb) fn restand(&mut self, counted: &Counted) -> Result<(), Failure> {
        let expected = self.standing_without_journal(counted)?;
        self.standing.retain(|_, _| false)?;
        expected.iter().try_for_each(|(scope, sums)| self.add_standing(scope, *sums))
    }

    /// What was counted, without what the journal has and nothing folded yet. Nothing of a scope of which nothing is left.
    fn standing_without_journal(&self, counted: &Counted) -> Result<HashMap<Vec<u8>, [i64; 3]>, Failure> {
        let mut sums: HashMap<_, _> =
            counted.0.iter().map(|(scope, counted)| (scope.clone(), counted.standing)).collect();
        let mut recent: HashMap<Vec<u8>, Differences> = HashMap::new();
        let folded_below = self.meta(META_FOLDED_BELOW)?.and_then(|below| u64::try_from(below).ok());
        changes::visit(&self.changes, folded_below.unwrap_or(1), |_, change| {
            for key in keys_of(change.tenant, change.topic, change.endpoint) {
                recent.entry(key).or_default().apply(change);
            }
            true
        })?;
        for (scope, Differences { standing, .. }) in recent {
            let sum = sums.entry(scope).or_default();
            sum.iter_mut().zip(standing).for_each(|(sum, recent)| *sum -= recent);
        }
        sums.retain(|_, sum| *sum != [0; 3]);
        Ok(sums)
    }
}

/// A scope as people read it.
fn name_of(scope: &[u8]) -> String {
    match scope.split_first() {
        None | Some((0, _)) => "everything".to_owned(),
        Some((4, endpoint)) => match endpoint.try_into().map(u128::from_be_bytes) {
            Ok(endpoint) => EndpointId::from_u128(endpoint).to_string(),
            Err(_) => "an endpoint".to_owned(),
        },
        Some((_, names)) => String::from_utf8_lossy(names).replace('\0', " "),
    }
}
