//! JSON bodies into types, with the JSON pointer of what does not fit.

use axum::extract::{FromRequest, Request};
use bytes::Bytes;
use serde::de::{Deserialize, DeserializeOwned};
use serde_json::error::Category;
use serde_path_to_error::{Path, Segment};

use super::{
    MAX_DEPTH, Media, Object, Problem, is_deeper_than, media_type, read_body, refuse_encoding, text,
};

/// Room for an endpoint with sixteen plugins at their largest configuration.
const MAX_BODY: usize = 2 * 1024 * 1024;

/// The JSON body of a request to the management API, as the last argument of a handler.
#[derive(Debug, Clone, Copy)]
pub struct Json<T>(pub T);

impl<T, S> FromRequest<S> for Json<T>
where
    T: DeserializeOwned,
    S: Send + Sync,
{
    type Rejection = Problem;

    async fn from_request(request: Request, _: &S) -> Result<Self, Problem> {
        let body = json_body(request).await?;
        parse(text(&body)?).map(|Object(value)| Self(value))
    }
}

/// The same where the body may be left out: then it is the default.
#[derive(Debug, Clone, Copy)]
pub struct OptionalJson<T>(pub T);

impl<T, S> FromRequest<S> for OptionalJson<T>
where
    T: DeserializeOwned + Default,
    S: Send + Sync,
{
    type Rejection = Problem;

    async fn from_request(request: Request, _: &S) -> Result<Self, Problem> {
        let body = json_body(request).await?;
        if body.is_empty() {
            return Ok(Self(T::default()));
        }
        parse(text(&body)?).map(|Object(value)| Self(value))
    }
}

/// The bytes of a body that says it is JSON.
async fn json_body(request: Request) -> Result<Bytes, Problem> {
    refuse_encoding(request.headers())?;
    if media_type(request.headers()) != Ok(Media::Json) {
        return Err(Problem::unsupported("the `Content-Type` is not read here; send `application/json`"));
    }
    read_body(request.into_body(), MAX_BODY).await
}

/// The value in this JSON text.
///
/// # Errors
/// 400 if it is not JSON or nests deeper than [`MAX_DEPTH`]; 422 with a pointer if it is not what is wanted.
pub fn parse<'a, T: Deserialize<'a>>(json: &'a str) -> Result<T, Problem> {
    if is_deeper_than(MAX_DEPTH, json.as_bytes()) {
        let detail = format!("the JSON nests deeper than {MAX_DEPTH} levels; flatten it");
        return Err(Problem::new(http::StatusCode::BAD_REQUEST, "too_deep", detail));
    }
    // The path costs time, so it is worked out only once something does not fit.
    serde_json::from_str(json).or_else(|_| explain(json))
}

fn explain<'a, T: Deserialize<'a>>(json: &'a str) -> Result<T, Problem> {
    let mut deserializer = serde_json::Deserializer::from_str(json);
    let value = serde_path_to_error::deserialize(&mut deserializer).map_err(|error| {
        let pointer = pointer(error.path());
        problem(error.inner(), pointer)
    })?;
    deserializer.end().map_err(|error| problem(&error, String::new()))?;
    Ok(value)
}

fn problem(error: &serde_json::Error, pointer: String) -> Problem {
    let text = error.to_string();
    // The pointer says where better than the position that serde_json appends.
    let reason = text.rsplit_once(" at line ").map_or(text.as_str(), |(reason, _)| reason);
    match error.classify() {
        Category::Data => Problem::invalid(pointer, reason),
        Category::Syntax | Category::Eof | Category::Io => {
            let (line, column) = (error.line(), error.column());
            let place =
                if line > 1 { format!("line {line}, column {column}") } else { format!("column {column}") };
            Problem::malformed(format!("this is not valid JSON: {reason} at {place}"))
        }
    }
}

/// The path as a JSON pointer (RFC 6901).
fn pointer(path: &Path) -> String {
    path.iter().fold(String::new(), |pointer, segment| match segment {
        Segment::Seq { index } => format!("{pointer}/{index}"),
        Segment::Map { key } | Segment::Enum { variant: key } => {
            format!("{pointer}/{}", key.replace('~', "~0").replace('/', "~1"))
        }
        Segment::Unknown => pointer,
    })
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use http::StatusCode;
    use serde_json::value::RawValue;

    use super::*;

    #[derive(Debug, serde::Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Sample {
        #[serde(default)]
        names: Vec<String>,
        #[serde(default)]
        numbers: BTreeMap<String, u8>,
        raw: Option<Box<RawValue>>,
    }

    fn refused(json: &str) -> Problem {
        parse::<Sample>(json).unwrap_err()
    }

    #[test]
    fn a_value_that_does_not_fit_is_found_by_its_pointer() {
        let cases = [
            (r#"{"names":["a",1]}"#, "/names/1"),
            (r#"{"numbers":{"a/b~c":"x"}}"#, "/numbers/a~1b~0c"),
            (r#"{"nmaes":[]}"#, "/nmaes"),
            (r#"[]"#, ""),
        ];
        for (json, pointer) in cases {
            let problem = refused(json);
            assert_eq!(problem.status(), StatusCode::UNPROCESSABLE_ENTITY, "{json}");
            assert_eq!(problem.pointer(), Some(pointer), "{json}");
        }
    }

    #[test]
    fn what_is_no_json_at_all_is_malformed() {
        for json in ["", "{", "{]", "{}x", "nul", r#"{"names":["a"#] {
            let problem = refused(json);
            assert_eq!((problem.status(), problem.code()), (StatusCode::BAD_REQUEST, "malformed"), "{json}");
        }
    }

    #[test]
    fn depth_is_limited_inside_raw_values_too() {
        let nested = |depth: usize| format!(r#"{{"raw":{}{}}}"#, "[".repeat(depth), "]".repeat(depth));
        assert_eq!(refused(&nested(64)).code(), "too_deep");
        assert_eq!(refused(&nested(100_000)).code(), "too_deep");
        assert!(parse::<Sample>(&nested(63)).is_ok());
    }

    #[test]
    fn raw_values_keep_their_spelling() {
        let sample: Sample =
            parse(r#"{"raw": {"b": 1.0, "a":  12345678901234567890123}, "names": []}"#).unwrap();
        assert_eq!(sample.raw.unwrap().get(), r#"{"b": 1.0, "a":  12345678901234567890123}"#);
        assert!(sample.names.is_empty() && sample.numbers.is_empty());
    }
}
