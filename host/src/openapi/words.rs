//! Schemas of fields whose Rust type says less than their text does.

use std::borrow::Cow;
use std::marker::PhantomData;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};

/// A text that is a time: RFC 3339 in UTC.
#[derive(Debug, Clone, Copy)]
pub struct Time;

/// NDJSON: a `T` a line. What a line is stands as an annotation, as a schema can say nothing of the parts of a text.
#[derive(Debug, Clone, Copy)]
pub struct Lines<T>(PhantomData<T>);

/// Any JSON, `null` included.
#[derive(Debug, Clone, Copy)]
pub struct Anything;

impl JsonSchema for Time {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "Time".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "string", "format": "date-time", "examples": ["2024-03-15T14:30:00.000Z"] })
    }
}

impl<T: JsonSchema> JsonSchema for Lines<T> {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        format!("{}Lines", T::schema_name()).into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": "string",
            "contentMediaType": "application/json",
            "contentSchema": generator.subschema_for::<T>(),
        })
    }
}

impl JsonSchema for Anything {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "Anything".into()
    }

    /// Not `true`: with a description beside it, an object is what generators expect.
    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({})
    }
}
