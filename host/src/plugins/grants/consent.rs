//! `[plugins.grants.NAME]`: what the operator allows one plugin.

use std::collections::BTreeMap;
use std::fmt;
use std::io::Read as _;
use std::num::NonZeroU16;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use jiff::fmt::serde::unsigned_duration::friendly::compact::required as friendly;
use serde::Deserialize;
use zeroize::Zeroizing;

use super::error::{ConsentError, GrantError};
use crate::model::PluginName;
use crate::plugins::manifest::{EnvName, HttpGrant, HttpHost};

/// More than any token or certificate chain.
const MAX_VALUE_BYTES: u64 = 64 << 10;
/// The defaults of a manifest, so that an operator who says nothing allows a plugin that says nothing.
const DEFAULT_TIMEOUT: Duration = Duration::from_secs(2);
const DEFAULT_MAX_REQUESTS: u32 = 2;
const DEFAULT_MAX_RESPONSE_BYTES: usize = 256 << 10;
/// A question, not an upload.
const DEFAULT_MAX_REQUEST_BYTES: usize = 64 << 10;
/// As many as there are calls of one plugin, by default; a host that is slow takes no more of the gateway than this.
const DEFAULT_CONCURRENCY: NonZeroU16 = NonZeroU16::new(16).unwrap();
const DEFAULT_MAX_KEPT_BYTES: usize = 1 << 20;

/// What the operator allows a plugin. Each part counts only together with the same part of the plugin's manifest.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Consent {
    /// Variables of the environment, with their values.
    pub env: BTreeMap<EnvName, EnvSetting>,
    /// Requests to others.
    pub http: Option<HttpConsent>,
    /// A place to keep values in, per tenant.
    pub kv: Option<KvConsent>,
}

/// The value of a variable: as it stands, in the environment of the gateway, or in a file.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(
    untagged,
    expecting = "a variable has a text as its value, or `{ env = \"NAME\" }` or `{ file = \"PATH\" }` where the value stands elsewhere"
)]
pub enum EnvSetting {
    /// The value.
    Value(EnvValue),
    /// The variable of the gateway's own environment that has it.
    Variable(InEnvironment),
    /// The file that has it.
    File(InFile),
}

/// A value that stands in the environment of the gateway.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct InEnvironment {
    /// The name of the variable.
    env: String,
}

/// A value that stands in a file.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct InFile {
    /// The file. One line break at its end is not part of the value.
    file: PathBuf,
}

/// The value of a variable. `Debug` never shows it.
#[derive(Clone, PartialEq, Eq, Deserialize)]
#[serde(transparent)]
pub struct EnvValue(Arc<Zeroizing<String>>);

/// Requests to others, and the most that a manifest may ask for.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct HttpConsent {
    /// To whom: `api.example.com:443`.
    pub hosts: Vec<HttpHost>,
    /// How long all requests of one call may take together.
    #[serde(with = "friendly")]
    pub timeout: Duration,
    /// How many requests one call may make.
    pub max_requests: u32,
    /// The largest body of a request.
    pub max_request_bytes: usize,
    /// The largest body of an answer.
    pub max_response_bytes: usize,
    /// How many requests the plugin may have under way.
    pub concurrency: NonZeroU16,
}

/// A place to keep values in, and the most that a manifest may ask for.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct KvConsent {
    /// For each tenant.
    pub max_bytes: usize,
}

/// A consent with all values read.
#[derive(Debug, Default)]
pub(super) struct Resolved {
    env: BTreeMap<EnvName, EnvValue>,
    pub(super) http: Option<HttpConsent>,
    pub(super) kv: Option<KvConsent>,
}

impl Consent {
    /// Takes the values that stand in the environment of the gateway from there. Returns each variable of the plugin whose value is not
    /// there, with where it was looked for.
    pub fn take_from(&mut self, environment: &[(String, String)]) -> Vec<(EnvName, String)> {
        let mut missing = Vec::new();
        for (name, setting) in &mut self.env {
            let EnvSetting::Variable(InEnvironment { env }) = setting else { continue };
            match environment.iter().find(|(name, _)| name == env) {
                Some((_, value)) => *setting = EnvSetting::Value(EnvValue::from(value.as_str())),
                None => missing.push((name.clone(), env.clone())),
            }
        }
        missing
    }

    /// # Errors
    /// A file cannot be read.
    pub(super) fn resolve(&self, plugin: &PluginName) -> Result<Resolved, ConsentError> {
        let value = |(name, setting): (&EnvName, &EnvSetting)| {
            let value = match setting {
                EnvSetting::Value(value) => Ok(value.clone()),
                EnvSetting::Variable(InEnvironment { env }) => Err((env.clone(), "there is none".to_owned())),
                EnvSetting::File(InFile { file }) => {
                    read(file).map_err(|problem| (file.display().to_string(), problem))
                }
            };
            let setting = || format!("plugins.grants.{plugin}.env.{}", name.as_str());
            let value =
                value.map_err(|(place, problem)| ConsentError { setting: setting(), place, problem })?;
            Ok((name.clone(), value))
        };
        let env = self.env.iter().map(value).collect::<Result<_, ConsentError>>()?;
        Ok(Resolved { env, http: self.http.clone(), kv: self.kv.clone() })
    }
}

impl Resolved {
    /// The variables that are asked for, with their values.
    pub(super) fn env(
        &self,
        plugin: &PluginName,
        asked: &[EnvName],
    ) -> Result<Vec<(String, EnvValue)>, GrantError> {
        let variable = |name: &EnvName| format!("the variable `{}`", name.as_str());
        if let Some(name) = self.env.keys().find(|name| !asked.contains(name)) {
            return Err(GrantError::Allowed {
                plugin: plugin.to_string(),
                what: variable(name),
                key: "grants.env".to_owned(),
                setting: format!("env.{}", name.as_str()),
            });
        }
        let value = |name: &EnvName| match self.env.get(name) {
            Some(value) => Ok((name.as_str().to_owned(), value.clone())),
            None => Err(GrantError::Asked {
                plugin: plugin.to_string(),
                what: variable(name),
                key: "grants.env".to_owned(),
                setting: format!("env.{}", name.as_str()),
            }),
        };
        asked.iter().map(value).collect()
    }
}

impl HttpConsent {
    /// Whether a manifest asks for no more and no less than this.
    pub(super) fn check(&self, plugin: &PluginName, asked: &HttpGrant) -> Result<(), GrantError> {
        let (key, setting) = ("grants.http.hosts", "http.hosts");
        let host = |host: &HttpHost| format!("requests to `{host}`");
        if let Some(missing) = asked.hosts.iter().find(|host| !self.hosts.contains(host)) {
            let (plugin, what) = (plugin.to_string(), host(missing));
            return Err(GrantError::Asked { plugin, what, key: key.into(), setting: setting.into() });
        }
        if let Some(more) = self.hosts.iter().find(|host| !asked.hosts.contains(host)) {
            let (plugin, what) = (plugin.to_string(), host(more));
            return Err(GrantError::Allowed { plugin, what, key: key.into(), setting: setting.into() });
        }
        if asked.timeout() > self.timeout {
            let most = self.timeout.as_millis();
            return Err(GrantError::over(plugin, "http.timeout_ms", most, "http.timeout"));
        }
        if asked.max_requests() > self.max_requests {
            return Err(GrantError::over(
                plugin,
                "http.max_requests",
                self.max_requests,
                "http.max_requests",
            ));
        }
        if asked.max_response_bytes() > self.max_response_bytes {
            let most = self.max_response_bytes >> 10;
            return Err(GrantError::over(plugin, "http.max_response_kb", most, "http.max_response_bytes"));
        }
        Ok(())
    }
}

impl EnvValue {
    pub(super) fn reveal(&self) -> &str {
        &self.0
    }
}

impl From<&str> for EnvValue {
    fn from(value: &str) -> Self {
        Self(Arc::new(Zeroizing::new(value.to_owned())))
    }
}

impl fmt::Debug for EnvValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[REDACTED]")
    }
}

impl Default for HttpConsent {
    fn default() -> Self {
        Self {
            hosts: Vec::new(),
            timeout: DEFAULT_TIMEOUT,
            max_requests: DEFAULT_MAX_REQUESTS,
            max_request_bytes: DEFAULT_MAX_REQUEST_BYTES,
            max_response_bytes: DEFAULT_MAX_RESPONSE_BYTES,
            concurrency: DEFAULT_CONCURRENCY,
        }
    }
}

impl Default for KvConsent {
    fn default() -> Self {
        Self { max_bytes: DEFAULT_MAX_KEPT_BYTES }
    }
}

/// What the file holds, or what is wrong with it.
fn read(path: &PathBuf) -> Result<EnvValue, String> {
    let file = std::fs::File::open(path).map_err(|error| format!("it cannot be read: {error}"))?;
    let mut text = Zeroizing::new(String::new());
    let read = file.take(MAX_VALUE_BYTES + 1).read_to_string(&mut text);
    let length = read.map_err(|error| format!("it cannot be read as UTF-8 text: {error}"))?;
    if length as u64 > MAX_VALUE_BYTES {
        return Err(format!("it is larger than {} KiB", MAX_VALUE_BYTES >> 10));
    }
    if text.ends_with('\n') {
        text.pop();
    }
    if text.ends_with('\r') {
        text.pop();
    }
    Ok(EnvValue(Arc::new(text)))
}
