//! What is said of the routes, and the OpenAPI document that comes of it. Pure: nothing is served or looked up here.
//!
//! - [`Operation`]: what one route does, takes and answers. The tables of routes have one for each, so there is no route
//!   without it.
//! - Schemas come from the types that serde reads and writes, each in its own direction: [`Content`].
//! - [`Refusal`]: every error that a route can answer with, by its stable code. What any body, query, path or key can bring
//!   about is added by whatever declares it.
//! - [`document`]: all of that as one OpenAPI 3.1 document.
//!
//! OpenAPI 3.1 uses JSON Schema 2020-12 as it is, so nothing is translated.

mod content;
mod document;
mod operation;
mod parameter;
pub mod refusal;
mod response;
mod words;

pub use self::content::{Content, json, text};
pub use self::document::document;
pub use self::operation::{Access, Described, Operation, Tag};
pub use self::refusal::Refusal;
pub use self::words::{Anything, Lines, Time};
