//! Why a grant is none, in sentences that name the file and the setting.

use std::fmt;

use crate::model::PluginName;
use crate::plugins::text::clean;

/// Why a plugin is not loaded: what it asks for and what it is allowed are not the same.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum GrantError {
    /// Only the author says so.
    #[error(
        "{plugin}.toml asks for {what} (`{key}`), and the operator does not allow it: set `plugins.grants.{plugin}.{setting}` \
         in the configuration, or take it out of {plugin}.toml"
    )]
    Asked {
        /// Which plugin.
        plugin: String,
        /// What it asks for.
        what: String,
        /// Where in the manifest.
        key: String,
        /// What would allow it, below `plugins.grants.NAME`.
        setting: String,
    },
    /// Only the operator says so.
    #[error(
        "the configuration allows {what} (`plugins.grants.{plugin}.{setting}`), and the plugin does not ask for it: add it to \
         `{key}` in {plugin}.toml, or take the setting away"
    )]
    Allowed {
        /// Which plugin.
        plugin: String,
        /// What it is allowed.
        what: String,
        /// Where in the manifest it would stand.
        key: String,
        /// The setting, below `plugins.grants.NAME`.
        setting: String,
    },
    /// The author asks for more than the operator allows.
    #[error(
        "`grants.{key}` in {plugin}.toml is more than the operator allows, which is {most}: ask for less, or raise \
         `plugins.grants.{plugin}.{setting}` in the configuration"
    )]
    Over {
        /// Which plugin.
        plugin: String,
        /// Of what.
        key: &'static str,
        /// How much is allowed, in the unit of the manifest.
        most: String,
        /// The setting, below `plugins.grants.NAME`.
        setting: &'static str,
    },
    /// The component has an import that takes a grant which it does not have.
    #[error(
        "the component imports `{import}` and has no grant for it: ask for `grants.{grant}` in {plugin}.toml, and allow \
         `plugins.grants.{plugin}.{grant}` in the configuration"
    )]
    Import {
        /// Which plugin.
        plugin: String,
        /// The name of the interface.
        import: String,
        /// The grant that is missing.
        grant: &'static str,
    },
}

/// A value of a consent that cannot be read.
#[derive(Debug, thiserror::Error)]
#[error("`{setting}` names {place}: {problem}")]
pub struct ConsentError {
    /// The setting.
    pub setting: String,
    /// The file or variable.
    pub place: String,
    /// What is wrong with it.
    pub problem: String,
}

impl GrantError {
    pub(super) fn asked(plugin: &PluginName, what: &str, grant: &str) -> Self {
        let (key, setting) = (format!("grants.{grant}"), grant.to_owned());
        Self::Asked { plugin: plugin.to_string(), what: what.to_owned(), key, setting }
    }

    pub(super) fn allowed(plugin: &PluginName, what: &str, grant: &str) -> Self {
        let (key, setting) = (format!("grants.{grant}"), grant.to_owned());
        Self::Allowed { plugin: plugin.to_string(), what: what.to_owned(), key, setting }
    }

    pub(super) fn over(
        plugin: &PluginName,
        key: &'static str,
        most: impl fmt::Display,
        setting: &'static str,
    ) -> Self {
        Self::Over { plugin: plugin.to_string(), key, most: most.to_string(), setting }
    }

    pub(super) fn import(plugin: &str, import: &str, grant: &'static str) -> Self {
        Self::Import { plugin: plugin.to_owned(), import: clean(import), grant }
    }
}
