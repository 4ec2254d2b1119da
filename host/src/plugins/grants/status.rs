//! What there is to show of grants: names and limits, never a value.

use schemars::JsonSchema;
use serde::Serialize;

use super::http::HttpAccess;
use super::kv::KvAccess;

/// What a version of a plugin may use.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
#[schemars(rename = "PluginGrants")]
pub struct GrantStatus {
    /// The names of the variables that it sees.
    pub env: Vec<String>,
    /// The requests that it may make.
    pub http: Option<HttpStatus>,
    /// What it may keep.
    pub kv: Option<KvStatus>,
}

/// The requests that a plugin may make.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
#[schemars(rename = "PluginHttpGrant")]
pub struct HttpStatus {
    /// To whom, each with its port.
    pub hosts: Vec<String>,
    /// How long all requests of one call may take together, in milliseconds.
    pub timeout_ms: u64,
    /// How many requests one call may make.
    pub max_requests: u32,
    /// The largest body of a request.
    pub max_request_bytes: u64,
    /// The largest body of an answer.
    pub max_response_bytes: u64,
}

/// What a plugin may keep.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
#[schemars(rename = "PluginKvGrant")]
pub struct KvStatus {
    /// Of each tenant.
    pub max_bytes: u64,
    /// How long a value stays that was set without a time, in seconds.
    pub ttl_s: u64,
}

impl From<&HttpAccess> for HttpStatus {
    fn from(access: &HttpAccess) -> Self {
        let limits = access.limits;
        Self {
            hosts: access.hosts.iter().map(ToString::to_string).collect(),
            timeout_ms: u64::try_from(limits.timeout.as_millis()).unwrap_or(u64::MAX),
            max_requests: limits.max_requests,
            max_request_bytes: limits.max_request_bytes as u64,
            max_response_bytes: limits.max_response_bytes as u64,
        }
    }
}

impl From<&KvAccess> for KvStatus {
    fn from(access: &KvAccess) -> Self {
        Self { max_bytes: access.max_bytes, ttl_s: access.ttl.as_secs() }
    }
}
