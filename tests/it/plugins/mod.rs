//! Plugins in the running gateway: those that ship, those in other languages, those that misbehave, files that are no plugins,
//! their manifests, and what they are bound to.

mod backtest;
mod bindings;
mod candidates;
mod compile;
mod files;
mod grants;
mod hostile;
mod manifest;
mod metrics;
mod policy;
mod shipped;
mod templates;
mod versions;
