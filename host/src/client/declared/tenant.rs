//! A tenant of a file: what goes for all its endpoints.

use serde_json::{Map, Value, json};

use super::Fields;
use super::endpoint::rest;
use super::file::Place;
use super::raw::raw;

/// A tenant as a file declares it.
#[derive(Debug)]
pub(super) struct Tenant {
    pub(super) place: Place,
    /// Its name.
    pub(super) tenant: String,
    /// All other fields of the API.
    fields: Fields,
}

impl Tenant {
    /// What an object of a file declares.
    ///
    /// # Errors
    /// What cannot be meant. Everything else is for the gateway to say.
    pub(super) fn read(place: Place, mut object: Map<String, Value>) -> Result<Self, String> {
        let Some(Value::String(tenant)) = object.remove("name") else {
            return Err(format!("{place}: `name` is missing: that of a tenant, for example `acme`"));
        };
        let fields = rest(object).map_err(|mistake| format!("{place} ({tenant}): {mistake}"))?;
        Ok(Self { place, tenant, fields })
    }

    /// What people call it.
    pub(super) fn name(&self) -> String {
        super::plan::tenant_name(&self.tenant)
    }

    /// The body that says this and nothing else about it.
    pub(super) fn body(&self) -> String {
        let mut body = self.fields.clone();
        body.entry("description".to_owned()).or_insert_with(|| raw(&""));
        body.entry("plugins".to_owned()).or_insert_with(|| raw(&json!([])));
        raw(&body).get().to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_file_does_not_say_goes_back_to_its_default() {
        let read = |object: Value| {
            let Value::Object(object) = object else { panic!("an object") };
            Tenant::read(Place::of_test(), object)
        };
        let tenant =
            read(json!({"name": "acme", "plugins": [{"plugin": "p", "config": "{\"n\": 1.00}"}]})).unwrap();
        assert_eq!(tenant.body(), r#"{"description":"","plugins":[{"config":{"n": 1.00},"plugin":"p"}]}"#);
        assert!(read(json!({"plugins": []})).unwrap_err().contains("`name` is missing"));
        let mistake = read(json!({"name": "acme", "plugins": [{"config": "x"}]})).unwrap_err();
        assert!(mistake.contains("(acme): `plugins[0].config`"), "{mistake}");
    }
}
