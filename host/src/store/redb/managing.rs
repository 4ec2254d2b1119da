//! Endpoints and API keys: cold rows, changed durably one at a time.

use redb::{ReadTransaction, ReadableTable, WriteTransaction};

use super::endpoint_row::{self, EndpointRow};
use super::failure::Failure;
use super::schema::{ENDPOINTS, KEYS, Tables};
use super::writer::{Awaited, Batch, Change};
use super::{accept, codec};
use crate::model::{ApiKeyRecord, Endpoint, EndpointId, KeyId, Scope, UnixMs};
use crate::store::{Error, NewEvent};
use crate::vault::Vault;

/// The verb.
pub(super) struct CreateEndpoint(pub(super) EndpointRow);

/// The verb.
pub(super) struct UpdateEndpoint {
    pub(super) row: EndpointRow,
    pub(super) notices: Vec<NewEvent>,
}

/// The verb.
pub(super) struct DeleteEndpoint(pub(super) EndpointId);

/// The verb.
pub(super) struct Reseal {
    pub(super) endpoints: Vec<EndpointId>,
    pub(super) vault: Vault,
}

/// The verb.
pub(super) struct CreateKey(pub(super) ApiKeyRecord);

/// The verb.
pub(super) struct DeleteKey {
    pub(super) id: KeyId,
    pub(super) now: UnixMs,
}

/// The verb.
pub(super) struct NoteKeyUses(pub(super) Vec<(KeyId, UnixMs)>);

impl Change for CreateEndpoint {
    type Output = ();

    fn awaits(&self) -> Awaited {
        Awaited::CommitNow
    }

    fn apply(self, batch: &mut Batch<'_>) -> Result<(), Failure> {
        check_url(&batch.tables, &self.0.endpoint)?;
        // Nothing waits for it yet, so its index has all.
        if let Some(order) = self.0.endpoint.order() {
            batch.tables.orders.insert(self.0.id().as_u128(), (order.as_u64(), true))?;
        }
        insert(&mut batch.tables, &self.0)
    }
}

impl Change for UpdateEndpoint {
    type Output = ();

    fn awaits(&self) -> Awaited {
        Awaited::CommitNow
    }

    fn apply(self, batch: &mut Batch<'_>) -> Result<(), Failure> {
        let before = row(&batch.tables, self.row.id())?.ok_or(Error::NotFound)?.endpoint;
        let after = &self.row.endpoint;
        check_url(&batch.tables, after)?;
        batch.tables.urls.remove((before.tenant.as_str(), before.url.as_str()))?;
        let activated = after.activity.is_active() && !before.activity.is_active();
        if activated || after.url != before.url {
            batch.tables.failing.remove(after.id.as_u128())?;
        }
        if after.order() != before.order() {
            batch.tables.begin_order(after.id, after.order())?;
        }
        insert(&mut batch.tables, &self.row)?;
        accept::notices(batch, self.notices)
    }
}

impl Change for DeleteEndpoint {
    type Output = ();

    fn awaits(&self) -> Awaited {
        Awaited::CommitNow
    }

    fn apply(self, batch: &mut Batch<'_>) -> Result<(), Failure> {
        let before = row(&batch.tables, self.0)?.ok_or(Error::NotFound)?.endpoint;
        batch.tables.urls.remove((before.tenant.as_str(), before.url.as_str()))?;
        batch.tables.endpoints.remove(self.0.as_u128())?;
        batch.tables.failing.remove(self.0.as_u128())?;
        batch.tables.begin_order(self.0, None)?;
        Ok(())
    }
}

impl Change for Reseal {
    type Output = ();

    fn awaits(&self) -> Awaited {
        Awaited::Commit
    }

    fn apply(self, batch: &mut Batch<'_>) -> Result<(), Failure> {
        let mut sealed = Vec::with_capacity(self.endpoints.len());
        for id in self.endpoints {
            // One that was deleted meanwhile is gone with its secrets.
            if let Some(row) = row(&batch.tables, id)? {
                sealed.push(EndpointRow::seal(row.open(&self.vault)?, &self.vault));
            }
        }
        for row in sealed {
            batch.tables.endpoints.insert(row.id().as_u128(), row.to_json().as_slice())?;
        }
        Ok(())
    }
}

impl Change for CreateKey {
    type Output = ();

    fn awaits(&self) -> Awaited {
        Awaited::CommitNow
    }

    fn apply(self, batch: &mut Batch<'_>) -> Result<(), Failure> {
        put_key(&mut batch.tables, &self.0)
    }
}

impl Change for DeleteKey {
    type Output = ();

    fn awaits(&self) -> Awaited {
        Awaited::CommitNow
    }

    fn apply(self, batch: &mut Batch<'_>) -> Result<(), Failure> {
        let Self { id, now } = self;
        let all = all_keys(&batch.tables.keys)?;
        let is_admin = |key: &&ApiKeyRecord| key.scope == Scope::Admin && key.is_active(now);
        let mut admins = all.iter().filter(is_admin);
        let is_last = admins.next().is_some_and(|first| first.id == id) && admins.next().is_none();
        if !all.iter().any(|key| key.id == id) {
            return Err(Error::NotFound.into());
        }
        if is_last {
            return Err(Error::LastAdminKey.into());
        }
        batch.tables.keys.remove(id.as_u128())?;
        Ok(())
    }
}

impl Change for NoteKeyUses {
    type Output = ();

    fn awaits(&self) -> Awaited {
        Awaited::Commit
    }

    fn apply(self, batch: &mut Batch<'_>) -> Result<(), Failure> {
        let mut used = Vec::new();
        for (id, at) in self.0 {
            if let Some(row) = batch.tables.keys.get(id.as_u128())? {
                let record: ApiKeyRecord = codec::from_json("keys", row.value())?;
                used.push(ApiKeyRecord { last_used_at: record.last_used_at.max(Some(at)), ..record });
            }
        }
        used.iter().try_for_each(|record| put_key(&mut batch.tables, record))
    }
}

/// All endpoints, by rising id.
pub(super) fn endpoints(transaction: &ReadTransaction, vault: &Vault) -> Result<Vec<Endpoint>, Failure> {
    let rows = transaction.open_table(ENDPOINTS)?;
    rows.iter()?.map(|row| EndpointRow::from_json(row?.1.value())?.open(vault)).collect()
}

/// Whether every secret opens.
pub(super) fn check(rows: &impl ReadableTable<u128, &'static [u8]>, vault: &Vault) -> Result<(), Failure> {
    for row in rows.iter()? {
        EndpointRow::from_json(row?.1.value())?.open(vault)?;
    }
    Ok(())
}

/// Endpoints with a secret that is not sealed with the current key, at most `limit`.
pub(super) fn stale(
    transaction: &ReadTransaction,
    vault: &Vault,
    limit: usize,
) -> Result<Vec<EndpointId>, Failure> {
    let mut found = Vec::new();
    for row in transaction.open_table(ENDPOINTS)?.iter()? {
        let row = EndpointRow::from_json(row?.1.value())?;
        if found.len() == limit {
            break;
        }
        if !row.is_current(vault) {
            found.push(row.id());
        }
    }
    Ok(found)
}

/// Seals what format 1 had in clear.
pub(super) fn seal_format_1(transaction: &WriteTransaction, vault: &Vault) -> Result<(), Failure> {
    let mut table = transaction.open_table(ENDPOINTS)?;
    let mut sealed = Vec::new();
    for row in table.iter()? {
        let endpoint = endpoint_row::from_format_1(row?.1.value())?;
        sealed.push(EndpointRow::seal(endpoint, vault));
    }
    for row in sealed {
        table.insert(row.id().as_u128(), row.to_json().as_slice())?;
    }
    Ok(())
}

/// Marks the endpoints with an order, which had no index before format 3.
pub(super) fn begin_orders(transaction: &WriteTransaction) -> Result<(), Failure> {
    let mut tables = Tables::open(transaction)?;
    let mut ordered = Vec::new();
    for row in tables.endpoints.iter()? {
        let endpoint = EndpointRow::from_json(row?.1.value())?.endpoint;
        ordered.extend(endpoint.order().map(|order| (endpoint.id, order)));
    }
    ordered.into_iter().try_for_each(|(endpoint, order)| tables.begin_order(endpoint, Some(order)))
}

/// All API keys, by rising id.
pub(super) fn keys(transaction: &ReadTransaction) -> Result<Vec<ApiKeyRecord>, Failure> {
    all_keys(&transaction.open_table(KEYS)?)
}

fn all_keys(rows: &impl ReadableTable<u128, &'static [u8]>) -> Result<Vec<ApiKeyRecord>, Failure> {
    rows.iter()?.map(|row| Ok(codec::from_json("keys", row?.1.value())?)).collect()
}

fn put_key(tables: &mut Tables<'_>, key: &ApiKeyRecord) -> Result<(), Failure> {
    tables.keys.insert(key.id.as_u128(), codec::to_json(key).as_slice())?;
    Ok(())
}

fn row(tables: &Tables<'_>, id: EndpointId) -> Result<Option<EndpointRow>, Failure> {
    let Some(row) = tables.endpoints.get(id.as_u128())? else { return Ok(None) };
    Ok(Some(EndpointRow::from_json(row.value())?))
}

fn check_url(tables: &Tables<'_>, endpoint: &Endpoint) -> Result<(), Failure> {
    let holder = tables.urls.get((endpoint.tenant.as_str(), endpoint.url.as_str()))?;
    match holder.map(|row| EndpointId::from_u128(row.value())) {
        Some(other) if other != endpoint.id => Err(Error::UrlTaken(other).into()),
        Some(_) | None => Ok(()),
    }
}

fn insert(tables: &mut Tables<'_>, row: &EndpointRow) -> Result<(), Failure> {
    let id = row.id().as_u128();
    tables.urls.insert((row.endpoint.tenant.as_str(), row.endpoint.url.as_str()), id)?;
    tables.endpoints.insert(id, row.to_json().as_slice())?;
    Ok(())
}
