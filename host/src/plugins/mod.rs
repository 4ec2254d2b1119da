//! Stub.

use crate::model::{Binding, PluginName, TenantId};

/// Stub.
#[derive(Clone, Debug, Default)]
pub struct Plugins;

/// Stub.
#[derive(Clone, Debug, serde::Serialize)]
pub struct PluginStatus;

/// Stub.
#[derive(Debug, thiserror::Error)]
#[error("stub")]
pub struct BindingError;

impl Plugins {
    /// Stub.
    #[must_use]
    pub fn list(&self) -> Vec<PluginStatus> {
        Vec::new()
    }
    /// Stub.
    #[must_use]
    pub fn get(&self, _name: &PluginName) -> Option<PluginStatus> {
        None
    }
    /// Stub.
    pub async fn check_binding(&self, _tenant: &TenantId, _binding: &Binding) -> Result<(), BindingError> {
        Ok(())
    }
    /// Stub.
    pub async fn check_patterns(
        &self,
        _plugin: &PluginName,
        _patterns: &[String],
    ) -> Result<(), BindingError> {
        Ok(())
    }
}
