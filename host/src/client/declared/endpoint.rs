//! An endpoint of a file, and the bodies of the requests that make it.

use std::collections::BTreeMap;

use serde_json::value::RawValue;
use serde_json::{Map, Value, json};
use url::Url;

use super::Fields;
use super::file::Place;
use super::raw::{embedded, raw};
use super::reference::{Given, References};
use crate::model::normalised_url;

/// An endpoint as a file declares it.
#[derive(Debug)]
pub(super) struct Endpoint {
    pub(super) place: Place,
    /// `None` = that of the key, or `default`.
    pub(super) tenant: Option<String>,
    /// Normalised.
    pub(super) url: Url,
    /// What it is brought to, if the file says.
    pub(super) state: Option<State>,
    /// For a new one; each without its value if the gateway makes it.
    secrets: Option<Vec<Map<String, Value>>>,
    /// By name; `None` = as they are.
    headers: Option<BTreeMap<String, Option<String>>>,
    /// All other fields of the API.
    rest: Fields,
}

/// Whether an endpoint is sent to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum State {
    Active,
    Inactive,
}

impl State {
    /// What the API calls it.
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::Inactive => "inactive",
        }
    }
}

impl Endpoint {
    /// What an object of a file declares.
    ///
    /// # Errors
    /// What cannot be meant. Everything else is for the gateway to say.
    pub(super) fn read(
        place: Place,
        mut object: Map<String, Value>,
        references: &References<'_>,
    ) -> Result<Self, Vec<String>> {
        let url = url(object.remove("url")).map_err(|reason| vec![format!("{place}: {reason}")])?;
        let mut mistakes = Vec::new();
        let tenant = taken(text(object.remove("tenant"), "tenant"), &mut mistakes);
        let state = taken(state(object.remove("state")), &mut mistakes);
        let secrets = taken(secrets(object.remove("secrets"), references), &mut mistakes);
        let headers = taken(headers(object.remove("headers"), references), &mut mistakes);
        for name in ["secret", "secret_expires_at"] {
            if object.remove(name).is_some() {
                mistakes.push(format!(
                    "`{name}` is written here as `secrets = [{{ value = {{ env = \"NAME\" }} }}]`"
                ));
            }
        }
        let rest = taken(rest(object).map(Some), &mut mistakes).unwrap_or_default();
        if mistakes.is_empty() {
            return Ok(Self { place, tenant, url, state, secrets, headers, rest });
        }
        Err(mistakes.into_iter().map(|mistake| format!("{place} ({url}): {mistake}")).collect())
    }

    /// What people call it.
    pub(super) fn name(&self) -> String {
        super::plan::endpoint_name(self.tenant.as_deref(), self.url.as_str())
    }

    /// The body that creates it in this tenant.
    ///
    /// # Errors
    /// A header that is to stay as it is.
    pub(super) fn creation(&self, tenant: Option<&str>) -> Result<String, String> {
        let mut body = self.body(&BTreeMap::new())?;
        let secrets = self.secrets.as_ref().map(|secrets| json!(secrets));
        let named = [("tenant", tenant.map(Value::from)), ("secrets", secrets)];
        body.extend(named.into_iter().filter_map(|(name, value)| Some((name.to_owned(), raw(&value?)))));
        Ok(raw(&body).get().to_owned())
    }

    /// The body that replaces what is there, with headers that may stay.
    ///
    /// # Errors
    /// A header that is to stay as it is, and is not there.
    pub(super) fn replacement(&self, headers: &BTreeMap<String, String>) -> Result<String, String> {
        self.body(headers).map(|body| raw(&body).get().to_owned())
    }

    /// Which of the secrets of a new endpoint the gateway makes, by their position.
    pub(super) fn is_made_by_gateway(&self, secret: usize) -> bool {
        let declared = self.secrets.as_ref().and_then(|secrets| secrets.get(secret));
        declared.is_none_or(|secret| !secret.contains_key("value"))
    }

    fn body(&self, there: &BTreeMap<String, String>) -> Result<Fields, String> {
        let mut body = self.rest.clone();
        body.insert("url".to_owned(), raw(&self.url));
        if let Some(headers) = &self.headers {
            let header = |(name, value): (&String, &Option<String>)| {
                let value = value.as_ref().or_else(|| there.get(&name.to_lowercase()));
                let value = value.ok_or_else(|| {
                    let (place, url) = (&self.place, &self.url);
                    format!(
                        "{place} ({url}): the header `{name}` has no value yet that could be kept: give it one, as \
                         `{{ env = \"NAME\" }}`"
                    )
                })?;
                Ok::<_, String>((name.clone(), value.clone()))
            };
            let headers = headers.iter().map(header).collect::<Result<BTreeMap<_, _>, _>>()?;
            body.insert("headers".to_owned(), raw(&headers));
        }
        Ok(body)
    }
}

fn taken<T>(read: Result<Option<T>, String>, mistakes: &mut Vec<String>) -> Option<T> {
    read.unwrap_or_else(|mistake| {
        mistakes.push(mistake);
        None
    })
}

fn text(value: Option<Value>, name: &str) -> Result<Option<String>, String> {
    match value {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(text)) => Ok(Some(text)),
        Some(_) => Err(format!("`{name}` is a text")),
    }
}

fn url(value: Option<Value>) -> Result<Url, String> {
    let url = text(value, "url")?.ok_or("`url` is missing: where deliveries are sent to")?;
    normalised_url(&url).map_err(|error| format!("`url`: `{url}` is no URL: {error}"))
}

fn state(value: Option<Value>) -> Result<Option<State>, String> {
    match text(value, "state")?.as_deref() {
        None => Ok(None),
        Some("active") => Ok(Some(State::Active)),
        Some("inactive") => Ok(Some(State::Inactive)),
        Some(_) => Err("`state` is `active` or `inactive`, or left out".to_owned()),
    }
}

fn headers(
    value: Option<Value>,
    references: &References<'_>,
) -> Result<Option<BTreeMap<String, Option<String>>>, String> {
    let headers = match value {
        None | Some(Value::Null) => return Ok(None),
        Some(Value::Object(headers)) => headers,
        Some(_) => return Err("`headers` is a table of names and values".to_owned()),
    };
    let header = |(name, value): (String, Value)| match references.resolve(&value) {
        Ok(Given::Plain(text) | Given::Referred(text)) => Ok((name, Some(text))),
        Ok(Given::Kept) => Ok((name, None)),
        Err(reason) => Err(format!("`headers.{name}`: {reason}")),
    };
    headers.into_iter().map(header).collect::<Result<_, _>>().map(Some)
}

fn secrets(
    value: Option<Value>,
    references: &References<'_>,
) -> Result<Option<Vec<Map<String, Value>>>, String> {
    let secrets = match value {
        None | Some(Value::Null) => return Ok(None),
        Some(Value::Array(secrets)) => secrets,
        Some(_) => return Err("`secrets` is a list".to_owned()),
    };
    let secret = |(index, secret): (usize, Value)| {
        let Value::Object(mut secret) = secret else { return Err(format!("`secrets[{index}]` is a table")) };
        if let Some(value) = secret.get_mut("value") {
            *value = match references.resolve(value) {
                Ok(Given::Referred(text)) => Value::String(text),
                Ok(Given::Plain(_) | Given::Kept) => {
                    return Err(format!(
                        "`secrets[{index}].value`: a secret does not stand in this file: name it by `{{ env = \"NAME\" }}` or \
                         `{{ file = \"PATH\" }}`, or leave it out and the gateway makes one"
                    ));
                }
                Err(reason) => return Err(format!("`secrets[{index}].value`: {reason}")),
            };
        }
        Ok(secret)
    };
    secrets.into_iter().enumerate().map(secret).collect::<Result<_, _>>().map(Some)
}

/// The fields that are the API's, with JSON where it stands in a text.
pub(super) fn rest(object: Map<String, Value>) -> Result<Fields, String> {
    let field = |(name, value): (String, Value)| {
        let value = match (name.as_str(), value) {
            ("filter", Value::String(text)) => embedded(text, "filter")?,
            ("plugins", Value::Array(bindings)) => {
                let bindings = bindings.into_iter().enumerate().map(|(index, value)| binding(index, value));
                raw(&bindings.collect::<Result<Vec<_>, _>>()?)
            }
            (_, value) => raw(&value),
        };
        Ok((name, value))
    };
    object.into_iter().map(field).collect()
}

fn binding(index: usize, value: Value) -> Result<Box<RawValue>, String> {
    let Value::Object(fields) = value else { return Ok(raw(&value)) };
    let field = |(name, value): (String, Value)| match (name.as_str(), value) {
        ("config", Value::String(text)) => {
            embedded(text, &format!("plugins[{index}].config")).map(|json| (name, json))
        }
        (_, value) => {
            let value = raw(&value);
            Ok((name, value))
        }
    };
    Ok(raw(&fields.into_iter().map(field).collect::<Result<Fields, String>>()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn endpoint(object: Value) -> Result<Endpoint, Vec<String>> {
        let environment = [("TOKEN".to_owned(), "Bearer 1".to_owned())];
        let references = References { environment: &environment, folder: std::path::Path::new("") };
        let Value::Object(object) = object else { panic!("an object") };
        Endpoint::read(Place::of_test(), object, &references)
    }

    #[test]
    fn fields_of_the_api_go_through_as_they_are() {
        let declared = endpoint(json!({
            "url": "https://A.example", "tenant": "acme", "topics": ["a"], "rate_limit": 3, "next_year": {"x": [1.5]},
            "filter": "{\"data\": {\"n\": 12345678901234567890123}}", "state": "inactive",
            "plugins": [{"plugin": "p", "config": "{\"big\": 1.00}"}, {"plugin": "q", "config": {"small": 1}}],
            "headers": {"Authorization": {"env": "TOKEN"}, "x-a": "1", "X-B": {"keep": true}},
            "secrets": [{"value": {"env": "TOKEN"}}, {"type": "ed25519"}],
        }))
        .unwrap();
        assert_eq!(declared.state, Some(State::Inactive));
        let there = [("x-b".to_owned(), "2".to_owned())].into();
        assert_eq!(
            declared.replacement(&there).unwrap(),
            r#"{"filter":{"data": {"n": 12345678901234567890123}},"headers":{"Authorization":"Bearer 1","X-B":"2","x-a":"1"},"next_year":{"x":[1.5]},"plugins":[{"config":{"big": 1.00},"plugin":"p"},{"config":{"small":1},"plugin":"q"}],"rate_limit":3,"topics":["a"],"url":"https://a.example/"}"#
        );
        assert!(declared.creation(Some("acme")).unwrap_err().contains("the header `X-B` has no value yet"));
        assert!(!declared.is_made_by_gateway(0) && declared.is_made_by_gateway(1));
    }

    #[test]
    fn a_new_endpoint_has_its_tenant_and_its_secrets() {
        let declared =
            endpoint(json!({"url": "https://a.example", "secrets": [{"value": {"env": "TOKEN"}}]})).unwrap();
        assert_eq!(
            declared.creation(Some("acme")).unwrap(),
            r#"{"secrets":[{"value":"Bearer 1"}],"tenant":"acme","url":"https://a.example/"}"#
        );
        let plain = endpoint(json!({"url": "https://a.example"})).unwrap();
        assert_eq!(plain.creation(None).unwrap(), r#"{"url":"https://a.example/"}"#);
        assert!(plain.is_made_by_gateway(0));
    }

    #[test]
    fn a_text_that_should_hold_json_and_does_not_is_a_mistake() {
        for (object, place) in [
            (json!({"url": "https://a", "filter": "data > 1"}), "`filter`"),
            (json!({"url": "https://a", "plugins": [{"config": "x"}]}), "`plugins[0].config`"),
        ] {
            assert!(endpoint(object).unwrap_err()[0].contains(place), "{place}");
        }
    }
}
