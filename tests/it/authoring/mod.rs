//! What authors of plugins do without a gateway: `hookway plugin check | test | bench`, with real components, and what they
//! are told when something is wrong.

mod bench;
mod mistakes;
mod project;
mod shipped;
mod testing;
