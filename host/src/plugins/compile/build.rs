//! What happens to a file on its way to machine code. Pure, and as expensive as the file wants it to be.

use wasmparser::{Validator, WasmFeatures};
use wasmtime::Engine;

use super::componentize::to_component;
use crate::plugins::error::LoadError;
use crate::plugins::inspect::inspect;
use crate::plugins::text::clean;

/// The machine code of a file.
pub(super) fn build(engine: &Engine, file: &[u8]) -> Result<Vec<u8>, LoadError> {
    let component = to_component(file)?;
    // Of a file that was a core module only now anything is known about its interfaces.
    inspect(&component)?;
    Validator::new_with_features(WasmFeatures::all())
        .validate_all(&component)
        .map_err(|error| LoadError::Invalid(clean(&error.to_string())))?;
    engine.precompile_component(&component).map_err(|error| LoadError::Compile(clean(&format!("{error:#}"))))
}
