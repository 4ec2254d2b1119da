//! Tenants: the customers of the platform that runs the gateway.

use std::sync::Arc;

use super::text::{checked_text, is_word};

const MAX_LEN: usize = 64;

checked_text!(
    /// The name of a tenant: 1 to 64 characters of `A-Z a-z 0-9 _ -`. `default` where nobody says otherwise.
    TenantId,
    TenantIdError,
    check,
    MAX_LEN,
    "^[A-Za-z0-9_-]+$",
    "acme"
);

/// Why a text is not a tenant's name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("a tenant is named by 1 to {MAX_LEN} characters of A-Z, a-z, 0-9, `_` and `-`")]
pub struct TenantIdError;

impl Default for TenantId {
    fn default() -> Self {
        Self(Arc::from("default"))
    }
}

fn check(text: &str) -> Result<(), TenantIdError> {
    if is_word(text, MAX_LEN) { Ok(()) } else { Err(TenantIdError) }
}
