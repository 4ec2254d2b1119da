//! Plugins in the running gateway: those that ship, those in other languages, those that misbehave, and files that are no plugins.

mod compile;
mod examples;
mod files;
mod grants;
mod hostile;
mod metrics;
mod policy;
mod shipped;
