//! What there is to know about a plugin, and what of it a tenant may see.

use schemars::JsonSchema;
use serde::Serialize;

use super::breakers::OpenBreaker;
use super::grants::GrantStatus;
use super::stats::{LastError, Usage};
use super::version::Capability;
use crate::model::{PluginName, TenantId, UnixMs};

/// A file that did not become a version, or whose version was sent back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rejected {
    /// Whether it was live, and was sent back because it failed on what the version before can judge.
    pub was_live: bool,
    /// What it is or would be called: the first 16 hex digits of the SHA-256 of the file and, with a manifest, `+` and the
    /// first 8 of that; empty if it could not be read.
    pub version: String,
    /// Why, in a sentence.
    pub reason: String,
    /// Whom the reason is about.
    pub about: About,
    /// When it was tried.
    pub at: UnixMs,
}

/// Whom a reason is about, and so who may read it besides administrators.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum About {
    /// The file alone: everybody.
    File,
    /// A configuration or an event of this tenant.
    Tenant(TenantId),
    /// Patterns of endpoints, nobody knows whose: no tenant.
    Patterns,
}

/// How a plugin stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum PluginState {
    /// The newest file is live.
    Active,
    /// The newest file could not be loaded; the version before serves on, if there is one.
    Degraded,
    /// The newest file was live and failed on what the version before can judge: that one serves again.
    RolledBack,
    /// The live version failed on several events of one tenant and configuration, and is not asked about them for a while.
    BreakerOpen,
    /// The first version is being loaded.
    Loading,
}

/// What there is to know about a plugin.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PluginStatus {
    /// Its name.
    pub name: PluginName,
    /// The live version: the first 16 hex digits of the SHA-256 of its file and, with a manifest, `+` and the first 8 of
    /// that.
    pub version: Option<String>,
    /// The version that was live before this one.
    pub previous: Option<String>,
    /// What the live version can do.
    pub capabilities: Vec<Capability>,
    /// When the live version was loaded.
    pub loaded_at: Option<UnixMs>,
    /// The size of the live version's file in bytes.
    pub size: Option<u64>,
    /// The newest file, if it is not live, and why.
    pub rejected: Option<Rejected>,
    /// What the live version may use beside its event; `None` if nothing was granted, and for those who may not know.
    pub grants: Option<GrantStatus>,
    /// Breakers of the live version that are open, those open for longest first.
    pub open_breakers: Vec<OpenBreaker>,
    /// How the last call failed that did.
    pub last_error: Option<LastError>,
    /// What the calls of the live version came to; `None` for those who may not know.
    pub usage: Option<Usage>,
}

impl PluginStatus {
    /// How it stands.
    #[must_use]
    pub fn state(&self) -> PluginState {
        match (&self.version, &self.rejected) {
            (_, Some(rejected)) if rejected.was_live => PluginState::RolledBack,
            (_, Some(_)) => PluginState::Degraded,
            (Some(_), None) if !self.open_breakers.is_empty() => PluginState::BreakerOpen,
            (Some(_), None) => PluginState::Active,
            (None, None) => PluginState::Loading,
        }
    }

    /// Since when it stands like this; unknown while it is loaded.
    #[must_use]
    pub fn since(&self) -> Option<UnixMs> {
        match self.state() {
            PluginState::Active => self.loaded_at,
            PluginState::Degraded | PluginState::RolledBack => {
                self.rejected.as_ref().map(|rejected| rejected.at)
            }
            PluginState::BreakerOpen => self.open_breakers.first().map(|open| open.since),
            PluginState::Loading => None,
        }
    }

    /// Why it is not active, in a sentence.
    #[must_use]
    pub fn reason(&self) -> Option<String> {
        match self.state() {
            PluginState::Active | PluginState::Loading => None,
            PluginState::Degraded | PluginState::RolledBack => {
                self.rejected.as_ref().map(|rejected| rejected.reason.clone())
            }
            PluginState::BreakerOpen => self.open_breakers.first().map(|OpenBreaker { tenant, message, .. }| {
                format!(
                    "it failed on several events of the tenant `{tenant}` and is not asked about them for a while: {message}"
                )
            }),
        }
    }

    /// What a tenant may see of it: nothing that is about others, and no counts, which tell how busy they are.
    #[must_use]
    pub fn seen_by(mut self, tenant: &TenantId) -> Self {
        self.usage = None;
        self.grants = None;
        self.open_breakers.retain(|open| open.tenant == *tenant);
        self.last_error = self.last_error.filter(|error| error.tenant == *tenant);
        if let Some(rejected) = &mut self.rejected
            && !rejected.about.may_read(tenant)
        {
            "it fails with what another tenant uses it for".clone_into(&mut rejected.reason);
        }
        self
    }
}

impl About {
    fn may_read(&self, tenant: &TenantId) -> bool {
        match self {
            Self::File => true,
            Self::Tenant(of) => of == tenant,
            Self::Patterns => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plugins::CallOutcome;

    fn status() -> PluginStatus {
        let tenant: TenantId = "acme".parse().unwrap();
        let message = || "planted".to_owned();
        PluginStatus {
            name: "p".parse().unwrap(),
            version: Some("v".to_owned()),
            previous: None,
            capabilities: Vec::new(),
            loaded_at: Some(UnixMs(1)),
            size: Some(1),
            rejected: None,
            grants: Some(GrantStatus { env: vec![message()], http: None, kv: None }),
            open_breakers: vec![OpenBreaker { tenant: tenant.clone(), since: UnixMs(2), message: message() }],
            last_error: Some(LastError {
                at: UnixMs(3),
                tenant,
                outcome: CallOutcome::Trap,
                message: message(),
            }),
            usage: Some(Usage::default()),
        }
    }

    fn rejected(was_live: bool) -> Rejected {
        let (version, reason) = (String::new(), "planted".to_owned());
        let about = About::Tenant("acme".parse().unwrap());
        Rejected { was_live, version, reason, about, at: UnixMs(4) }
    }

    #[test]
    fn a_tenant_sees_what_is_its_own_and_nothing_of_others() {
        let (acme, other) = ("acme".parse().unwrap(), "other".parse().unwrap());
        for (rejected, own, theirs) in [
            (None, PluginState::BreakerOpen, PluginState::Active),
            (Some(rejected(false)), PluginState::Degraded, PluginState::Degraded),
            (Some(rejected(true)), PluginState::RolledBack, PluginState::RolledBack),
        ] {
            let all = PluginStatus { rejected, ..status() };
            assert!(all.reason().unwrap().contains("planted"));
            let seen = all.clone().seen_by(&acme);
            assert_eq!((seen.state(), &seen.usage), (own, &None));
            assert!(seen.reason().unwrap().contains("planted") && seen.last_error.is_some());
            let seen = all.seen_by(&other);
            assert_eq!(seen.state(), theirs);
            assert!(!format!("{seen:?} {:?}", seen.reason()).contains("planted"), "{seen:?}");
        }
    }

    #[test]
    fn what_is_about_the_file_everybody_reads_and_what_is_about_patterns_no_tenant() {
        let reason = |about| {
            let rejected = Some(Rejected { about, ..rejected(false) });
            PluginStatus { rejected, ..status() }.seen_by(&"acme".parse().unwrap()).reason().unwrap()
        };
        assert_eq!(reason(About::File), "planted");
        assert!(!reason(About::Patterns).contains("planted"));
    }

    #[test]
    fn a_state_has_its_time() {
        let at = |status: PluginStatus| status.since();
        assert_eq!(at(status()), Some(UnixMs(2)));
        assert_eq!(at(PluginStatus { open_breakers: Vec::new(), ..status() }), Some(UnixMs(1)));
        assert_eq!(at(PluginStatus { rejected: Some(rejected(true)), ..status() }), Some(UnixMs(4)));
        let loading = PluginStatus { version: None, ..status() };
        assert_eq!((loading.state(), at(loading)), (PluginState::Loading, None));
    }
}
