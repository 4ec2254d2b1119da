//! What callers say about an endpoint, and the endpoint that comes of it. Pure: nothing is looked up or stored.

use std::collections::BTreeMap;
use std::sync::Arc;

use schemars::JsonSchema;
use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;

use super::binding_input::{BindingInput, bindings, patterns};
use super::secret_input::{SecretInput, SecretText};
use super::signature_input::{self, SignatureInput};
use super::{TargetCheck, request_input};
use crate::filter::Filter;
use crate::http::{Problem, object, objects};
use crate::model::{Endpoint, Ordering, OrderingKey, OrderingKeyError, PluginName, Subscription, TenantId};
use crate::openapi::{Anything, Time};

/// An index over all patterns of all endpoints is kept in memory.
const MAX_TOPICS: usize = 100;
/// The longest pattern in the language of a plugin; our own are as long as topics.
const MAX_PATTERN_BYTES: usize = 256;
/// Far above what one process sends; a larger number is a mistake.
const MAX_RATE_LIMIT: u32 = 100_000;
/// The same.
const MAX_BURST_LIMIT: u32 = 100_000;
pub(super) const MAX_DESCRIPTION_BYTES: usize = 1024;
const MAX_METADATA: usize = 32;
const MAX_METADATA_KEY_BYTES: usize = 64;
const MAX_METADATA_VALUE_BYTES: usize = 1024;

/// The body of `POST /v1/endpoints` and `PUT /v1/endpoints/{id}`.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[schemars(rename = "NewEndpoint", extend("required" = ["url", "topics"]))]
pub(super) struct Create {
    /// Whose it is; that of the key, else `default`, where nobody says.
    #[schemars(with = "Option<TenantId>")]
    pub(super) tenant: Option<String>,
    /// The value of its one signing secret; without it and `secrets` one is generated.
    pub(super) secret: Option<SecretText>,
    /// When that secret expires: a time to come.
    #[schemars(with = "Option<Time>")]
    pub(super) secret_expires_at: Option<String>,
    /// Its signing secrets in place of `secret`, newest first; 1 to 10.
    #[serde(deserialize_with = "objects")]
    pub(super) secrets: Option<Vec<SecretInput>>,
    /// Where deliveries are sent to: HTTPS and a public address, unless the operator allows more. One endpoint per URL.
    #[schemars(with = "String")]
    url: Option<String>,
    /// Patterns of the topics that it wants: exact, `*` for one segment, `**` for any number; 1 to 100.
    #[schemars(with = "Vec<String>", length(min = 1, max = 100))]
    topics: Option<Vec<String>>,
    /// The plugin in whose language the patterns are, in place of the gateway's own.
    #[schemars(with = "Option<PluginName>")]
    matcher: Option<String>,
    /// The plugins that its events go through, in this order, filters before transforms; at most 16.
    #[serde(deserialize_with = "objects")]
    plugins: Option<Vec<BindingInput>>,
    /// For people; at most 1024 bytes.
    description: Option<String>,
    /// Labels of your own; at most 32.
    metadata: Option<BTreeMap<String, String>>,
    /// Attempts that may start in any second, at most 100000; 0 = no limit.
    rate_limit: Option<u32>,
    /// Attempts that may be under way at the same time, at most 100000; 0 = no limit.
    burst_limit: Option<u32>,
    /// In which order its deliveries are made.
    #[schemars(with = "Option<Ordering>")]
    ordering: Option<String>,
    /// With `fifo`, the JSON pointer into `data` of the value by which it orders, at most 256 bytes.
    ordering_key: Option<String>,
    /// A condition that an event has to satisfy; kept as it was written.
    #[schemars(with = "Anything")]
    filter: Option<Box<RawValue>>,
    /// Headers that each request carries; at most 32 of 4 KiB.
    headers: Option<BTreeMap<String, String>>,
    /// The time for a whole attempt, as `20s`, at most 30 s.
    timeout: Option<String>,
    /// The waits before a failed attempt is repeated, as `["5s", "1h"]`; 1 to 50 of at most 72 h.
    retry: Option<Vec<String>>,
    /// The signature beside that of Standard Webhooks.
    #[serde(deserialize_with = "object")]
    signature: Option<SignatureInput>,
}

/// The body of `PATCH /v1/endpoints/{id}`: what is absent stays as it is.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[schemars(rename = "EndpointPatch")]
pub(super) struct Patch {
    /// Where deliveries are sent to.
    url: Option<String>,
    /// Patterns of the topics that it wants; 1 to 100.
    topics: Option<Vec<String>>,
    /// The plugin in whose language the patterns are; `null`: back to the gateway's own.
    #[serde(deserialize_with = "even_null")]
    #[schemars(with = "Option<PluginName>")]
    matcher: Option<Option<String>>,
    /// The plugins that its events go through; at most 16.
    #[serde(deserialize_with = "objects")]
    plugins: Option<Vec<BindingInput>>,
    /// For people.
    description: Option<String>,
    /// Labels of your own.
    metadata: Option<BTreeMap<String, String>>,
    /// Attempts that may start in any second; 0 = no limit.
    rate_limit: Option<u32>,
    /// Attempts that may be under way at the same time; 0 = no limit.
    burst_limit: Option<u32>,
    /// In which order its deliveries are made.
    #[schemars(with = "Option<Ordering>")]
    ordering: Option<String>,
    /// By what `fifo` orders; `null`: the whole endpoint is one line.
    #[serde(deserialize_with = "even_null")]
    ordering_key: Option<Option<String>>,
    /// A condition that an event has to satisfy; `null`: every event passes.
    #[serde(deserialize_with = "even_null")]
    #[schemars(with = "Anything")]
    filter: Option<Option<Box<RawValue>>>,
    /// Headers that each request carries.
    headers: Option<BTreeMap<String, String>>,
    /// The time for a whole attempt; `null`: back to the gateway's.
    #[serde(deserialize_with = "even_null")]
    timeout: Option<Option<String>>,
    /// The waits before a failed attempt is repeated; `null`: back to the gateway's.
    #[serde(deserialize_with = "even_null")]
    retry: Option<Option<Vec<String>>>,
    /// The signature beside that of Standard Webhooks; `null`: none.
    #[serde(deserialize_with = "even_null_object")]
    signature: Option<Option<SignatureInput>>,
}

impl Create {
    /// Whether this could replace the fields of an endpoint: what never changes and what is changed elsewhere is not in it.
    ///
    /// # Errors
    /// 422 for secrets, and for another tenant.
    pub(super) fn check_keeps(&self, endpoint: &Endpoint) -> Result<(), Problem> {
        let given = [
            ("/secret", self.secret.is_some()),
            ("/secret_expires_at", self.secret_expires_at.is_some()),
            ("/secrets", self.secrets.is_some()),
        ];
        if let Some((pointer, _)) = given.into_iter().find(|(_, is_given)| *is_given) {
            let detail =
                "the secrets of an endpoint are changed at `/v1/endpoints/{id}/secrets`; leave them out";
            return Err(Problem::invalid(pointer, detail));
        }
        match &self.tenant {
            Some(tenant) if tenant != endpoint.tenant.as_str() => {
                Err(Problem::invalid("/tenant", "an endpoint stays with its tenant; leave `tenant` out"))
            }
            _ => Ok(()),
        }
    }

    /// All but the tenant and what is about secrets, as changes to an endpoint that has nothing yet; and its checked URL.
    ///
    /// # Errors
    /// 422 when the URL or the topics are missing.
    pub(super) fn into_patch(self) -> Result<(String, Patch), Problem> {
        let Self {
            url,
            topics,
            matcher,
            plugins,
            description,
            metadata,
            rate_limit,
            burst_limit,
            ordering,
            ordering_key,
            filter,
            headers,
            timeout,
            retry,
            signature,
            ..
        } = self;
        let url =
            url.ok_or_else(|| Problem::invalid("/url", "`url` is missing: where deliveries are sent to"))?;
        if topics.is_none() {
            let detail = "`topics` is missing: the patterns it subscribes to, for example `[\"orders/*\"]`";
            return Err(Problem::invalid("/topics", detail));
        }
        Ok((
            url,
            Patch {
                url: None,
                topics,
                matcher: matcher.map(Some),
                plugins,
                description,
                metadata,
                rate_limit,
                burst_limit,
                ordering,
                ordering_key: ordering_key.map(Some),
                filter: filter.map(Some),
                headers,
                timeout: timeout.map(Some),
                retry: retry.map(Some),
                signature: signature.map(Some),
            },
        ))
    }
}

impl Patch {
    /// The endpoint after these changes.
    ///
    /// # Errors
    /// 422 for the first field that cannot be taken.
    pub(super) fn apply(
        self,
        mut endpoint: Endpoint,
        target_check: &TargetCheck,
    ) -> Result<Endpoint, Problem> {
        let may_clash = if self.signature.is_some() { "/signature/header" } else { "/headers" };
        if let Some(url) = self.url {
            endpoint.url = target_check(&url).map_err(|reason| Problem::invalid("/url", reason))?;
        }
        if self.topics.is_some() || self.matcher.is_some() {
            endpoint.subscription = subscription(&endpoint.subscription, self.topics, self.matcher)?;
        }
        if let Some(plugins) = self.plugins {
            endpoint.plugins = bindings(plugins, "/plugins")?;
        }
        if let Some(description) = self.description {
            at_most(MAX_DESCRIPTION_BYTES, description.len(), "/description", "bytes")?;
            endpoint.description = description;
        }
        if let Some(metadata) = self.metadata {
            check_metadata(&metadata)?;
            endpoint.metadata = metadata;
        }
        if let Some(limit) = self.rate_limit {
            check_limit(limit, MAX_RATE_LIMIT, "/rate_limit")?;
            endpoint.rate_limit = limit;
        }
        if let Some(limit) = self.burst_limit {
            check_limit(limit, MAX_BURST_LIMIT, "/burst_limit")?;
            endpoint.burst_limit = limit;
        }
        if let Some(text) = self.ordering {
            endpoint.ordering = ordering(&text)?;
        }
        endpoint.ordering_key = ordering_key(&endpoint, self.ordering_key)?;
        if let Some(filter) = self.filter {
            endpoint.filter = filter.map(|text| checked_filter(text.get())).transpose()?;
        }
        if let Some(signature) = self.signature {
            let style = signature.map(SignatureInput::into_style).transpose()?;
            endpoint.request.signature = style.unwrap_or_default();
        }
        if let Some(headers) = self.headers {
            endpoint.request.headers = request_input::headers(headers)?;
        }
        if let Some(timeout) = self.timeout {
            endpoint.request.timeout = timeout.as_deref().map(request_input::timeout).transpose()?;
        }
        if let Some(retry) = self.retry {
            endpoint.request.retry = retry.as_deref().map(request_input::retry).transpose()?;
        }
        signature_input::check_header(&endpoint.request, may_clash)?;
        Ok(endpoint)
    }
}

fn subscription(
    current: &Subscription,
    topics: Option<Vec<String>>,
    matcher: Option<Option<String>>,
) -> Result<Subscription, Problem> {
    let texts = topics.unwrap_or_else(|| current.patterns());
    if texts.is_empty() {
        return Err(Problem::invalid("/topics", "an endpoint has at least one topic; `**` takes all events"));
    }
    at_most(MAX_TOPICS, texts.len(), "/topics", "topics")?;
    let matcher = match matcher {
        None => current.matcher().cloned(),
        Some(None) => None,
        Some(Some(name)) => Some(plugin_name(&name, "/matcher")?),
    };
    let Some(plugin) = matcher else { return patterns(&texts, "/topics").map(Subscription::Patterns) };
    for (index, text) in texts.iter().enumerate() {
        at_most(MAX_PATTERN_BYTES, text.len(), &format!("/topics/{index}"), "bytes")?;
    }
    Ok(Subscription::Matcher { plugin, patterns: texts })
}

fn check_metadata(metadata: &BTreeMap<String, String>) -> Result<(), Problem> {
    at_most(MAX_METADATA, metadata.len(), "/metadata", "entries")?;
    for (key, value) in metadata {
        if !(1..=MAX_METADATA_KEY_BYTES).contains(&key.len()) {
            let detail = format!("a key of `metadata` has 1 to {MAX_METADATA_KEY_BYTES} bytes");
            return Err(Problem::invalid("/metadata", detail));
        }
        at_most(MAX_METADATA_VALUE_BYTES, value.len(), &pointer("/metadata", key), "bytes")?;
    }
    Ok(())
}

fn ordering(text: &str) -> Result<Ordering, Problem> {
    match text {
        "none" => Ok(Ordering::None),
        "fifo" => Ok(Ordering::Fifo),
        _ => Err(Problem::invalid("/ordering", "`ordering` is `none` or `fifo`")),
    }
}

/// The key after a change; an order that is given up takes its key along.
fn ordering_key(endpoint: &Endpoint, change: Option<Option<String>>) -> Result<Option<OrderingKey>, Problem> {
    match (change, endpoint.ordering) {
        (Some(Some(_)), Ordering::None) => {
            let detail = "`ordering_key` says by what `\"ordering\": \"fifo\"` orders: set that too";
            Err(Problem::invalid("/ordering_key", detail))
        }
        (Some(Some(text)), Ordering::Fifo) => text
            .parse()
            .map(Some)
            .map_err(|error: OrderingKeyError| Problem::invalid("/ordering_key", error.to_string())),
        (Some(None), _) | (None, Ordering::None) => Ok(None),
        (None, Ordering::Fifo) => Ok(endpoint.ordering_key.clone()),
    }
}

fn check_limit(limit: u32, most: u32, pointer: &str) -> Result<(), Problem> {
    if limit <= most {
        return Ok(());
    }
    let field = pointer.trim_start_matches('/');
    Err(Problem::invalid(pointer, format!("`{field}` is at most {most}, or 0 for no limit; this is {limit}")))
}

/// A filter is compiled where it is used; here it has to be one.
fn checked_filter(text: &str) -> Result<Arc<str>, Problem> {
    Filter::parse(text)
        .map_err(|error| Problem::invalid(format!("/filter{}", error.pointer), error.to_string()))?;
    Ok(text.into())
}

pub(super) fn plugin_name(text: &str, pointer: &str) -> Result<PluginName, Problem> {
    text.parse().map_err(|error: crate::model::PluginNameError| Problem::invalid(pointer, error.to_string()))
}

pub(super) fn at_most(limit: usize, count: usize, pointer: &str, what: &str) -> Result<(), Problem> {
    if count <= limit {
        return Ok(());
    }
    let field = pointer.trim_start_matches('/');
    Err(Problem::invalid(pointer, format!("`{field}` may have at most {limit} {what}; this has {count}")))
}

/// The JSON pointer (RFC 6901) of a member of the object at `parent`.
pub(super) fn pointer(parent: &str, key: &str) -> String {
    format!("{parent}/{}", key.replace('~', "~0").replace('/', "~1"))
}

/// Tells `null` from an absent field.
pub(super) fn even_null<'de, T, D>(deserializer: D) -> Result<Option<Option<T>>, D::Error>
where
    T: Deserialize<'de>,
    D: Deserializer<'de>,
{
    Option::deserialize(deserializer).map(Some)
}

/// The same for a field that is an object.
fn even_null_object<'de, T, D>(deserializer: D) -> Result<Option<Option<T>>, D::Error>
where
    T: Deserialize<'de>,
    D: Deserializer<'de>,
{
    object(deserializer).map(Some)
}

#[cfg(test)]
mod tests;
