//! Machine code, and the one place where it becomes part of this process.

use wasmtime::Engine;
use wasmtime::component::Component;

/// Machine code that this program made. There are two ways to one: straight from our compiler, and from the cache,
/// which gives out only what carries our seal.
pub(in crate::plugins) struct Artefact(Vec<u8>);

impl Artefact {
    /// Whoever calls this vouches that the bytes are, unchanged, what [`Engine::precompile_component`] returned in this
    /// program. Nothing that a user or another program could have written may come here.
    pub(in crate::plugins) const fn made_by_us(code: Vec<u8>) -> Self {
        Self(code)
    }

    pub(in crate::plugins) fn bytes(&self) -> &[u8] {
        &self.0
    }

    /// Maps the code into the process. Code of another version or configuration of the engine is refused.
    #[expect(unsafe_code, reason = "the engine cannot check machine code; see below")]
    pub(in crate::plugins) fn load(&self, engine: &Engine) -> wasmtime::Result<Component> {
        // SAFETY: `deserialize` asks for bytes that the engine's own compiler made and nobody changed. `made_by_us` is called
        // in three places, all of them in `compile` and `cache`, with what the compiler returned in this process, with what
        // it sent through a pipe that only the two processes hold, and with what has our HMAC. The bytes are in this
        // process's own memory, so they are those that were checked, and the engine copies them before it uses them.
        unsafe { Component::deserialize(engine, &self.0) }
    }
}
