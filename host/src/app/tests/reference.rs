//! The reference of the API: it is complete, true to its own schemas, without secrets, and safe to open in a browser.

use std::collections::BTreeSet;

use ::http::HeaderMap;
use serde_json::Map;

use super::*;

/// All operations of the document: method, path, operation.
fn operations(document: &Value) -> Vec<(&String, &String, &Value)> {
    let paths = document["paths"].as_object().unwrap().iter();
    paths
        .flat_map(|(path, item)| {
            item.as_object().unwrap().iter().map(move |(method, one)| (method, path, one))
        })
        .collect()
}

fn fields(value: &Value) -> impl Iterator<Item = (&String, &Value)> {
    value.as_object().into_iter().flat_map(Map::iter)
}

/// A validator of a part of the document, in which references lead into the document.
fn validator(document: &Value, schema: &Value) -> jsonschema::Validator {
    let mut whole = json!({ "components": document["components"] });
    whole.as_object_mut().unwrap().extend(schema.as_object().unwrap().clone());
    jsonschema::draft202012::new(&whole).unwrap()
}

#[test]
fn every_route_is_described_in_full() {
    let document = openapi();
    assert_eq!(operations(&document).len(), described().len());
    let mut ids = BTreeSet::new();
    for (method, path, operation) in operations(&document) {
        let what = format!("{method} {path}");
        let id = operation["operationId"].as_str().unwrap();
        assert!(ids.insert(id), "{what}: another operation is called {id}");
        assert!(operation["summary"].as_str().is_some_and(|text| !text.is_empty()), "{what}");
        let declared = operation["parameters"].as_array().unwrap().iter().filter(|one| one["in"] == "path");
        let declared: BTreeSet<_> = declared.map(|one| one["name"].as_str().unwrap()).collect();
        let in_path = path.split('{').skip(1).map(|part| part.split('}').next().unwrap());
        assert_eq!(declared, in_path.collect(), "{what}: the parameters of the path");
        for parameter in operation["parameters"].as_array().unwrap() {
            assert!(
                parameter["description"].as_str().is_some_and(|text| !text.is_empty()),
                "{what}: {parameter}"
            );
        }
        let good: Vec<_> =
            fields(&operation["responses"]).filter(|(status, _)| status.starts_with('2')).collect();
        assert!(!good.is_empty(), "{what} has no answer to what was done");
        for (media, content) in good.iter().flat_map(|(_, answer)| fields(&answer["content"])) {
            let is_itself = path == "/openapi.json";
            assert!(
                is_itself || fields(&content["examples"]).next().is_some(),
                "{what}: {media} has no example"
            );
        }
        for (media, content) in fields(&operation["requestBody"]["content"]) {
            assert!(fields(&content["examples"]).next().is_some(), "{what}: {media} has no example");
        }
        let is_open = OPEN.contains(&path.as_str());
        assert_eq!(operation["security"].as_array().unwrap().is_empty(), is_open, "{what}");
        assert_eq!(operation["responses"]["401"].is_null(), is_open, "{what}");
    }
}

#[test]
fn every_field_of_every_type_is_explained() {
    let document = openapi();
    for (name, schema) in fields(&document["components"]["schemas"]) {
        for (field, schema) in fields(&schema["properties"]) {
            assert!(schema["description"].is_string(), "{name}.{field} has no description");
        }
    }
}

#[test]
fn every_example_satisfies_its_schema() {
    let document = openapi();
    let mut checked = 0;
    for (method, path, operation) in operations(&document) {
        let answers = fields(&operation["responses"]).map(|(_, answer)| &answer["content"]);
        for content in answers.chain([&operation["requestBody"]["content"]]) {
            for (media, content) in fields(content) {
                let validator = validator(&document, &content["schema"]);
                for (name, example) in fields(&content["examples"]) {
                    let example = match example["$ref"].as_str() {
                        Some(reference) => document.pointer(reference.trim_start_matches('#')).unwrap(),
                        None => example,
                    };
                    let value = &example["value"];
                    if let Err(error) = validator.validate(value) {
                        panic!("{method} {path}, {media}, {name}: {error}: {value:#}");
                    }
                    checked += 1;
                }
            }
        }
    }
    assert!(checked > 100, "only {checked} examples");
}

/// Item 23 of the checklist.
#[test]
fn the_reference_has_no_secret() {
    let text = openapi().to_string();
    for prefix in ["whsec_", "whsk_", "whpk_", "hk_"] {
        for (at, _) in text.match_indices(prefix) {
            let rest: String =
                text[at + prefix.len()..].chars().take_while(|c| c.is_alphanumeric()).collect();
            assert!(rest.len() < 16, "this looks like a secret: {prefix}{rest}");
        }
    }
}

#[tokio::test]
async fn the_page_loads_nothing_from_elsewhere_and_runs_nothing() {
    let gateway = gateway().await;
    for (path, kind) in [
        ("/docs", "text/html; charset=utf-8"),
        ("/docs/style.css", "text/css; charset=utf-8"),
        ("/openapi.json", "application/json"),
    ] {
        let (headers, text) = read(&gateway, path).await;
        let header = |name: &str| headers.get(name).unwrap().to_str().unwrap();
        assert_eq!(header("content-type"), kind);
        assert_eq!(header("x-content-type-options"), "nosniff");
        let policy = header("content-security-policy");
        assert!(
            policy.starts_with("default-src 'none';") && policy.contains("frame-ancestors 'none'"),
            "{policy}"
        );
        assert!(!policy.contains("unsafe") && !policy.contains("script"), "{policy}");
        if path == "/openapi.json" {
            assert_eq!(serde_json::from_str::<Value>(&text).unwrap(), openapi());
            continue;
        }
        for word in ["<script", "<img", "<iframe", " style=", "onclick", "@import", "url("] {
            assert!(!text.contains(word), "{path} has {word}");
        }
        let links = text.split("href=\"").skip(1).map(|rest| rest.split('"').next().unwrap());
        for link in links {
            assert!(link.starts_with(['#', '/']) && !link.starts_with("//"), "{path} leads to {link}");
        }
    }
    let (_, page) = read(&gateway, "/docs").await;
    for (_, path, operation) in operations(&openapi()) {
        let id = operation["operationId"].as_str().unwrap();
        assert!(page.contains(&format!("<article id=\"{id}\">")), "{path}: {id} is not on the page");
    }
    gateway.stop().await;
}

async fn read(gateway: &Gateway, path: &str) -> (HeaderMap, String) {
    let request = Request::get(path).body(Body::empty()).unwrap();
    let (head, body) = gateway.router.clone().call(request).await.unwrap().into_parts();
    assert_eq!(head.status, StatusCode::OK, "{path}");
    let bytes = axum::body::to_bytes(body, 5_000_000).await.unwrap();
    (head.headers, String::from_utf8(bytes.to_vec()).unwrap())
}
