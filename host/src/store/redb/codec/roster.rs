//! Rows of `rosters`: a checksum, and then which events of a range of keys wait for dispatch, with tenant and size.

use std::collections::HashMap;

use serde::{Deserialize, Serialize};

use super::checked::{self, Checked};
use super::{Corrupt, VERSION, versioned};
use crate::model::{EventKey, TenantId};
use crate::store::redb::backlogs::Weight;

const TABLE: &str = "rosters";
/// Of the checksum.
const CHECKED: u8 = 1;

/// What a row says. Where it begins is its key.
#[derive(Debug, PartialEq, Eq)]
pub(in crate::store::redb) struct Roster {
    /// It says nothing of the events from here on.
    pub(in crate::store::redb) end: EventKey,
    /// Those that waited when it was written, by rising key.
    pub(in crate::store::redb) waiting: Vec<(EventKey, Weight)>,
}

#[derive(Serialize, Deserialize)]
struct Row<'a> {
    end: u128,
    #[serde(borrow)]
    tenants: Vec<&'a str>,
    /// Key, place of the tenant, bytes.
    waiting: Vec<(u128, u32, u64)>,
}

impl Roster {
    /// The row.
    pub(in crate::store::redb) fn encode(end: EventKey, waiting: &[(EventKey, Weight)]) -> Vec<u8> {
        let (mut tenants, mut places) = (Vec::new(), HashMap::new());
        let waiting = waiting.iter().map(|(key, weight)| {
            let (tenant, bytes) = weight.of();
            let place = *places.entry(tenant).or_insert_with(|| {
                tenants.push(tenant);
                u32::try_from(tenants.len() - 1).unwrap_or(u32::MAX)
            });
            (key.as_u128(), place, bytes as u64)
        });
        let waiting = waiting.collect();
        let row = Row { end: end.as_u128(), tenants, waiting };
        checked::complete(checked::encode(CHECKED, VERSION, &row, 24 * row.waiting.len()), &[])
    }

    /// What a row says.
    pub(in crate::store::redb) fn decode(bytes: &[u8]) -> Result<Self, Corrupt> {
        let value = |field| Corrupt::Value { table: TABLE, field };
        let version = || Corrupt::Version { table: TABLE, version: bytes.first().copied() };
        let checked = Checked::parse(CHECKED, bytes).ok_or_else(version)?;
        if !checked.is_right() {
            return Err(Corrupt::Checksum { table: TABLE });
        }
        let row = postcard::from_bytes::<Row<'_>>(versioned(TABLE, checked.row)?);
        let row = row.map_err(|source| Corrupt::Postcard { table: TABLE, source })?;
        let tenants = row.tenants.iter().map(|tenant| tenant.parse::<TenantId>());
        let tenants = tenants.collect::<Result<Vec<_>, _>>().map_err(|_| value("tenant"))?;
        let waiting = row.waiting.into_iter().map(|(key, place, bytes)| {
            let tenant = usize::try_from(place).ok().and_then(|place| tenants.get(place));
            let tenant = tenant.ok_or_else(|| value("tenant"))?.clone();
            let bytes = usize::try_from(bytes).map_err(|_| value("bytes"))?;
            Ok((EventKey::from_u128(key), Weight { tenant, bytes }))
        });
        Ok(Self { end: EventKey::from_u128(row.end), waiting: waiting.collect::<Result<_, Corrupt>>()? })
    }
}
