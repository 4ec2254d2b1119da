//! Rules of what is said about tenants.

use super::fixtures::{T0, at, audit, tenant};
use crate::model::{Binding, OnFailure, TenantSettings};
use crate::store::{AuditFilter, Store};

fn settings(name: &str) -> TenantSettings {
    let binding = Binding {
        plugin: "redact".parse().unwrap(),
        config: Some(r#"{"drop":  ["/a"], "n": 1.00}"#.into()),
        topics: vec!["orders/**".parse().unwrap()],
        on_failure: Some(OnFailure::Open),
    };
    let silent = Binding { config: None, topics: Vec::new(), on_failure: None, ..binding.clone() };
    TenantSettings {
        description: "a \"large\" one".to_owned(),
        plugins: vec![binding, silent],
        updated_at: T0,
        ..TenantSettings::none(tenant(name))
    }
}

pub(crate) async fn settings_of_tenants_are_read_back_as_they_were_written(store: &dyn Store) {
    let [b, a] = ["b", "a"].map(settings);
    for one in [&b, &a] {
        store.set_tenant(one.clone(), audit("tenant.updated")).await.unwrap();
    }
    assert_eq!(store.tenants().await.unwrap(), [a.clone(), b.clone()]);
    let changed = TenantSettings { plugins: Vec::new(), updated_at: at(1), ..b };
    store.set_tenant(changed.clone(), audit("tenant.updated")).await.unwrap();
    assert_eq!(store.tenants().await.unwrap(), [a, changed]);
}

pub(crate) async fn settings_that_say_nothing_leave_no_row_but_one_in_the_audit_log(store: &dyn Store) {
    store.set_tenant(settings("a"), audit("1")).await.unwrap();
    for action in ["2", "3"] {
        store.set_tenant(TenantSettings::none(tenant("a")), audit(action)).await.unwrap();
        assert_eq!(store.tenants().await.unwrap(), []);
    }
    let rows = store.audit(AuditFilter::default(), None, 10).await.unwrap().rows;
    let actions: Vec<_> = rows.into_iter().map(|row| row.entry.action).collect();
    assert_eq!(actions, ["3", "2", "1"]);
}
