//! Who uses a plugin, in words.

use super::Api;
use crate::model::{Binding, Endpoint, PluginName};

/// So many are named; more are counted.
const NAMED: usize = 5;

impl Api {
    /// All that use a plugin, as a part of a sentence. `None` if nobody does.
    pub(super) fn users_of(&self, plugin: &PluginName) -> Option<String> {
        let uses = |bindings: &[Binding]| bindings.iter().any(|binding| binding.plugin == *plugin);
        let is_user =
            |endpoint: &Endpoint| uses(&endpoint.plugins) || endpoint.subscription.matcher() == Some(plugin);
        let endpoints = self.directory.list();
        let endpoints = endpoints.iter().filter(|endpoint| is_user(endpoint));
        let endpoints =
            endpoints.map(|endpoint| format!("`{}` of tenant `{}`", endpoint.id, endpoint.tenant));
        let tenants = self.directory.all_settings();
        let tenants = tenants.iter().filter(|settings| uses(&settings.plugins));
        let tenants = tenants.map(|settings| format!("`{}`", settings.tenant));
        let mut users = Vec::new();
        if uses(self.directory.global()) {
            users.push("every event of the gateway (`plugins.bindings` of the configuration)".to_owned());
        }
        users.extend(some("all endpoints of tenant", tenants.collect()));
        users.extend(some("endpoint", endpoints.collect()));
        (!users.is_empty()).then(|| users.join(", and by "))
    }
}

/// The names of some, after what they are; none if there are none.
fn some(what: &str, names: Vec<String>) -> Option<String> {
    let (first, more) = (names.get(..NAMED.min(names.len()))?, names.len().saturating_sub(NAMED));
    let named = first.join(", ");
    match (first.is_empty(), more) {
        (true, _) => None,
        (false, 0) => Some(format!("{what} {named}")),
        (false, more) => Some(format!("{what} {named} and {more} more")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn some_are_named_and_more_are_counted() {
        let names = |count: usize| (0..count).map(|n| format!("`{n}`")).collect();
        assert_eq!(some("endpoint", names(0)), None);
        assert_eq!(some("endpoint", names(2)).unwrap(), "endpoint `0`, `1`");
        assert_eq!(some("endpoint", names(7)).unwrap(), "endpoint `0`, `1`, `2`, `3`, `4` and 2 more");
    }
}
