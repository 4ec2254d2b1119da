//! A version of a plugin as the API shows it.

use schemars::JsonSchema;
use serde::Serialize;

use crate::model::{KeyId, PluginOrigin, PluginVersion, SentBack, TenantId};
use crate::openapi::Time;

/// A version that went live.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "PluginVersion")]
pub(super) struct VersionView {
    /// What it is called: the first 16 hex digits of `component` and, with a manifest, `+` and the first 8 of `manifest`.
    version: String,
    /// Whether it is the one that is live.
    live: bool,
    /// When it went live, the last time if it did so more than once.
    #[schemars(with = "Time")]
    at: String,
    /// How it came.
    origin: PluginOrigin,
    /// The id of the key that asked for it; none for a file.
    #[schemars(with = "Option<KeyId>")]
    key: Option<String>,
    /// Of its component, in bytes.
    size: u64,
    /// SHA-256 of the component, in hex: what `sha256sum NAME.wasm` says.
    component: String,
    /// That of the manifest, if it has one.
    manifest: Option<String>,
    /// That it failed on what the version before could judge, so that this one serves again.
    sent_back: Option<SentBackView>,
}

/// Why a version was sent back.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "PluginSentBack")]
struct SentBackView {
    /// When.
    #[schemars(with = "Time")]
    at: String,
    /// Why, in a sentence.
    reason: String,
    /// On whose events it failed.
    #[schemars(with = "TenantId")]
    tenant: String,
    /// The version that serves in its place.
    instead: String,
}

impl VersionView {
    /// One of a plugin of which this version is live.
    pub(super) fn new(version: PluginVersion, live: Option<&str>) -> Self {
        Self {
            live: live == Some(version.version.as_str()),
            version: version.version,
            at: version.at.to_string(),
            origin: version.origin,
            key: version.key.map(|key| key.to_string()),
            size: version.size,
            component: version.component,
            manifest: version.manifest,
            sent_back: version.sent_back.map(SentBackView::from),
        }
    }
}

impl From<SentBack> for SentBackView {
    fn from(SentBack { at, reason, tenant, instead }: SentBack) -> Self {
        Self { at: at.to_string(), reason, tenant: tenant.to_string(), instead }
    }
}
