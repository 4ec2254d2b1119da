//! From a change to its entry in the audit log: [`Api::created`], [`Api::updated`], [`Api::changed`], [`Api::deleted`].
//!
//! The fields are those that the API shows, so a field that is added to a view is audited from then on.

use std::sync::Arc;

use serde_json::{Value, json, to_value};

use super::Api;
use super::binding_view::BindingView;
use super::endpoint_view::EndpointView;
use super::key_view::KeyView;
use super::topic_view::fields as topic_fields;
use crate::http::{Caller, Problem};
use crate::model::{
    Actor, ApiKeyRecord, AuditEntry, Binding, Endpoint, TenantId, TenantSettings, TopicEntry, UnixMs,
};

/// What changes with every change, and so says nothing.
const NOT_A_CHANGE: [&str; 2] = ["updated_at", "last_used_at"];

/// Something whose changes are written down.
pub(super) trait Audited {
    /// The first word of its actions.
    const KIND: &'static str;

    /// Its id as the API shows it.
    fn target(&self) -> String;

    /// Whose it is; `None` when it is no single tenant's.
    fn tenant(&self) -> Option<&TenantId>;

    /// Its fields as the API shows them.
    ///
    /// # Errors
    /// It cannot be shown.
    fn fields(&self) -> Result<Value, serde_json::Error>;
}

/// What a change of `before` to `after` comes to when its turn has come: nothing, and a conflict, if somebody else was faster.
pub(super) fn unless_changed<T: Audited + PartialEq>(
    before: Arc<T>,
    after: T,
    audit: AuditEntry,
) -> impl FnOnce(&Arc<T>) -> Result<(T, AuditEntry), Problem> {
    move |now| {
        if *now == before {
            return Ok((after, audit));
        }
        let kind = T::KIND;
        let detail = format!(
            "another request changed this {kind} at the same time; read it and send the change again"
        );
        Err(Problem::conflict("changed_meanwhile", detail))
    }
}

impl Audited for Endpoint {
    const KIND: &'static str = "endpoint";

    fn target(&self) -> String {
        self.id.to_string()
    }

    fn tenant(&self) -> Option<&TenantId> {
        Some(&self.tenant)
    }

    /// A configuration is kept as it was written, and so may have numbers that no number here can hold: then its text
    /// is shown.
    fn fields(&self) -> Result<Value, serde_json::Error> {
        let mut shown = self.clone();
        shown.plugins.iter_mut().for_each(show_config);
        to_value(EndpointView::new(&shown)?)
    }
}

impl Audited for TenantSettings {
    const KIND: &'static str = "tenant";

    fn target(&self) -> String {
        self.tenant.to_string()
    }

    fn tenant(&self) -> Option<&TenantId> {
        Some(&self.tenant)
    }

    fn fields(&self) -> Result<Value, serde_json::Error> {
        let mut plugins = self.plugins.clone();
        plugins.iter_mut().for_each(show_config);
        Ok(json!({ "description": self.description, "plugins": BindingView::all(&plugins)? }))
    }
}

fn show_config(binding: &mut Binding) {
    let is_unreadable = |config: &mut Arc<str>| serde_json::from_str::<Value>(config).is_err();
    if let Some(config) = binding.config.take_if(is_unreadable) {
        binding.config = Some(Value::from(&*config).to_string().into());
    }
}

impl Audited for ApiKeyRecord {
    const KIND: &'static str = "key";

    fn target(&self) -> String {
        self.id.to_string()
    }

    fn tenant(&self) -> Option<&TenantId> {
        self.scope.tenant()
    }

    fn fields(&self) -> Result<Value, serde_json::Error> {
        to_value(KeyView::new(self))
    }
}

impl Audited for TopicEntry {
    const KIND: &'static str = "topic";

    fn target(&self) -> String {
        self.topic.to_string()
    }

    fn tenant(&self) -> Option<&TenantId> {
        None
    }

    fn fields(&self) -> Result<Value, serde_json::Error> {
        Ok(topic_fields(self))
    }
}

impl Api {
    /// What is written down when the caller makes this.
    ///
    /// # Errors
    /// 500 if it cannot be shown as JSON.
    pub(super) fn created<T: Audited>(&self, caller: &Caller, after: &T) -> Result<AuditEntry, Problem> {
        self.entry(caller, "created", after, [None, Some(after)])
    }

    /// What is written down when the caller replaces one by the other.
    ///
    /// # Errors
    /// 500 if one cannot be shown as JSON.
    pub(super) fn updated<T: Audited>(
        &self,
        caller: &Caller,
        before: &T,
        after: &T,
    ) -> Result<AuditEntry, Problem> {
        self.changed(caller, "updated", before, after)
    }

    /// The same under a verb of its own.
    ///
    /// # Errors
    /// 500 if one cannot be shown as JSON.
    pub(super) fn changed<T: Audited>(
        &self,
        caller: &Caller,
        verb: &str,
        before: &T,
        after: &T,
    ) -> Result<AuditEntry, Problem> {
        self.entry(caller, verb, after, [Some(before), Some(after)])
    }

    /// What is written down when the caller deletes this.
    ///
    /// # Errors
    /// 500 if it cannot be shown as JSON.
    pub(super) fn deleted<T: Audited>(&self, caller: &Caller, before: &T) -> Result<AuditEntry, Problem> {
        self.entry(caller, "deleted", before, [Some(before), None])
    }

    fn entry<T: Audited>(
        &self,
        caller: &Caller,
        verb: &str,
        target: &T,
        states: [Option<&T>; 2],
    ) -> Result<AuditEntry, Problem> {
        entry((self.clock.now(), caller.actor()), verb, target, states)
    }
}

/// What is written down when this actor does this at this time, from what was there and what is there then.
///
/// # Errors
/// 500 if one of the two cannot be shown as JSON.
pub(super) fn entry<T: Audited>(
    (at, actor): (UnixMs, Actor),
    verb: &str,
    target: &T,
    states: [Option<&T>; 2],
) -> Result<AuditEntry, Problem> {
    let [before, after] = states.map(|state| state.map_or(Ok(Value::Null), fields));
    let action = format!("{}.{verb}", T::KIND);
    let entry = AuditEntry::new(at, actor, action, target.target()).of_tenant(target.tenant());
    Ok(entry.with_diff(&before?, &after?))
}

fn fields<T: Audited>(of: &T) -> Result<Value, Problem> {
    let mut fields = of.fields().map_err(|error| Problem::internal(&error))?;
    if let Some(fields) = fields.as_object_mut() {
        fields.retain(|name, _| !NOT_A_CHANGE.contains(&name.as_str()));
    }
    Ok(fields)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::EndpointId;

    #[test]
    fn a_configuration_with_a_number_beyond_all_numbers_is_shown_as_its_text() {
        let binding = |config: &str| Binding {
            plugin: "p".parse().unwrap(),
            config: Some(config.into()),
            topics: Vec::new(),
            on_failure: None,
        };
        let url = "https://example.com/".parse().unwrap();
        let endpoint = Endpoint {
            plugins: vec![binding(r#"{"a": 1e999}"#), binding(r#"{"a": 1}"#)],
            ..Endpoint::new(EndpointId::new(UnixMs(1), 1), TenantId::default(), url, UnixMs(1))
        };
        let fields = endpoint.fields().unwrap();
        assert_eq!(fields["plugins"][0]["config"], r#"{"a": 1e999}"#);
        assert_eq!(fields["plugins"][1]["config"]["a"], 1);
    }
}
