//! What a plugin would like to use. Nothing of it is there until the operator's configuration consents.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use serde::{Deserialize, Deserializer};
use url::Url;

use super::limits::{at_most, milliseconds, seconds, whole, whole_shifted};

const MAX_ENV: usize = 64;
const MAX_ENV_NAME: usize = 128;
const MAX_HOSTS: usize = 32;
/// A host name has at most 253 characters (RFC 1035), a port 5.
const MAX_HOST: usize = 260;

/// Everything that is asked for.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Grants {
    /// Variables of the environment, by name; the values are the operator's.
    #[serde(deserialize_with = "names")]
    pub env: Vec<EnvName>,
    /// Requests to others.
    pub http: Option<HttpGrant>,
    /// A place to keep values in, per tenant.
    pub kv: Option<KvGrant>,
}

/// The name of a variable: `[A-Za-z_][A-Za-z0-9_]{0,127}`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Deserialize)]
#[serde(try_from = "String")]
pub struct EnvName(String);

/// Requests to others.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HttpGrant {
    /// To whom; at least one.
    #[serde(deserialize_with = "hosts")]
    pub hosts: Vec<HttpHost>,
    /// How long all requests of one call may take together.
    #[serde(rename = "timeout_ms", default, deserialize_with = "milliseconds::<1, 30_000, _>")]
    timeout: Option<Duration>,
    /// How much of an answer is read.
    #[serde(rename = "max_response_kb", default, deserialize_with = "whole_shifted::<1, 16_384, 10, _>")]
    max_response_bytes: Option<usize>,
    /// How many one call may make.
    #[serde(default, deserialize_with = "whole::<1, 16, u32, _>")]
    max_requests: Option<u32>,
}

/// A host and a port.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Deserialize)]
#[serde(try_from = "String")]
pub struct HttpHost {
    /// A name or an address, in the form that `url` gives it: lower case, IPv6 in brackets.
    pub host: String,
    /// The port; 443 where nobody says.
    pub port: u16,
}

/// A place to keep values in.
#[derive(Debug, Clone, PartialEq, Eq, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct KvGrant {
    /// How much, for each tenant.
    #[serde(rename = "max_kb", deserialize_with = "whole_shifted::<1, 65_536, 10, _>")]
    max_bytes: Option<usize>,
    /// For how long a value stays.
    #[serde(rename = "ttl_s", deserialize_with = "seconds::<1, 2_592_000, _>")]
    ttl: Option<Duration>,
}

impl Grants {
    /// Whether nothing is asked for.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.env.is_empty() && self.http.is_none() && self.kv.is_none()
    }
}

impl EnvName {
    /// The name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl HttpGrant {
    /// How long all requests of one call may take together: 2 s where the manifest does not say.
    #[must_use]
    pub fn timeout(&self) -> Duration {
        self.timeout.unwrap_or(Duration::from_secs(2))
    }

    /// How many bytes of an answer are read: 256 KiB where the manifest does not say.
    #[must_use]
    pub fn max_response_bytes(&self) -> usize {
        self.max_response_bytes.unwrap_or(256 << 10)
    }

    /// How many requests one call may make: 2 where the manifest does not say.
    #[must_use]
    pub fn max_requests(&self) -> u32 {
        self.max_requests.unwrap_or(2)
    }
}

impl KvGrant {
    /// How many bytes are kept for one tenant: 1 MiB where the manifest does not say.
    #[must_use]
    pub fn max_bytes(&self) -> usize {
        self.max_bytes.unwrap_or(1 << 20)
    }

    /// For how long a value stays: a day where the manifest does not say.
    #[must_use]
    pub fn ttl(&self) -> Duration {
        self.ttl.unwrap_or(Duration::from_hours(24))
    }
}

impl TryFrom<String> for EnvName {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let inner = |b: u8| b.is_ascii_alphanumeric() || b == b'_';
        let is_name = text.len() <= MAX_ENV_NAME
            && text.bytes().all(inner)
            && text.bytes().next().is_some_and(|b| !b.is_ascii_digit());
        if is_name {
            return Ok(Self(text));
        }
        Err(format!(
            "a variable is named by 1 to {MAX_ENV_NAME} of the characters A-Z, a-z, 0-9 and `_`, and begins with no digit"
        ))
    }
}

impl FromStr for HttpHost {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong =
            || "a host is written as `api.example.com` or `api.example.com:443`, each by itself".to_owned();
        let plain = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-' | b'_' | b':' | b'[' | b']');
        if text.is_empty() || text.len() > MAX_HOST || !text.bytes().all(plain) {
            return Err(wrong());
        }
        let url = Url::parse(&format!("https://{text}/")).map_err(|_| wrong())?;
        let host = url.host_str().ok_or_else(wrong)?.to_owned();
        let port = url.port_or_known_default().filter(|port| *port != 0).ok_or_else(wrong)?;
        Ok(Self { host, port })
    }
}

impl TryFrom<String> for HttpHost {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        text.parse()
    }
}

impl fmt::Display for HttpHost {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.host, self.port)
    }
}

fn names<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<EnvName>, D::Error> {
    at_most(MAX_ENV, "variables", Vec::deserialize(deserializer)?)
}

fn hosts<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<HttpHost>, D::Error> {
    let hosts: Vec<HttpHost> = at_most(MAX_HOSTS, "hosts", Vec::deserialize(deserializer)?)?;
    if hosts.is_empty() {
        return Err(serde::de::Error::custom("name at least one host, or leave `http` out"));
    }
    Ok(hosts)
}
