//! The schema of a body or a parameter: its fields, with what each may be.

use serde_json::Value;

use super::html::Html;
use super::{fields, list, resolved, word};

/// Objects inside each other that are written out; what is deeper is named by its type.
const MAX_DEPTH: usize = 5;

/// The fields of an object, those of its parts included; nothing for other schemas.
pub(super) fn render(html: &mut Html, document: &Value, schema: &Value) {
    let choices = choices(document, schema);
    if choices.len() > 1 {
        for (number, choice) in choices.iter().enumerate() {
            html.raw(if number == 0 { "<p>Either</p>" } else { "<p>or</p>" });
            object(html, document, choice, 0);
        }
    } else if let Some(only) = choices.first() {
        object(html, document, only, 0);
    }
}

/// What a value may be, in a few words.
pub(super) fn kind(html: &mut Html, document: &Value, schema: &Value) {
    html.raw("<span class=\"kind\">").text(&name(document, schema)).raw("</span>");
    let values: Vec<_> = choices(document, schema).into_iter().flat_map(values).collect();
    if !values.is_empty() {
        html.raw(" <span class=\"values\">");
        for value in values {
            html.code(&plain(value)).raw(" ");
        }
        html.raw("</span>");
    }
    for (label, field) in [("at least ", "minimum"), ("at most ", "maximum"), ("default ", "default")] {
        let value = &schema[field];
        let says_something = !value.is_null() && (field != "minimum" || value.as_u64() != Some(0));
        if says_something && (value.is_number() || value.is_string()) {
            html.raw(" <span class=\"kind\">").text(label).text(&plain(value)).raw("</span>");
        }
    }
}

fn object(html: &mut Html, document: &Value, schema: &Value, depth: usize) {
    let schema = inner(document, schema);
    if schema["properties"].as_object().is_none_or(|properties| properties.is_empty()) || depth == MAX_DEPTH {
        return;
    }
    let is_required = |name: &str| list(&schema["required"]).any(|required| required == name);
    html.raw("<dl class=\"fields\">");
    // What has to be there comes first.
    for wanted in [true, false] {
        for (name, field) in fields(&schema["properties"]).filter(|(name, _)| is_required(name) == wanted) {
            html.raw("<dt>").code(name).raw(" ");
            kind(html, document, field);
            html.raw(if wanted { "<span class=\"required\">required</span></dt><dd>" } else { "</dt><dd>" });
            html.prose(word(&field["description"]));
            for choice in choices(document, field) {
                object(html, document, choice, depth + 1);
            }
            html.raw("</dd>");
        }
    }
    html.raw("</dl>");
}

/// The type of the elements of an array, as deep as arrays go; the type of the values of a map.
fn inner<'a>(document: &'a Value, schema: &'a Value) -> &'a Value {
    let schema = resolved(document, schema);
    for part in ["items", "additionalProperties", "contentSchema"] {
        if schema[part].is_object() && schema["properties"].is_null() {
            return inner(document, &schema[part]);
        }
    }
    schema
}

/// What a schema leaves the choice between, `null` apart; often only itself.
fn choices<'a>(document: &'a Value, schema: &'a Value) -> Vec<&'a Value> {
    let schema = resolved(document, schema);
    let mut all = list(&schema["anyOf"]).chain(list(&schema["oneOf"])).peekable();
    if all.peek().is_none() {
        return vec![schema];
    }
    all.filter(|choice| choice["type"] != "null").flat_map(|choice| choices(document, choice)).collect()
}

fn values(schema: &Value) -> Vec<&Value> {
    let constant = Some(&schema["const"]).filter(|value| !value.is_null());
    list(&schema["enum"]).filter(|value| !value.is_null()).chain(constant).collect()
}

fn name(document: &Value, schema: &Value) -> String {
    let is_nullable = |schema: &Value| {
        list(&schema["type"]).any(|name| name == "null")
            || list(&schema["anyOf"]).any(|one| one["type"] == "null")
    };
    let mut names: Vec<String> =
        choices(document, schema).into_iter().map(|one| simple(document, one)).collect();
    names.dedup();
    let or_null = if is_nullable(schema) { " or null" } else { "" };
    format!("{}{or_null}", names.join(" or "))
}

fn simple(document: &Value, schema: &Value) -> String {
    let types = list(&schema["type"]).find(|name| *name != "null").unwrap_or(&schema["type"]);
    match (types.as_str(), schema["format"].as_str()) {
        (Some("array"), _) => format!("list of {}", name(document, &schema["items"])),
        (Some("object"), _) if schema["additionalProperties"].is_object() => {
            format!("map to {}", name(document, &schema["additionalProperties"]))
        }
        (Some("string"), Some("date-time")) => "time".to_owned(),
        (Some(name), _) => name.to_owned(),
        (None, _) if schema["const"].is_string() => "string".to_owned(),
        (None, _) => "any JSON".to_owned(),
    }
}

/// A text without its quotes, anything else as JSON.
fn plain(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}
