//! What is written down about a change: who made it, from where, when, of what, and which fields.
//!
//! No secret gets in: every value passes [`FieldChange::of`], which decides by the name of the field and by the form of
//! the text. That the fields differ is found out before, so a changed secret shows as changed.

use std::collections::BTreeMap;
use std::net::IpAddr;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{KeyId, Scope, TenantId, UnixMs};

/// Stands for what must not be read here.
const REDACTED: &str = "[redacted]";
/// A value that takes more bytes as JSON is named by its size, so that rows stay small.
const MAX_VALUE_BYTES: usize = 4096;
/// What is kept of a signing secret.
const SECRET_FIELDS: [&str; 5] = ["id", "type", "public_key", "created_at", "expires_at"];
/// How the texts of keys and secrets begin.
const SECRET_PREFIXES: [&str; 3] = ["whsec_", "whsk_", "hk_"];

/// One change, as it is written down in the transaction that makes it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AuditEntry {
    /// When.
    pub at: UnixMs,
    /// Who.
    pub actor: Actor,
    /// What was done: `endpoint.created`.
    pub action: String,
    /// The id of what it was done to.
    pub target: String,
    /// Whose that is; `None` when it is no single tenant's.
    pub tenant: Option<TenantId>,
    /// The fields that changed.
    pub changes: BTreeMap<String, FieldChange>,
}

/// Who made a change.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Actor {
    /// Nobody asked: a rule of the gateway.
    Gateway,
    /// The holder of an API key.
    Key {
        /// The key.
        id: KeyId,
        /// What it may do, as the key itself may be gone when somebody asks.
        scope: Scope,
        /// The other end of the connection: the caller, or the proxy before us.
        address: Option<IpAddr>,
    },
}

/// A field before and after, as JSON, without secrets. `null` = it was not there.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct FieldChange {
    /// Before.
    pub old: Value,
    /// After.
    pub new: Value,
}

impl AuditEntry {
    /// An entry without changed fields.
    #[must_use]
    pub fn new(at: UnixMs, actor: Actor, action: impl Into<String>, target: impl ToString) -> Self {
        let (action, target) = (action.into(), target.to_string());
        Self { at, actor, action, target, tenant: None, changes: BTreeMap::new() }
    }

    /// The same about something of this tenant.
    #[must_use]
    pub fn of_tenant(mut self, tenant: Option<&TenantId>) -> Self {
        self.tenant = tenant.cloned();
        self
    }

    /// The same with a field that changed; nothing if it did not.
    #[must_use]
    pub fn with(mut self, field: &str, old: &Value, new: &Value) -> Self {
        if old != new {
            self.changes.insert(field.to_owned(), FieldChange::of(field, old, new));
        }
        self
    }

    /// The same with every field in which two JSON objects differ. `null` stands for an object that was not there.
    #[must_use]
    pub fn with_diff(mut self, old: &Value, new: &Value) -> Self {
        let names =
            |value: &Value| value.as_object().map(|fields| fields.keys().cloned().collect::<Vec<_>>());
        let all = names(old).into_iter().chain(names(new)).flatten();
        for field in all {
            self = self.with(&field, &old[&field], &new[&field]);
        }
        self
    }
}

impl FieldChange {
    /// The change of a field of this name, without its secrets.
    #[must_use]
    pub fn of(field: &str, old: &Value, new: &Value) -> Self {
        let show = |value: &Value| shortened(redacted(field, value));
        Self { old: show(old), new: show(new) }
    }
}

fn redacted(field: &str, value: &Value) -> Value {
    match field {
        "secrets" => secrets(value),
        "headers" => header_values(value),
        _ => texts(value),
    }
}

fn shortened(value: Value) -> Value {
    let bytes = value.to_string().len();
    if bytes > MAX_VALUE_BYTES { Value::from(format!("[{bytes} bytes]")) } else { value }
}

/// Ids, types, public keys and times; nothing that signs.
fn secrets(value: &Value) -> Value {
    each(value, |secret| with_fields(secret, |name| SECRET_FIELDS.contains(&name)))
}

/// The names of headers, in whichever of the two ways a list of them is written; never a value.
fn header_values(value: &Value) -> Value {
    if value.is_object() {
        with_fields(value, |_| false)
    } else {
        each(value, |header| with_fields(header, |name| name == "name"))
    }
}

fn each(value: &Value, show: impl Fn(&Value) -> Value) -> Value {
    value.as_array().map_or_else(|| hidden(value), |all| Value::Array(all.iter().map(show).collect()))
}

/// An object with all its fields, and the values of those that may be seen.
fn with_fields(value: &Value, may_be_seen: impl Fn(&str) -> bool) -> Value {
    let Some(fields) = value.as_object() else { return hidden(value) };
    let shown = |(name, value): (&String, &Value)| {
        (name.clone(), if may_be_seen(name) { value.clone() } else { hidden(value) })
    };
    Value::Object(fields.iter().map(shown).collect())
}

fn hidden(value: &Value) -> Value {
    if value.is_null() { Value::Null } else { Value::from(REDACTED) }
}

fn texts(value: &Value) -> Value {
    match value {
        Value::String(text) => Value::from(text_without_secrets(text)),
        Value::Array(all) => Value::Array(all.iter().map(texts).collect()),
        Value::Object(fields) => {
            Value::Object(fields.iter().map(|(name, value)| (name.clone(), redacted(name, value))).collect())
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => value.clone(),
    }
}

/// A key or secret of ours is hidden whole; of a URL, what can carry a token: user, query and fragment.
fn text_without_secrets(text: &str) -> String {
    if SECRET_PREFIXES.iter().any(|prefix| text.contains(prefix)) {
        return REDACTED.to_owned();
    }
    let Some((scheme, rest)) = text.split_once("://") else { return text.to_owned() };
    let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    let (authority, path) = rest.split_at(end);
    let authority = match authority.rsplit_once('@') {
        Some((_, host)) => format!("{REDACTED}@{host}"),
        None => authority.to_owned(),
    };
    match path.find(['?', '#']) {
        Some(at) => format!("{scheme}://{authority}{}?{REDACTED}", &path[..at]),
        None => format!("{scheme}://{authority}{path}"),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn diff(old: &Value, new: &Value) -> Value {
        let entry =
            AuditEntry::new(UnixMs(1), Actor::Gateway, "endpoint.updated", "ep_1").with_diff(old, new);
        serde_json::to_value(entry.changes).unwrap()
    }

    #[test]
    fn only_the_fields_that_differ_are_written_down() {
        let old = json!({ "a": 1, "b": [1], "gone": true });
        let new = json!({ "a": 1, "b": [2], "come": "x", "nothing": null });
        let expected = json!({
            "b": { "old": [1], "new": [2] },
            "come": { "old": null, "new": "x" },
            "gone": { "old": true, "new": null },
        });
        assert_eq!(diff(&old, &new), expected);
        assert_eq!(diff(&Value::Null, &json!({ "a": 1 })), json!({ "a": { "old": null, "new": 1 } }));
    }

    #[test]
    fn no_secret_gets_in_and_that_it_changed_is_seen_all_the_same() {
        let before = json!({
            "url": "https://user:pa55@example.com/hook?token=pa55#pa55",
            "headers": { "authorization": "pa55" },
            "secrets": [{ "id": "sec_1", "type": "ed25519", "public_key": "whpk_1", "value": "pa55", "expires_at": null }],
            "description": "whsec_pa55 was the old one",
            "metadata": { "key": "whsk_pa55" },
            "plugins": [{ "plugin": "p", "config": { "to": "https://a.example/?pa55", "headers": [["a", "pa55"]] } }],
        });
        let mut after = before.clone();
        after["url"] = json!("https://user:pa55@example.com/hook?token=pa55-2");
        after["headers"] = json!([{ "name": "authorization", "value": "pa55-2" }]);
        after["secrets"][0]["value"] = json!("pa55-2");
        after["description"] = json!("hk_1_pa55");
        after["metadata"]["other"] = json!("whsk_pa55-2");
        after["plugins"][0]["config"]["n"] = json!(1);
        let shown = diff(&before, &after);
        assert_eq!(shown.as_object().unwrap().len(), 6, "{shown}");
        assert!(!shown.to_string().contains("pa55"), "{shown}");
        assert_eq!(shown["url"]["new"], "https://[redacted]@example.com/hook?[redacted]");
        assert_eq!(shown["headers"]["old"], json!({ "authorization": "[redacted]" }));
        assert_eq!(shown["secrets"]["new"][0]["id"], "sec_1");
        assert_eq!(shown["secrets"]["new"][0]["public_key"], "whpk_1", "it is public");
    }

    #[test]
    fn a_long_value_is_named_by_its_size() {
        let shown = diff(&json!({ "a": "x".repeat(5000) }), &json!({ "a": "y" }));
        assert_eq!(shown["a"], json!({ "old": "[5002 bytes]", "new": "y" }));
    }

    #[test]
    fn an_entry_is_read_back_as_it_was_written() {
        let id = KeyId::new(UnixMs(1_710_513_000_000), 7);
        let actor = Actor::Key { id, scope: Scope::Admin, address: Some([127, 0, 0, 1].into()) };
        let entry = AuditEntry::new(UnixMs(1), actor, "key.created", id)
            .of_tenant(Some(&TenantId::default()))
            .with("scope", &Value::Null, &json!("admin"));
        let text = serde_json::to_string(&entry).unwrap();
        assert_eq!(serde_json::from_str::<AuditEntry>(&text).unwrap(), entry);
    }
}
