//! Routes as data: one constant table per router, from which the router is made, so that there is no route that the
//! tables do not name. What has to hold for every route is tested by walking them.

use axum::Router;
use axum::routing::MethodRouter;
use http::Method;

use crate::openapi::{Described, Operation};

/// One method of one path. `S` is the state of its handler.
#[derive(Debug)]
pub struct Route<S> {
    /// The method.
    pub method: Method,
    /// The path, with parameters in braces.
    pub path: &'static str,
    /// Makes the handler.
    pub handler: fn() -> MethodRouter<S>,
    /// What it does, takes and answers: no route is without it.
    pub operation: fn() -> Operation,
}

/// The router of these routes.
///
/// # Panics
/// Two routes have the same method and path.
pub fn router<S: Clone + Send + Sync + 'static>(routes: &[Route<S>], state: S) -> Router {
    let add = |router: Router<S>, route: &Route<S>| router.route(route.path, (route.handler)());
    routes.iter().fold(Router::new(), add).with_state(state)
}

/// What is said of these routes.
pub fn described<S>(routes: &[Route<S>]) -> impl Iterator<Item = Described> {
    routes.iter().map(|route| Described {
        method: route.method.clone(),
        path: route.path,
        operation: (route.operation)(),
    })
}
