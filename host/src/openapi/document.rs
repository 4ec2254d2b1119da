//! All routes as one OpenAPI 3.1 document.

use std::collections::BTreeMap;

use schemars::generate::SchemaSettings;
use schemars::transform::RecursiveTransform;
use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde_json::{Map, Value, json};

use super::operation::{API_KEY, Described, Tag};
use super::response::example;

const VERSION: &str = "3.1.1";
const DESCRIPTION: &str = "A self-hosted webhook gateway: events come in once, and are delivered to every endpoint that wants \
them, filtered, transformed, signed, retried and logged.\n\n\
Send an API key as `Authorization: Bearer hk_...`. Bodies are JSON in UTF-8, times are RFC 3339 in UTC. Lists take `limit` and \
`cursor` and answer `{\"data\": [...], \"next_cursor\": ...}`; the last page has `null` there.\n\n\
Every error is `application/problem+json` (RFC 9457) with a `code` that never changes its meaning, a `detail` that says what \
to do, and the `pointer` of the field that is wrong. What was refused has changed nothing. A path that is not listed here is \
`404 not_found`, a method that is not is `405 method_not_allowed`, and what is no HTTP gets a bare `400`.";

/// The document of these routes, whose errors are a `Problem`.
///
/// # Panics
/// A type looks otherwise where it is read than where it is written, and has one name for both.
#[must_use]
pub fn document<Problem: JsonSchema>(routes: &[Described]) -> Value {
    let mut input = generator(SchemaSettings::for_deserialize);
    let mut output = generator(SchemaSettings::for_serialize);
    output.subschema_for::<Problem>();
    let mut paths = BTreeMap::<String, Map<String, Value>>::new();
    for Described { method, path, operation } in routes {
        let item = paths.entry(path.replace("{*", "{")).or_default();
        item.insert(method.as_str().to_lowercase(), operation.document(&mut input, &mut output));
    }
    let refusals = routes.iter().flat_map(|route| &route.operation.refusals);
    let examples: Map<_, _> = refusals.map(|refusal| (refusal.code.to_owned(), example(refusal))).collect();
    json!({
        "openapi": VERSION,
        "info": {
            "title": "Hookway",
            "version": env!("CARGO_PKG_VERSION"),
            "description": DESCRIPTION,
            "license": { "name": "Apache-2.0 OR MIT", "identifier": "Apache-2.0 OR MIT" },
        },
        "servers": [{ "url": "/", "description": "The gateway that serves this document" }],
        "tags": Tag::ALL.map(|tag| json!({ "name": tag.name(), "description": tag.description() })),
        "paths": paths,
        "components": {
            "schemas": merged(input, output),
            "examples": examples,
            "securitySchemes": { API_KEY: {
                "type": "http",
                "scheme": "bearer",
                "bearerFormat": "hk_ID_SECRET",
                "description": "An API key. Its scope is `admin`, `tenant:NAME`, `events:write`, `events:write:NAME` or `metrics:read`; \
                                each operation lists those of which one is enough.",
            }},
        },
    })
}

fn generator(direction: fn(SchemaSettings) -> SchemaSettings) -> SchemaGenerator {
    let settings = SchemaSettings::draft2020_12().with(|settings| {
        settings.definitions_path = "/components/schemas".into();
        settings.meta_schema = None;
    });
    let settings = direction(settings).with_transform(RecursiveTransform(without_default));
    settings.with_transform(RecursiveTransform(words_as_enum)).into_generator()
}

/// Generators of clients take a field that has a default for one that is always there, also where it is written.
fn without_default(schema: &mut Schema) {
    schema.remove("default");
}

/// Words of which each has its own description are an `enum`, with the descriptions in its own: generators of clients take
/// a choice between constants for one between types, and some of them read the first of these only.
fn words_as_enum(schema: &mut Schema) {
    let words: Option<Vec<(Value, String)>> =
        schema.get("oneOf").and_then(Value::as_array).and_then(|choices| choices.iter().map(word).collect());
    let Some(words) = words else { return };
    let mut description = schema.get("description").and_then(Value::as_str).unwrap_or_default().to_owned();
    for (word, meaning) in words.iter().filter(|(_, meaning)| !meaning.is_empty()) {
        description += &format!("\n- `{}`: {meaning}", word.as_str().unwrap_or_default());
    }
    schema.remove("oneOf");
    schema.insert("type".to_owned(), "string".into());
    schema.insert("enum".to_owned(), words.into_iter().map(|(word, _)| word).collect());
    schema.insert("description".to_owned(), description.into());
}

/// A text that is the only one, and what it means.
fn word(choice: &Value) -> Option<(Value, String)> {
    let meaning = choice["description"].as_str().unwrap_or_default().to_owned();
    choice["const"].is_string().then(|| (choice["const"].clone(), meaning))
}

/// The schemas of both directions. Types that go both ways are enumerations and look the same from either side.
fn merged(mut input: SchemaGenerator, mut output: SchemaGenerator) -> Map<String, Value> {
    let mut all = input.take_definitions(true);
    for (name, schema) in output.take_definitions(true) {
        let before = all.insert(name.clone(), schema);
        assert!(
            before.is_none_or(|before| before == all[&name]),
            "give the two types called {name} two names"
        );
    }
    all
}
