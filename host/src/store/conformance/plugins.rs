//! Rules of what is kept of plugins.

use super::fixtures::{T0, at, audit};
use crate::model::{KeyId, PluginOrigin, PluginRecord, PluginVersion, SentBack, TenantId, UnixMs, Unsettled};
use crate::store::{AuditFilter, Store};

fn version(name: &str, at: UnixMs) -> PluginVersion {
    PluginVersion {
        version: name.to_owned(),
        component: "c".repeat(64),
        manifest: Some("d".repeat(64)),
        size: 7,
        at,
        origin: PluginOrigin::Upload,
        key: Some(KeyId::new(T0, 1)),
        sent_back: None,
    }
}

fn record(plugin: &str) -> PluginRecord {
    let mut record = PluginRecord::none(plugin.parse().unwrap());
    record.add(version("first", T0));
    record.add(version("second", at(1)));
    record.send_back(
        "second",
        SentBack {
            at: at(2),
            reason: "it \"failed\"".to_owned(),
            tenant: TenantId::default(),
            instead: "first".to_owned(),
        },
    );
    record
}

async fn actions(store: &dyn Store) -> Vec<String> {
    let rows = store.audit(AuditFilter::default(), None, 10).await.unwrap().rows;
    rows.into_iter().rev().map(|row| row.entry.action).collect()
}

pub(crate) async fn what_is_kept_of_plugins_is_read_back_as_it_was_written(store: &dyn Store) {
    let [b, a] = ["b", "a"].map(record);
    for one in [&b, &a] {
        store.set_plugin(one.clone(), Some(audit("plugin.installed"))).await.unwrap();
    }
    assert_eq!(store.plugins().await.unwrap(), [a.clone(), b.clone()]);
    let changed = PluginRecord { unsettled: Some(Unsettled::Remove), ..b };
    store.set_plugin(changed.clone(), Some(audit("plugin.deleted"))).await.unwrap();
    assert_eq!(store.plugins().await.unwrap(), [a, changed]);
}

pub(crate) async fn a_decision_about_a_plugin_has_its_audit_row_and_other_changes_have_none(
    store: &dyn Store,
) {
    let unsettled = PluginRecord { unsettled: Some(Unsettled::Install), ..record("a") };
    store.set_plugin(unsettled, Some(audit("plugin.installed"))).await.unwrap();
    store.set_plugin(record("a"), None).await.unwrap();
    assert_eq!(store.plugins().await.unwrap(), [record("a")]);
    assert_eq!(actions(store).await, ["plugin.installed"]);
}

pub(crate) async fn a_plugin_of_which_nothing_is_kept_leaves_no_row(store: &dyn Store) {
    store.set_plugin(record("a"), Some(audit("1"))).await.unwrap();
    for action in ["2", "3"] {
        store.set_plugin(PluginRecord::none("a".parse().unwrap()), Some(audit(action))).await.unwrap();
        assert_eq!(store.plugins().await.unwrap(), []);
    }
    assert_eq!(actions(store).await, ["1", "2", "3"]);
}
