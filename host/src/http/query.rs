//! Query parameters: typed, and unknown ones are errors, because a filter with a typing error shows too much.

use std::borrow::Cow;

use axum::extract::FromRequestParts;
use http::StatusCode;
use http::request::Parts;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::Deserialize;
use serde::de::DeserializeOwned;

use super::Problem;

/// Enough for a screen.
const DEFAULT_LIMIT: usize = 50;
/// A page stays under a megabyte or so.
const MAX_LIMIT: usize = 250;

/// The query parameters of a request. `T` denies unknown fields.
#[derive(Debug, Clone, Copy)]
pub struct Query<T>(pub T);

/// How many items a page has: 1 to 250, 50 where nobody says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(try_from = "usize")]
pub struct Limit(usize);

/// Why a number is not a page size.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("`limit` is a number from 1 to {MAX_LIMIT}")]
pub struct LimitError;

impl Limit {
    /// The number.
    #[must_use]
    pub const fn get(self) -> usize {
        self.0
    }
}

impl Default for Limit {
    fn default() -> Self {
        Self(DEFAULT_LIMIT)
    }
}

impl TryFrom<usize> for Limit {
    type Error = LimitError;

    fn try_from(limit: usize) -> Result<Self, LimitError> {
        if (1..=MAX_LIMIT).contains(&limit) { Ok(Self(limit)) } else { Err(LimitError) }
    }
}

impl JsonSchema for Limit {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "Limit".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": "integer",
            "description": "How many items a page has.",
            "minimum": 1,
            "maximum": MAX_LIMIT,
            "default": DEFAULT_LIMIT,
        })
    }
}

impl<T, S> FromRequestParts<S> for Query<T>
where
    T: DeserializeOwned,
    S: Send + Sync,
{
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        axum::extract::Query::try_from_uri(&parts.uri).map(|query| Self(query.0)).map_err(|rejection| {
            let text = rejection.body_text();
            let reason = text.rsplit_once("query string: ").map_or(text.as_str(), |(_, reason)| reason);
            let detail = format!("a query parameter cannot be taken: {reason}");
            Problem::new(StatusCode::BAD_REQUEST, "invalid_query", detail)
        })
    }
}

#[cfg(test)]
mod tests {
    use http::Request;

    use super::*;
    use crate::model::TenantId;

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Sample {
        tenant: Option<TenantId>,
        #[serde(default)]
        limit: Limit,
    }

    async fn query(uri: &str) -> Result<Sample, Problem> {
        let (mut parts, ()) = Request::get(uri).body(()).unwrap().into_parts();
        Query::from_request_parts(&mut parts, &()).await.map(|Query(sample)| sample)
    }

    #[tokio::test]
    async fn parameters_that_are_wrong_or_unknown_are_named() {
        for (uri, word) in [("/?tenat=a", "tenat"), ("/?tenant=a%20b", "tenant"), ("/?limit=0", "limit")] {
            let problem = query(uri).await.unwrap_err();
            assert_eq!(problem.status(), StatusCode::BAD_REQUEST);
            assert!(problem.detail().contains(word), "{}", problem.detail());
        }
        assert!(query("/?limit=251").await.is_err());
        assert!(query("/?limit=x").await.is_err());
    }

    #[tokio::test]
    async fn a_page_has_fifty_items_where_nobody_says() {
        let sample = query("/?tenant=acme").await.unwrap();
        assert_eq!((sample.tenant.unwrap().as_str(), sample.limit.get()), ("acme", 50));
    }
}
