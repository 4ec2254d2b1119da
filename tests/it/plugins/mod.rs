//! Plugins in the running gateway: those that ship, those that misbehave, and files that are no plugins.

mod files;
mod hostile;
mod shipped;
