//! Parameters in the path, the query and the headers of a request.

use schemars::{JsonSchema, SchemaGenerator};
use serde_json::{Value, json};

use super::content::SchemaOf;

/// One parameter with a name.
#[derive(Debug, Clone, Copy)]
pub(super) struct Parameter {
    pub(super) name: &'static str,
    pub(super) description: &'static str,
    pub(super) schema: SchemaOf,
    pub(super) is_required: bool,
}

impl Parameter {
    pub(super) fn of<T: JsonSchema>(name: &'static str, description: &'static str) -> Self {
        Self { name, description, schema: |generator| generator.subschema_for::<T>(), is_required: false }
    }

    /// The Parameter Object of OpenAPI, in `path` or `header`.
    pub(super) fn document(&self, place: &str, generator: &mut SchemaGenerator) -> Value {
        json!({
            "name": self.name,
            "in": place,
            "description": self.description,
            "required": self.is_required,
            "schema": (self.schema)(generator),
        })
    }
}

/// The fields of the type that a query is read into, each as a Parameter Object.
pub(super) fn of_query(query: SchemaOf, generator: &mut SchemaGenerator) -> Vec<Value> {
    let schema = resolved(query(generator).to_value(), generator);
    let required: Vec<&str> =
        schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
    let fields = schema["properties"].as_object().into_iter().flatten();
    let parameter = |(name, schema): (&String, &Value)| {
        let mut schema = without_null(schema.clone());
        let description = schema.as_object_mut().and_then(|schema| schema.remove("description"));
        json!({
            "name": name,
            "in": "query",
            "description": description.unwrap_or_default(),
            "required": required.contains(&name.as_str()),
            "schema": schema,
        })
    };
    fields.map(parameter).collect()
}

/// The schema itself, where it only refers to one of `generator`.
fn resolved(schema: Value, generator: &SchemaGenerator) -> Value {
    let name = schema["$ref"].as_str().and_then(|reference| reference.rsplit('/').next());
    name.and_then(|name| generator.definitions().get(name)).cloned().unwrap_or(schema)
}

/// A parameter that is not wanted is left out: there is no way to write `null` in a query.
fn without_null(mut schema: Value) -> Value {
    let Some(fields) = schema.as_object_mut() else { return schema };
    fields.retain(|name, value| name != "default" || !value.is_null());
    for name in ["anyOf", "enum"] {
        if let Some(choices) = fields.get_mut(name).and_then(Value::as_array_mut) {
            choices.retain(|choice| !choice.is_null() && choice["type"] != "null");
        }
    }
    if let Some(types) = fields.get_mut("type") {
        let mut others = types.as_array().into_iter().flatten().filter(|name| *name != "null");
        if let Some(one) = others.next().cloned() {
            *types = one;
        }
    }
    schema
}
