//! What is said about tenants: cold rows of JSON, changed durably. A tenant that nothing is said about has no row.

use redb::{ReadTransaction, ReadableTable as _};

use super::codec;
use super::failure::Failure;
use super::schema::TENANTS;
use super::writer::{Awaited, Batch, Change};
use crate::model::TenantSettings;

/// The verb.
pub(super) struct SetTenant(pub(super) TenantSettings);

impl Change for SetTenant {
    type Output = ();

    fn awaits(&self) -> Awaited {
        Awaited::CommitNow
    }

    fn apply(self, batch: &mut Batch<'_>) -> Result<(), Failure> {
        let (table, tenant) = (&mut batch.tables.tenants, self.0.tenant.as_str());
        if self.0.is_empty() {
            table.remove(tenant)?;
        } else {
            table.insert(tenant, codec::to_json(&self.0).as_slice())?;
        }
        Ok(())
    }
}

/// All of them, by the name of the tenant.
pub(super) fn all(transaction: &ReadTransaction) -> Result<Vec<TenantSettings>, Failure> {
    let rows = transaction.open_table(TENANTS)?;
    rows.iter()?.map(|row| Ok(codec::from_json("tenants", row?.1.value())?)).collect()
}
