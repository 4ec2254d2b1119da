//! The versions of plugins: cold rows of JSON, changed durably. A plugin of which nothing is kept has no row.

use redb::{ReadTransaction, ReadableTable as _};

use super::codec;
use super::failure::Failure;
use super::schema::PLUGINS;
use super::writer::{Awaited, Batch, Change};
use crate::model::PluginRecord;

/// The verb.
pub(super) struct SetPlugin(pub(super) PluginRecord);

impl Change for SetPlugin {
    type Output = ();

    fn awaits(&self) -> Awaited {
        Awaited::CommitNow
    }

    fn apply(self, batch: &mut Batch<'_>) -> Result<(), Failure> {
        let (table, plugin) = (&mut batch.tables.plugins, self.0.plugin.as_str());
        if self.0.is_empty() {
            table.remove(plugin)?;
        } else {
            table.insert(plugin, codec::to_json(&self.0).as_slice())?;
        }
        Ok(())
    }
}

/// All of them, by the name of the plugin.
pub(super) fn all(transaction: &ReadTransaction) -> Result<Vec<PluginRecord>, Failure> {
    let rows = transaction.open_table(PLUGINS)?;
    rows.iter()?.map(|row| Ok(codec::from_json("plugins", row?.1.value())?)).collect()
}
