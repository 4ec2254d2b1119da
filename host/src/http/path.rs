//! The id or name in the path of a route.

use axum::extract::{FromRequestParts, Path};
use http::request::Parts;
use serde::de::DeserializeOwned;

use super::Problem;

/// The one parameter of a route's path, or a tuple of texts where there are more. Whether they name anything is for the
/// handler to say.
#[derive(Debug, Clone)]
pub struct PathText<T = String>(pub T);

impl<S, T> FromRequestParts<S> for PathText<T>
where
    S: Send + Sync,
    T: DeserializeOwned + Send,
{
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        match Path::from_request_parts(parts, state).await {
            Ok(Path(text)) => Ok(Self(text)),
            Err(_) => Err(Problem::not_found("the path names nothing: it is not UTF-8")),
        }
    }
}
