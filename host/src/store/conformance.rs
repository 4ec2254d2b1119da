//! Functions that every store must pass.
