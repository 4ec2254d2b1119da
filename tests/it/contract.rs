//! The OpenAPI document as a contract: every answer that a test gets is held against it.
//!
//! What the binary prints as its reference is read once. An answer has to have a status, a media type and a body that its
//! route is said to answer with, no field that is not described, and, if it is an error, a `code` that is listed.

use std::collections::HashMap;
use std::process::Command;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use anyhow::{Context, Result, ensure};
use hookway_tests::client::{Answer, Check};
use hookway_tests::gateway::beside_this_program;
use http::Method;
use jsonschema::Validator;
use serde_json::{Value, json};

const NDJSON: &str = "application/x-ndjson";
const PROBLEM: &str = "application/problem+json";
/// What every path answers that has no such route, or not with this method.
const OF_ANY_PATH: [(u16, &str); 2] = [(404, "not_found"), (405, "method_not_allowed")];

/// What the gateway says that it answers.
#[derive(Debug)]
struct Contract {
    document: Value,
    /// By the place of the schema in the document.
    validators: Mutex<HashMap<String, Arc<Validator>>>,
}

/// Holds the answers that a client gets against the contract of the binary beside this program.
pub(crate) fn check() -> Check {
    Arc::new(|method, path, answer| Contract::get()?.check(method, path, answer))
}

impl Contract {
    /// The contract of the binary beside this program, read at the first call.
    ///
    /// # Errors
    /// There is no binary, or it does not print its reference.
    fn get() -> Result<&'static Self> {
        static CONTRACT: OnceLock<Contract> = OnceLock::new();
        if let Some(contract) = CONTRACT.get() {
            return Ok(contract);
        }
        let output = Command::new(beside_this_program()?).arg("openapi").output()?;
        let mut document: Value =
            serde_json::from_slice(&output.stdout).context("`hookway openapi` prints no JSON")?;
        seal(&mut document["components"]["schemas"]);
        Ok(CONTRACT.get_or_init(|| Self { document, validators: Mutex::default() }))
    }

    /// Whether this may be the answer to a request of this method for this path.
    ///
    /// # Errors
    /// It may not: what is not described, or not as it is.
    fn check(&self, method: &Method, path: &str, answer: &Answer) -> Result<()> {
        let status = answer.status.as_u16();
        let code = answer.body["code"].as_str().unwrap_or_default();
        let Some(place) = self.operation(method, path) else {
            let is_expected = OF_ANY_PATH.contains(&(status, code));
            ensure!(is_expected, "{method} {path} is not described, and answers {status} {}", answer.body);
            return Ok(());
        };
        let operation = self.document.pointer(&place).context("a place in the document")?;
        let response = &operation["responses"][status.to_string()];
        ensure!(response.is_object(), "{method} {path} is not described to answer {status}: {}", answer.body);
        for (name, _) in response["headers"].as_object().into_iter().flatten() {
            ensure!(
                answer.headers.contains_key(name.to_lowercase()),
                "{method} {path}: {status} lacks `{name}`"
            );
        }
        let kind = answer.headers.get("content-type").and_then(|kind| kind.to_str().ok()).unwrap_or_default();
        let contents = &response["content"];
        if contents.is_null() {
            ensure!(answer.body.is_null(), "{method} {path}: {status} has a body, which is not described");
            return Ok(());
        }
        ensure!(contents[kind].is_object(), "{method} {path}: {status} is not described to be {kind:?}");
        if kind == PROBLEM {
            let is_listed = contents[kind]["examples"][code].is_object();
            ensure!(is_listed, "{method} {path} is not described to answer {status} with the code `{code}`");
        }
        if kind == NDJSON {
            // A schema of a text says nothing of its lines; tests of them look at each.
            return Ok(());
        }
        let place = format!("{place}/responses/{status}/content/{}/schema", kind.replace('/', "~1"));
        let checked = self.validator(&place)?.validate(&answer.body).map_err(|error| error.to_string());
        checked.map_err(|error| {
            anyhow::anyhow!("{method} {path}: {status} is not as described: {error}: {}", answer.body)
        })
    }

    /// The place in the document of the operation that answers such a request.
    fn operation(&self, method: &Method, path: &str) -> Option<String> {
        let path = path.split(['?', '#']).next().unwrap_or_default();
        let method = method.as_str().to_lowercase();
        let paths = self.document["paths"].as_object()?;
        // Words before parameters, as the router has it.
        let mut fitting: Vec<_> = paths.keys().filter(|template| fits(template, path)).collect();
        fitting.sort_by_key(|template| template.matches('{').count());
        let template = fitting.into_iter().find(|template| paths[*template][&method].is_object())?;
        Some(format!("/paths/{}/{method}", template.replace('/', "~1")))
    }

    fn validator(&self, place: &str) -> Result<Arc<Validator>> {
        let mut validators = self.validators.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(validator) = validators.get(place) {
            return Ok(Arc::clone(validator));
        }
        let schema = self.document.pointer(place).context("a place in the document")?;
        let mut whole = json!({ "components": self.document["components"] });
        if let (Some(whole), Some(schema)) = (whole.as_object_mut(), schema.as_object()) {
            whole.extend(schema.clone());
        }
        let validator = Arc::new(jsonschema::draft202012::new(&whole)?);
        validators.insert(place.to_owned(), Arc::clone(&validator));
        Ok(validator)
    }
}

/// Whether a path is one of a template. The last parameter may stand for several segments: names of topics have slashes.
fn fits(template: &str, path: &str) -> bool {
    let (mut wanted, mut given) = (template.split('/').peekable(), path.split('/'));
    while let Some(segment) = wanted.next() {
        let is_parameter = segment.starts_with('{');
        match given.next() {
            Some(text) if is_parameter || text == segment => {}
            Some(_) | None => return false,
        }
        if is_parameter && wanted.peek().is_none() && segment == "{topic}" {
            return true;
        }
    }
    given.next().is_none()
}

/// An answer may have fields that nobody knows yet, says the document; here it may not, so that each gets described.
fn seal(schema: &mut Value) {
    if schema["properties"].is_object() && schema["additionalProperties"].is_null() {
        schema["additionalProperties"] = false.into();
    }
    match schema {
        Value::Object(fields) => fields.values_mut().for_each(seal),
        Value::Array(items) => items.iter_mut().for_each(seal),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

#[cfg(test)]
mod tests {
    use http::{HeaderMap, HeaderValue, StatusCode};

    use super::*;

    fn contract() -> Contract {
        let mut document = json!({
            "paths": {
                "/things/{id}": { "get": { "responses": {
                    "200": { "content": { "application/json": { "schema": { "$ref": "#/components/schemas/Thing" }}}},
                    "201": { "headers": { "Location": {}}},
                    "404": { "content": { PROBLEM: { "schema": {}, "examples": { "not_found": {}}}}},
                }}},
            },
            "components": { "schemas": { "Thing": { "type": "object", "properties": { "a": { "type": "string" }}}}},
        });
        seal(&mut document["components"]["schemas"]);
        Contract { document, validators: Mutex::default() }
    }

    fn check(path: &str, status: u16, kind: &'static str, body: Value) -> Result<()> {
        let mut headers = HeaderMap::new();
        if !kind.is_empty() {
            headers.insert("content-type", HeaderValue::from_static(kind));
        }
        let answer = Answer { status: StatusCode::from_u16(status)?, headers, body };
        contract().check(&Method::GET, path, &answer)
    }

    #[test]
    fn what_is_not_described_is_noticed() {
        let json = "application/json";
        check("/things/1?x=2", 200, json, json!({ "a": "b" })).unwrap();
        check("/things/1", 404, PROBLEM, json!({ "code": "not_found" })).unwrap();
        check("/nothing", 404, PROBLEM, json!({ "code": "not_found" })).unwrap();
        for (path, status, kind, body) in [
            ("/things/1", 200, json, json!({ "a": 1 })),
            ("/things/1", 200, json, json!({ "a": "b", "new": 1 })),
            ("/things/1", 200, "text/html", json!("<a>")),
            ("/things/1", 201, "", Value::Null),
            ("/things/1", 204, "", Value::Null),
            ("/things/1", 404, PROBLEM, json!({ "code": "gone" })),
            ("/nothing", 200, json, json!({})),
        ] {
            assert!(check(path, status, kind, body.clone()).is_err(), "{path} {status} {kind} {body}");
        }
    }

    #[test]
    fn only_the_name_of_a_topic_has_slashes() {
        assert!(
            fits("/v1/topics/{topic}", "/v1/topics/orders/created")
                && fits("/v1/x/{id}/test", "/v1/x/1/test")
        );
        assert!(
            !fits("/v1/x/{id}", "/v1/x/1/test") && !fits("/v1/x/{id}/test", "/v1/x/1") && !fits("/a", "/a/b")
        );
    }
}
