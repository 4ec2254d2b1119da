//! What people wrote, and what plugins keep.

use redb::{ReadableTable, ReadableTableMetadata as _};
use serde::de::DeserializeOwned;

use super::{Damage, Inspection};
use crate::model::{
    ApiKeyRecord, EndpointId, PluginRecord, Recovery, RecoveryId, TenantSettings, TopicEntry,
};
use crate::store::redb::endpoint_row::EndpointRow;
use crate::store::redb::failure::Failure;
use crate::store::redb::{audit, codec, kv};

impl Inspection<'_, '_> {
    /// Every record can be read, every endpoint has its URL to itself, and what runs is there.
    pub(super) fn records(&mut self) -> Result<(), Failure> {
        let tables = self.tables;
        self.json::<u128, ApiKeyRecord>("keys", &tables.keys)?;
        self.json::<u128, Recovery>("recoveries", &tables.recoveries)?;
        self.json::<&str, TenantSettings>("tenants", &tables.tenants)?;
        self.json::<&str, PluginRecord>("plugins", &tables.plugins)?;
        self.json::<&str, TopicEntry>("topics", &tables.topics)?;
        for row in tables.endpoints.iter()? {
            let (id, row) = row?;
            let id = EndpointId::from_u128(id.value());
            let Ok(EndpointRow { endpoint, .. }) = EndpointRow::from_json(row.value()) else {
                self.found("endpoints", Damage::Unreadable, id);
                continue;
            };
            let url = tables.urls.get((endpoint.tenant.as_str(), endpoint.url.as_str()))?;
            if url.is_none_or(|of| of.value() != id.as_u128()) {
                self.found("urls", Damage::Disagrees, id);
            }
        }
        if tables.urls.len()? > tables.endpoints.len()? {
            self.found("urls", Damage::Disagrees, "a URL of no endpoint");
        }
        for row in tables.recovering.iter()? {
            let recovery = row?.1.value();
            if tables.recoveries.get(recovery)?.is_none() {
                self.found("recoveries", Damage::Missing, RecoveryId::from_u128(recovery));
            }
        }
        Ok(())
    }

    fn json<K: redb::Key + 'static, T: DeserializeOwned>(
        &mut self,
        table: &'static str,
        rows: &impl ReadableTable<K, &'static [u8]>,
    ) -> Result<(), Failure> {
        for (at, row) in (1_u64..).zip(rows.iter()?) {
            self.looked();
            if codec::from_json::<T>(table, row?.1.value()).is_err() {
                self.found(table, Damage::Unreadable, format_args!("number {at}"));
            }
        }
        Ok(())
    }

    /// What plugins keep takes what it is said to take, and expires when it is said to.
    pub(super) fn kv(&mut self) -> Result<(), Failure> {
        if let Some(plugin) = kv::misjudged(self.tables)? {
            self.found("kv_usage", Damage::Disagrees, format_args!("of the plugin `{plugin}`"));
        }
        Ok(())
    }

    /// The audit log is a chain.
    pub(super) fn audit(&mut self) -> Result<(), Failure> {
        if let Some(number) = audit::chain(&self.tables.audit)?.broken_at {
            self.found("audit", Damage::Missing, format_args!("number {number}, or it was changed"));
        }
        Ok(())
    }
}
