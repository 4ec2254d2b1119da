//! The plugins of `plugins.bindings`, looked at once they should be there.

use crate::model::{Binding, TenantId};
use crate::plugins::Plugins;

/// Says which of them do not work. The gateway starts all the same: what they are needed for is held, and nothing is lost.
pub(super) async fn check(plugins: &Plugins, bindings: &[Binding]) {
    for (index, binding) in bindings.iter().enumerate() {
        if let Err(error) = plugins.check_binding(&TenantId::default(), binding).await {
            tracing::error!(
                setting = format!("plugins.bindings[{index}]"),
                %error,
                "a plugin that every event goes through does not work; deliveries wait for it, unless `on_failure` says otherwise"
            );
        }
    }
}
