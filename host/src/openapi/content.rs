//! What a body is: its media type, its schema, examples.

use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde_json::{Value, json};

/// Makes the schema of a type, and adds those that it refers to.
pub(super) type SchemaOf = fn(&mut SchemaGenerator) -> Schema;

/// One form of a body.
#[derive(Debug, Clone)]
pub struct Content {
    pub(super) media: &'static str,
    schema: SchemaOf,
    examples: Vec<(&'static str, Value)>,
}

/// A `T` as `application/json`, with an example.
#[must_use]
pub fn json<T: JsonSchema>(example: Value) -> Content {
    Content::of::<T>("application/json").example("example", example)
}

/// Text of another media type; the example is shown as it stands.
#[must_use]
pub fn text(media: &'static str, example: &str) -> Content {
    Content::of::<String>(media).example("example", example.into())
}

impl Content {
    /// A `T` in this media type.
    #[must_use]
    pub fn of<T: JsonSchema>(media: &'static str) -> Self {
        Self { media, schema: |generator| generator.subschema_for::<T>(), examples: Vec::new() }
    }

    /// With one more example, under a name of its own.
    #[must_use]
    pub fn example(mut self, name: &'static str, example: Value) -> Self {
        self.examples.push((name, example));
        self
    }

    /// The Media Type Object of OpenAPI.
    pub(super) fn document(&self, generator: &mut SchemaGenerator) -> Value {
        let examples =
            self.examples.iter().map(|(name, value)| ((*name).to_owned(), json!({ "value": value })));
        json!({
            "schema": (self.schema)(generator),
            "examples": examples.collect::<serde_json::Map<_, _>>(),
        })
    }
}
