//! Whether the plugins agree to what an endpoint or a tenant wants of them.

use super::Api;
use crate::http::Problem;
use crate::model::{Binding, Endpoint, PluginName, Subscription, TenantId};

impl Api {
    /// Asks the plugins about what is new in `after`. What stays is not asked again: a plugin that is gone must not
    /// keep anyone from changing a description.
    ///
    /// # Errors
    /// 422 with the pointer of what a plugin does not take.
    pub(super) async fn check_plugins(&self, before: &Endpoint, after: &Endpoint) -> Result<(), Problem> {
        if after.subscription != before.subscription {
            self.check_subscription(&after.subscription).await?;
        }
        self.check_bindings(&after.tenant, &before.plugins, &after.plugins).await
    }

    /// The same for the list `plugins` of something of this tenant.
    ///
    /// # Errors
    /// 422 with the pointer of what a plugin does not take.
    pub(super) async fn check_bindings(
        &self,
        tenant: &TenantId,
        before: &[Binding],
        after: &[Binding],
    ) -> Result<(), Problem> {
        for (index, binding) in after.iter().enumerate() {
            if !before.contains(binding) {
                self.check_binding(tenant, binding, index).await?;
            }
        }
        Ok(())
    }

    async fn check_subscription(&self, subscription: &Subscription) -> Result<(), Problem> {
        let Subscription::Matcher { plugin, patterns } = subscription else { return Ok(()) };
        self.check_exists(plugin, "/matcher")?;
        let checked = self.plugins.check_patterns(plugin, patterns).await;
        checked.map_err(|error| Problem::invalid("/topics", error.to_string()))
    }

    async fn check_binding(&self, tenant: &TenantId, binding: &Binding, index: usize) -> Result<(), Problem> {
        self.check_exists(&binding.plugin, &format!("/plugins/{index}/plugin"))?;
        let checked = self.plugins.check_binding(tenant, binding).await;
        checked.map_err(|error| Problem::invalid(format!("/plugins/{index}/config"), error.to_string()))
    }

    fn check_exists(&self, plugin: &PluginName, pointer: &str) -> Result<(), Problem> {
        if self.plugins.get(plugin).is_some() {
            return Ok(());
        }
        let detail = format!("there is no plugin `{plugin}`; `GET /v1/plugins` lists those there are");
        Err(Problem::invalid(pointer, detail))
    }
}
