//! What a gateway has now, as its API shows it.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::value::RawValue;

use super::endpoint::State;
use super::{Fields, is_default};
use crate::client::error::Error;
use crate::client::fields::{InOrder, OrderedFields};
use crate::client::session::Session;

/// What the API says of an endpoint and nobody declares, or in other words.
const NOT_DECLARED: [&str; 11] = [
    "id",
    "tenant",
    "url",
    "secrets",
    "state",
    "breaker",
    "health",
    "inactive_reason",
    "inactive_since",
    "created_at",
    "updated_at",
];

/// An endpoint that is there.
#[derive(Debug, Deserialize)]
#[serde(from = "InOrder")]
pub(super) struct Current {
    pub(super) id: String,
    pub(super) tenant: String,
    pub(super) url: String,
    pub(super) state: State,
    /// Whether it is inactive because somebody wanted it so.
    pub(super) is_deactivated: bool,
    /// Newest first.
    pub(super) secrets: Vec<Secret>,
    /// What is declared, in the order of the API.
    pub(super) fields: OrderedFields,
}

/// A signing secret of one.
#[derive(Debug, Clone, Deserialize)]
pub(super) struct Secret {
    pub(super) id: String,
    #[serde(rename = "type")]
    pub(super) kind: String,
    /// Only in the answer to its creation.
    pub(super) value: Option<String>,
    /// Of an asymmetric one.
    pub(super) public_key: Option<String>,
    pub(super) expires_at: Option<String>,
}

impl From<InOrder> for Current {
    fn from(InOrder(all): InOrder) -> Self {
        fn read<T: DeserializeOwned + Default>(all: &[(String, Box<RawValue>)], name: &str) -> T {
            let value = all.iter().find(|(n, _)| n == name);
            value.and_then(|(_, value)| serde_json::from_str(value.get()).ok()).unwrap_or_default()
        }
        let text = |name| read::<String>(&all, name);
        Self {
            id: text("id"),
            tenant: text("tenant"),
            url: text("url"),
            state: if text("state") == "inactive" { State::Inactive } else { State::Active },
            is_deactivated: text("inactive_reason") == "deactivated",
            secrets: read(&all, "secrets"),
            fields: all.into_iter().filter(|(name, _)| !NOT_DECLARED.contains(&name.as_str())).collect(),
        }
    }
}

impl Current {
    /// Its headers, by name in lower case.
    pub(super) fn headers(&self) -> BTreeMap<String, String> {
        let headers = self.fields.iter().find(|(name, _)| name == "headers");
        headers.and_then(|(_, headers)| serde_json::from_str(headers.get()).ok()).unwrap_or_default()
    }

    /// Its fields by name.
    pub(super) fn by_name(&self) -> Fields {
        self.fields.iter().cloned().collect()
    }
}

/// The endpoints of a tenant, or all that the key may see.
///
/// # Errors
/// No answer, or a refusal.
pub(super) fn endpoints(tenant: Option<&str>, session: &Session) -> Result<Vec<Current>, Error> {
    session.all(&session.api.at(&["endpoints"]).with("tenant", tenant))
}

/// The topics of the catalogue, by name; what people write about each, in the order of the API.
///
/// # Errors
/// No answer, or a refusal.
pub(super) fn topics(session: &Session) -> Result<BTreeMap<String, OrderedFields>, Error> {
    let all: Vec<InOrder> = session.all(&session.api.at(&["topics"]))?;
    let topic = |InOrder(mut fields): InOrder| {
        fields.retain(|(name, _)| !["created_at", "updated_at"].contains(&name.as_str()));
        let name = fields.iter().find(|(name, _)| name == "topic")?;
        Some((serde_json::from_str(name.1.get()).ok()?, fields))
    };
    Ok(all.into_iter().filter_map(topic).collect())
}

/// What people say about tenants, in the order of the API, the name first; those about whom nothing is said are left out.
///
/// # Errors
/// No answer, or a refusal.
pub(super) fn tenants(session: &Session) -> Result<Vec<(String, OrderedFields)>, Error> {
    let all: Vec<InOrder> = session.all(&session.api.at(&["tenants"]))?;
    let tenant = |InOrder(mut fields): InOrder| {
        fields.retain(|(name, _)| ["name", "description", "plugins"].contains(&name.as_str()));
        let says_something = fields.iter().any(|(name, value)| name != "name" && !is_default(name, value));
        let name = fields.iter().find(|(name, _)| name == "name").filter(|_| says_something)?;
        Some((serde_json::from_str(name.1.get()).ok()?, fields))
    };
    Ok(all.into_iter().filter_map(tenant).collect())
}

/// Whether the key is an administrator's.
///
/// # Errors
/// No answer, or a key that opens nothing.
pub(super) fn is_admin(session: &Session) -> Result<bool, Error> {
    match session.api.get(&session.api.at(&["tenants"]).with("limit", Some(1))) {
        Ok(_) => Ok(true),
        Err(Error::Problem(problem)) if problem.status == 403 => Ok(false),
        Err(error) => Err(error),
    }
}
