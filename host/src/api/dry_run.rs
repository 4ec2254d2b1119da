//! `?dry_run=true`: a change is checked and answered as if it were made, and nothing is stored, sent or written down.

use schemars::JsonSchema;
use serde::Deserialize;

/// Whether a change is only tried.
#[derive(Debug, Default, Clone, Copy, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(super) struct DryRun {
    /// The change is checked and answered as if it were made, and nothing is stored.
    dry_run: bool,
}

impl DryRun {
    /// Whether nothing may be stored.
    pub(super) const fn is_asked(self) -> bool {
        self.dry_run
    }
}
