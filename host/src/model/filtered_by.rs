//! Who dropped a delivery, and how that is stored.

use serde::{Deserialize, Serialize};

use super::{PluginName, PluginNameError};

/// Who dropped a delivery.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum FilteredBy {
    /// The filter of the endpoint. Stored as the empty text, which is no plugin's name.
    Filter,
    /// This plugin. Stored as its name.
    Plugin(PluginName),
}

impl From<FilteredBy> for String {
    fn from(by: FilteredBy) -> Self {
        match by {
            FilteredBy::Filter => Self::new(),
            FilteredBy::Plugin(plugin) => plugin.into(),
        }
    }
}

impl TryFrom<String> for FilteredBy {
    type Error = PluginNameError;

    fn try_from(text: String) -> Result<Self, PluginNameError> {
        if text.is_empty() { Ok(Self::Filter) } else { text.parse().map(Self::Plugin) }
    }
}
