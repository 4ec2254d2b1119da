//! What plugins are used for, so that a new version is tried with that before it goes live.

use crate::directory::Directory;
use crate::model::{Binding, PluginName, TenantId};
use crate::plugins::InUse;

/// How a plugin is used, so that a new version is tried with that before it replaces the old one.
pub(super) fn of(directory: &Directory, plugin: &PluginName) -> Vec<InUse> {
    let mut uses = Vec::new();
    let mut bound = |tenant: Option<&TenantId>, whose: &str, bindings: &[Binding]| {
        for binding in bindings.iter().filter(|binding| binding.plugin == *plugin) {
            let (tenant, whose, config) = (tenant.cloned(), whose.to_owned(), binding.config.clone());
            uses.push(InUse::Binding { tenant, whose, config });
        }
    };
    bound(None, "`plugins.bindings` of the configuration", directory.global());
    for settings in directory.all_settings() {
        let whose = format!("all endpoints of tenant `{}`", settings.tenant);
        bound(Some(&settings.tenant), &whose, &settings.plugins);
    }
    let endpoints = directory.list();
    for endpoint in &endpoints {
        bound(Some(&endpoint.tenant), &format!("tenant `{}`", endpoint.tenant), &endpoint.plugins);
    }
    for endpoint in &endpoints {
        if endpoint.subscription.matcher() == Some(plugin) {
            uses.push(InUse::Patterns(endpoint.subscription.patterns()));
        }
    }
    uses
}
