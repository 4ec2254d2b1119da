//! Grants: what a plugin may use beside its event, its endpoint and its log. Denied by default.
//!
//! ```text
//! NAME.toml `[grants]` (asked) + `[plugins.grants.NAME]` (allowed) -> Granted -> env | http | kv of its instances
//! ```
//!
//! - A grant is there when the manifest asks for it and the operator's configuration allows it. Whatever only one of them
//!   says refuses the plugin, by a sentence: it is a mistake, and a grant that is missing would show at some event later.
//! - A component that imports what it has no grant for is refused, by name ([`Granted::check_import`]).
//! - Values of variables are the operator's secrets: they are shown to the guest and nobody else.

mod asking;
mod consent;
mod error;
mod http;
mod kv;
mod status;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use tokio::sync::Semaphore;

use self::consent::Resolved;
pub use self::consent::{Consent, EnvSetting, EnvValue, HttpConsent, InEnvironment, InFile, KvConsent};
pub use self::error::{ConsentError, GrantError};
use self::http::{HttpAccess, HttpLimits};
pub(super) use self::http::{HttpGuest, Meter};
pub use self::http::{Outbound, OutboundError, OutboundFuture, OutboundRequest};
use self::kv::KvAccess;
pub use self::kv::{KeyValues, KvFailure, KvFuture};
pub(super) use self::kv::{KvGuest, Spaces};
pub use self::status::{GrantStatus, HttpStatus, KvStatus};
use super::inspect::Grant;
use super::manifest::{Grants, HttpGrant, KvGrant};
use crate::clock::Clock;
use crate::model::{AttemptError, AttemptErrorClass, KvEntry, KvSpace, KvWrite, PluginName};
use crate::shutdown::Shutdown;

/// What grants are made of: the ways out of the host that plugins may be given.
#[derive(Clone)]
pub struct Means {
    /// Where requests go.
    pub outbound: Arc<dyn Outbound>,
    /// Where values are kept.
    pub key_values: Arc<dyn KeyValues>,
}

/// No way out: requests and reads fail. For plugins that nobody granted anything.
#[derive(Debug)]
struct Nothing;

/// What the operator allows, and what it is made of.
pub(super) struct Operator {
    consents: BTreeMap<PluginName, Resolved>,
    outbound: Arc<dyn Outbound>,
    spaces: Arc<Spaces>,
}

/// What one version of a plugin may use.
#[derive(Default)]
pub(super) struct Granted {
    plugin: String,
    env: Vec<(String, EnvValue)>,
    http: Option<Arc<HttpAccess>>,
    kv: Option<Arc<KvAccess>>,
}

impl Granted {
    /// The same without requests to others.
    pub(super) fn without_http(&self) -> Self {
        Self { plugin: self.plugin.clone(), env: self.env.clone(), http: None, kv: self.kv.clone() }
    }
}

impl Default for Means {
    fn default() -> Self {
        Self { outbound: Arc::new(Nothing), key_values: Arc::new(Nothing) }
    }
}

impl fmt::Debug for Means {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Means").finish_non_exhaustive()
    }
}

impl Outbound for Nothing {
    fn send(&self, _: OutboundRequest) -> OutboundFuture<'_> {
        let message = "there is no network here".to_owned();
        let error = AttemptError { class: AttemptErrorClass::Forbidden, message, status: None };
        Box::pin(async { Err(OutboundError::Failed(error)) })
    }
}

impl KeyValues for Nothing {
    fn read(&self, _: KvSpace, _: String) -> KvFuture<'_, (Option<KvEntry>, u64)> {
        Box::pin(async { Ok((None, 0)) })
    }

    fn write(&self, writes: Vec<KvWrite>) -> KvFuture<'_, Vec<(KvSpace, u64)>> {
        Box::pin(async { Ok(writes.into_iter().map(|write| (write.space, 0)).collect()) })
    }
}

impl Operator {
    /// # Errors
    /// A value that stands in a file cannot be read.
    pub(super) fn new(
        consents: &BTreeMap<PluginName, Consent>,
        means: Means,
        clock: Clock,
        tasks: Shutdown,
    ) -> Result<Self, ConsentError> {
        let resolve =
            |(plugin, consent): (&PluginName, &Consent)| Ok((plugin.clone(), consent.resolve(plugin)?));
        let spaces = Arc::new(Spaces::new(means.key_values, clock, tasks));
        let consents = consents.iter().map(resolve).collect::<Result<_, ConsentError>>()?;
        Ok(Self { consents, outbound: means.outbound, spaces })
    }

    /// What a plugin gets that asks for this.
    ///
    /// # Errors
    /// For the first thing that only one of the two sides says.
    pub(super) fn grant(&self, plugin: &PluginName, asked: &Grants) -> Result<Granted, GrantError> {
        let nothing = Resolved::default();
        let allowed = self.consents.get(plugin).unwrap_or(&nothing);
        let env = allowed.env(plugin, &asked.env)?;
        let http = match (&asked.http, &allowed.http) {
            (None, None) => None,
            (Some(asked), Some(allowed)) => Some(self.http(plugin, asked, allowed)?),
            (Some(_), None) => return Err(GrantError::asked(plugin, "requests to others", "http")),
            (None, Some(_)) => return Err(GrantError::allowed(plugin, "requests to others", "http")),
        };
        let kv = match (&asked.kv, &allowed.kv) {
            (None, None) => None,
            (Some(asked), Some(allowed)) => Some(self.kv(plugin, asked, allowed)?),
            (Some(_), None) => return Err(GrantError::asked(plugin, "a place to keep values", "kv")),
            (None, Some(_)) => return Err(GrantError::allowed(plugin, "a place to keep values", "kv")),
        };
        Ok(Granted { plugin: plugin.to_string(), env, http, kv })
    }

    fn http(
        &self,
        plugin: &PluginName,
        asked: &HttpGrant,
        allowed: &HttpConsent,
    ) -> Result<Arc<HttpAccess>, GrantError> {
        allowed.check(plugin, asked)?;
        let limits = HttpLimits {
            timeout: asked.timeout(),
            max_requests: asked.max_requests(),
            max_request_bytes: allowed.max_request_bytes,
            max_response_bytes: asked.max_response_bytes(),
        };
        Ok(Arc::new(HttpAccess {
            hosts: asked.hosts.iter().cloned().collect(),
            limits,
            permits: Semaphore::new(allowed.concurrency.get().into()),
            outbound: Arc::clone(&self.outbound),
        }))
    }

    fn kv(
        &self,
        plugin: &PluginName,
        asked: &KvGrant,
        allowed: &KvConsent,
    ) -> Result<Arc<KvAccess>, GrantError> {
        let most = allowed.max_bytes;
        if asked.max_bytes() > most {
            return Err(GrantError::over(plugin, "kv.max_kb", most >> 10, "kv.max_bytes"));
        }
        Ok(Arc::new(KvAccess {
            plugin: plugin.clone(),
            max_bytes: asked.max_bytes() as u64,
            ttl: asked.ttl(),
            spaces: Arc::clone(&self.spaces),
        }))
    }
}

impl Granted {
    /// The variables that the guest sees.
    pub(super) fn env(&self) -> impl Iterator<Item = (&str, &str)> {
        self.env.iter().map(|(name, value)| (name.as_str(), value.reveal()))
    }

    pub(super) fn http(&self) -> Option<Arc<HttpAccess>> {
        self.http.clone()
    }

    pub(super) fn kv(&self) -> KvGuest {
        KvGuest::new(self.kv.clone())
    }

    /// Whether the component may have an import that takes a grant.
    ///
    /// # Errors
    /// It has no such grant.
    pub(super) fn check_import(&self, import: &str, grant: Grant) -> Result<(), GrantError> {
        let is_there = match grant {
            Grant::Http => self.http.is_some(),
            Grant::Kv => self.kv.is_some(),
        };
        if is_there { Ok(()) } else { Err(GrantError::import(&self.plugin, import, grant.name())) }
    }

    /// What there is to show of it; none where nothing is granted.
    pub(super) fn status(&self) -> Option<GrantStatus> {
        let http = self.http.as_deref().map(HttpStatus::from);
        let kv = self.kv.as_deref().map(KvStatus::from);
        let env: Vec<_> = self.env.iter().map(|(name, _)| name.clone()).collect();
        (!env.is_empty() || http.is_some() || kv.is_some()).then_some(GrantStatus { env, http, kv })
    }
}
