//! The OpenAPI document as one page for people.
//!
//! Only [`Html`] writes markup, and only from texts of this source; whatever comes from the document is escaped there.

mod html;
mod operation;
mod schema;

use serde_json::{Map, Value};

use self::html::Html;
use self::operation::Shown;

/// The page of this document.
pub(super) fn render(document: &Value) -> String {
    let mut html = Html::default();
    html.raw("<!doctype html><html lang=\"en\"><head><meta charset=\"utf-8\">")
        .raw("<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\"><title>")
        .text(word(&document["info"]["title"]))
        .raw(" API</title><link rel=\"stylesheet\" href=\"/docs/style.css\"></head><body>");
    let operations = operations(document);
    navigation(&mut html, document, &operations);
    html.raw("<main>");
    introduction(&mut html, document);
    for tag in list(&document["tags"]) {
        section(&mut html, document, tag, &operations);
    }
    html.raw("</main></body></html>");
    html.finish()
}

/// All operations, by path and method.
fn operations(document: &Value) -> Vec<Shown<'_>> {
    let paths = fields(&document["paths"]);
    paths
        .flat_map(|(path, item)| {
            fields(item).map(move |(method, operation)| Shown { path, method, operation })
        })
        .collect()
}

fn navigation(html: &mut Html, document: &Value, operations: &[Shown<'_>]) {
    html.raw("<nav><a class=\"brand\" href=\"#top\">")
        .text(word(&document["info"]["title"]))
        .raw("<small>")
        .text(word(&document["info"]["version"]))
        .raw("</small></a>");
    for tag in list(&document["tags"]) {
        html.raw("<h2>").text(word(&tag["name"])).raw("</h2><ul>");
        for shown in of_tag(operations, tag) {
            html.raw("<li><a href=\"#").text(shown.id()).raw("\">");
            shown.method(html);
            html.raw("<span>").text(word(&shown.operation["summary"])).raw("</span></a></li>");
        }
        html.raw("</ul>");
    }
    html.raw("</nav>");
}

fn introduction(html: &mut Html, document: &Value) {
    html.raw("<header id=\"top\"><h1>").text(word(&document["info"]["title"])).raw(" API</h1>");
    html.paragraphs(word(&document["info"]["description"]));
    html.raw("<p class=\"download\"><a href=\"/openapi.json\">openapi.json</a> is this reference for programs: OpenAPI ");
    html.text(word(&document["openapi"])).raw(".</p></header>");
}

fn section(html: &mut Html, document: &Value, tag: &Value, operations: &[Shown<'_>]) {
    html.raw("<section class=\"tag\"><h2>").text(word(&tag["name"])).raw("</h2>");
    html.paragraphs(word(&tag["description"]));
    for shown in of_tag(operations, tag) {
        shown.render(html, document);
    }
    html.raw("</section>");
}

fn of_tag<'a>(all: &'a [Shown<'a>], tag: &'a Value) -> impl Iterator<Item = &'a Shown<'a>> {
    all.iter().filter(|shown| list(&shown.operation["tags"]).any(|name| *name == tag["name"]))
}

/// A text of the document; what is none is empty.
fn word(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

fn list(value: &Value) -> impl Iterator<Item = &Value> {
    value.as_array().into_iter().flatten()
}

fn fields(value: &Value) -> impl Iterator<Item = (&String, &Value)> {
    value.as_object().into_iter().flat_map(Map::iter)
}

/// What `$ref` leads to, where a value is nothing but that.
fn resolved<'a>(document: &'a Value, value: &'a Value) -> &'a Value {
    let pointer = value["$ref"].as_str().and_then(|reference| reference.strip_prefix('#'));
    pointer.and_then(|pointer| document.pointer(pointer)).unwrap_or(value)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn no_text_of_the_document_becomes_markup() {
        let evil = "<script>alert(1)</script>\"'&";
        let document = json!({
            "openapi": evil,
            "info": { "title": evil, "version": evil, "description": evil },
            "tags": [{ "name": evil, "description": evil }],
            "paths": { evil: { "get": {
                "operationId": evil, "tags": [evil], "summary": evil, "description": evil,
                "security": [{ "api_key": [evil] }],
                "parameters": [{ "name": evil, "in": evil, "description": evil, "schema": {
                    "type": evil, "enum": [evil], "pattern": evil, "examples": [evil],
                }}],
                "requestBody": { "content": { evil: {
                    "schema": { "properties": { evil: { "type": "string", "description": evil }}},
                    "examples": { evil: { "value": evil }},
                }}},
                "responses": { "200": { "description": evil, "content": { evil: {
                    "schema": { "oneOf": [{ "const": evil, "description": evil }] },
                    "examples": { evil: { "value": { evil: evil }}},
                }}}, "400": { "description": evil, "content": { "application/problem+json": { "examples": {
                    evil: { "summary": evil, "value": evil },
                }}}}},
            }}},
        });
        let page = render(&document);
        assert!(page.contains("&lt;script&gt;") && !page.contains("<script"), "{page}");
        assert!(!page.contains("\"'&"), "a quote is escaped too: {page}");
    }
}
