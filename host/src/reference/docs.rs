//! What the reference says of itself.

use http::StatusCode;

use crate::openapi::{Access, Anything, Content, Operation, Tag, text};

pub(super) fn document() -> Operation {
    Operation::new("get_openapi", Tag::Gateway, Access::Anyone, "Get this reference as OpenAPI 3.1")
        .describe("For generators of clients and other tools.")
        .answer(StatusCode::OK, "The document", [Content::of::<Anything>("application/json")])
}

pub(super) fn page() -> Operation {
    Operation::new("get_docs", Tag::Gateway, Access::Anyone, "Read this reference")
        .describe("One page without scripts. It loads nothing from anywhere else.")
        .answer(StatusCode::OK, "The page", [text("text/html; charset=utf-8", "<!doctype html>")])
}

pub(super) fn style() -> Operation {
    Operation::new("get_docs_style", Tag::Gateway, Access::Anyone, "Get the style sheet of that page").answer(
        StatusCode::OK,
        "The style sheet",
        [text("text/css; charset=utf-8", "body { margin: 0 }")],
    )
}
