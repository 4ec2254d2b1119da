//! Stub.

use std::sync::Arc;

use crate::model::{Endpoint, EndpointId};
use crate::store;

/// Stub.
#[derive(Clone, Debug, Default)]
pub struct Directory;

impl Directory {
    /// Stub.
    #[must_use]
    pub fn get(&self, _id: EndpointId) -> Option<Arc<Endpoint>> {
        None
    }
    /// Stub.
    #[must_use]
    pub fn list(&self) -> Vec<Arc<Endpoint>> {
        Vec::new()
    }
    /// Stub.
    pub async fn create(&self, endpoint: Endpoint) -> Result<Arc<Endpoint>, store::Error> {
        Ok(Arc::new(endpoint))
    }
    /// Stub.
    pub async fn update(&self, endpoint: Endpoint) -> Result<Arc<Endpoint>, store::Error> {
        Ok(Arc::new(endpoint))
    }
    /// Stub.
    pub async fn delete(&self, _id: EndpointId) -> Result<(), store::Error> {
        Ok(())
    }
}
