//! What a manifest asks for, as the configuration that would allow it: for authors, who have no gateway.

use std::fmt::Write as _;

use super::consent::{Consent, EnvSetting, EnvValue, HttpConsent, KvConsent};
use crate::model::PluginName;
use crate::plugins::manifest::{Grants, HttpGrant, KvGrant};

/// Stands for the value of a variable, which only the operator knows.
const VALUE: &str = "...";

impl Consent {
    /// One that allows all of it, and no more.
    pub(in crate::plugins) fn to_all_of(asked: &Grants) -> Self {
        let value = || EnvSetting::Value(EnvValue::from(VALUE));
        Self {
            env: asked.env.iter().map(|name| (name.clone(), value())).collect(),
            http: asked.http.as_ref().map(HttpConsent::to),
            kv: asked.kv.as_ref().map(KvConsent::to),
        }
    }

    /// What the operator would write, for a plugin of this name. Limits that are the defaults are left out.
    pub(in crate::plugins) fn to_toml(&self, plugin: &PluginName) -> String {
        let mut text = format!("[plugins.grants.{plugin}]\n");
        let mut line = |name: &str, value: String| {
            // Writing to a text does not fail.
            let _ = writeln!(text, "{name} = {value}");
        };
        if !self.env.is_empty() {
            let one = |name: &str| format!("{name} = \"{VALUE}\"");
            let all: Vec<_> = self.env.keys().map(|name| one(name.as_str())).collect();
            line("env", format!("{{ {} }}", all.join(", ")));
        }
        if let Some(http) = &self.http {
            line("http", http.to_toml());
        }
        if let Some(kv) = &self.kv {
            let is_default = *kv == KvConsent::default();
            line(
                "kv",
                if is_default { "{}".to_owned() } else { format!("{{ max_bytes = {} }}", kv.max_bytes) },
            );
        }
        text
    }
}

impl HttpConsent {
    fn to(asked: &HttpGrant) -> Self {
        let default = Self::default();
        Self {
            hosts: asked.hosts.clone(),
            timeout: asked.timeout().max(default.timeout),
            max_requests: asked.max_requests().max(default.max_requests),
            max_response_bytes: asked.max_response_bytes().max(default.max_response_bytes),
            ..default
        }
    }

    fn to_toml(&self) -> String {
        let default = Self::default();
        let hosts: Vec<_> = self.hosts.iter().map(|host| format!("\"{host}\"")).collect();
        let mut parts = vec![format!("hosts = [{}]", hosts.join(", "))];
        if self.timeout != default.timeout {
            parts.push(format!("timeout = \"{}ms\"", self.timeout.as_millis()));
        }
        if self.max_requests != default.max_requests {
            parts.push(format!("max_requests = {}", self.max_requests));
        }
        if self.max_response_bytes != default.max_response_bytes {
            parts.push(format!("max_response_bytes = {}", self.max_response_bytes));
        }
        format!("{{ {} }}", parts.join(", "))
    }
}

impl KvConsent {
    fn to(asked: &KvGrant) -> Self {
        Self { max_bytes: asked.max_bytes().max(Self::default().max_bytes) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plugins::Options;
    use crate::plugins::manifest::Manifest;

    #[test]
    fn what_is_shown_allows_what_is_asked() {
        let manifest = r#"
            [grants]
            env = ["REGION", "TOKEN"]
            http = { hosts = ["api.example.com", "10.0.0.1:8080"], timeout_ms = 2500, max_requests = 9, max_response_kb = 1000 }
            kv = { max_kb = 2048 }
        "#;
        let asked = Manifest::parse("p.toml", manifest.as_bytes(), &Options::default()).unwrap().grants;
        let consent = Consent::to_all_of(&asked);
        let expected = "[plugins.grants.p]\nenv = { REGION = \"...\", TOKEN = \"...\" }\n\
                        http = { hosts = [\"api.example.com:443\", \"10.0.0.1:8080\"], timeout = \"2500ms\", max_requests = 9, \
                        max_response_bytes = 1024000 }\nkv = { max_bytes = 2097152 }\n";
        let text = consent.to_toml(&"p".parse().unwrap());
        assert_eq!(text, expected);
        let read: Options = toml::from_str(&text.replace("[plugins.", "[")).unwrap();
        assert_eq!(read.grants[&"p".parse().unwrap()], consent);
        let small = Manifest::parse("p.toml", b"grants.kv = { max_kb = 1 }", &Options::default()).unwrap();
        let small = Consent::to_all_of(&small.grants);
        assert_eq!(small.to_toml(&"p".parse().unwrap()), "[plugins.grants.p]\nkv = {}\n");
    }
}
