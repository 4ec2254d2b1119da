//! Core modules made components, in memory.
//!
//! Tool chains that know no components leave their interface in a custom section `component-type` of a core module, and
//! what they want of the system as imports of WASI preview 1. Both are turned into a component here.

use std::borrow::Cow;

use wit_component::{ComponentEncoder, StringEncoding, embed_component_metadata};
use wit_parser::Resolve;

use super::preview1;
use crate::plugins::WIT;
use crate::plugins::error::LoadError;
use crate::plugins::inspect::{Kind, kind, says_its_interface};
use crate::plugins::text::clean;

/// Why a module does not become a component.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct ComponentizeError(String);

/// The component of a core module that exports the functions of `world`, a world of the contract, under the names of the
/// canonical ABI (`hookway:plugin/filter@1.0.0#filter`). A module that says itself which world it is made for is taken by
/// its word, and `world` is not needed.
///
/// # Errors
/// In a sentence: there is no such world, or the module does not fit it.
pub fn componentize(module: &[u8], world: Option<&str>) -> Result<Vec<u8>, ComponentizeError> {
    let refused = |error: LoadError| ComponentizeError(error.to_string());
    if kind(module).map_err(refused)? == Kind::Component {
        return Err(ComponentizeError("the file is a component already: use it as it is".to_owned()));
    }
    let mut module = Cow::Borrowed(module);
    if !says_its_interface(&module).map_err(refused)? {
        let world = world
            .ok_or_else(|| ComponentizeError(format!("name its world with --world: one of {}", worlds())))?;
        embed(module.to_mut(), world)?;
    }
    encode(&module).map_err(ComponentizeError)
}

/// The file itself if it is a component.
pub(in crate::plugins) fn to_component(file: &[u8]) -> Result<Cow<'_, [u8]>, LoadError> {
    match kind(file)? {
        Kind::Component => Ok(Cow::Borrowed(file)),
        Kind::CoreModule if says_its_interface(file)? => {
            encode(file).map(Cow::Owned).map_err(LoadError::Componentize)
        }
        Kind::CoreModule => Err(LoadError::CoreModule),
    }
}

fn encode(module: &[u8]) -> Result<Vec<u8>, String> {
    let adapter = preview1::adapter(module).map_err(|error| clean(&error))?;
    // The adapter takes its memory by itself: that of the guest's allocator may be freed with what a call left, or not be
    // there yet when the guest starts.
    let encoder = ComponentEncoder::default().validate(true).realloc_via_memory_grow(true).module(module);
    let encoded = encoder.and_then(|encoder| encoder.adapter(preview1::NAME, &adapter)?.encode());
    encoded.map_err(|error| clean(&format!("{error:#}")))
}

fn embed(module: &mut Vec<u8>, world: &str) -> Result<(), ComponentizeError> {
    let mut resolve = Resolve::default();
    let package = resolve.push_source("hookway.wit", WIT).map_err(|error| sentence(&format!("{error:#}")))?;
    let id = resolve
        .select_world(&[package], Some(world))
        .map_err(|_| sentence(&format!("the contract has no world `{world}`: it has {}", worlds())))?;
    embed_component_metadata(module, &resolve, id, StringEncoding::UTF8)
        .map_err(|error| sentence(&format!("{error:#}")))
}

fn sentence(text: &str) -> ComponentizeError {
    ComponentizeError(clean(text))
}

/// The worlds of the contract, as it has them.
fn worlds() -> String {
    let names = WIT.lines().filter_map(|line| line.strip_prefix("world ")?.strip_suffix(" {"));
    names.map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The functions of `matcher-plugin`, by the names of the canonical ABI, and whatever else.
    fn module(more: &str) -> Vec<u8> {
        let interface = "hookway:plugin/topic-matcher@1.0.0";
        wat::parse_str(format!(
            r#"(module
            {more}
            (memory (export "memory") 1)
            (func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32) i32.const 1024)
            (func (export "{interface}#[static]matcher.compile") (param i32 i32) (result i32) unreachable)
            (func (export "{interface}#[method]matcher.matches") (param i32 i32 i32) (result i32) unreachable))"#
        ))
        .unwrap()
    }

    #[test]
    fn a_module_becomes_a_component_of_the_world_that_is_named() {
        let component = componentize(&module(""), Some("matcher-plugin")).unwrap();
        assert_eq!(kind(&component), Ok(Kind::Component));
        let mut embedded = module("");
        embed(&mut embedded, "matcher-plugin").unwrap();
        assert_eq!(componentize(&embedded, None).unwrap(), component, "it says its world itself");
        assert_eq!(to_component(&embedded).unwrap(), component);
        assert_eq!(to_component(&component).unwrap(), component);
    }

    #[test]
    fn what_preview_1_wants_of_the_system_becomes_imports_of_wasi() {
        let write =
            r#"(import "wasi_snapshot_preview1" "fd_write" (func (param i32 i32 i32 i32) (result i32)))"#;
        let component = componentize(&module(write), Some("matcher-plugin")).unwrap();
        let census = crate::plugins::inspect::Census::of(&component).unwrap();
        assert!(
            census.imports.iter().any(|name| name.starts_with("wasi:io/streams@0.2")),
            "{:?}",
            census.imports
        );
    }

    #[test]
    fn what_cannot_become_one_is_told_in_a_sentence() {
        let refused = |module: &[u8], world| componentize(module, world).unwrap_err().to_string();
        let worlds = "`filter-plugin`, `transform-plugin`, `filter-and-transform-plugin`, `matcher-plugin`";
        assert_eq!(refused(&module(""), None), format!("name its world with --world: one of {worlds}"));
        let other = refused(&module(""), Some("other"));
        assert_eq!(other, format!("the contract has no world `other`: it has {worlds}"));
        let unlike = refused(&module(""), Some("filter-plugin"));
        assert!(unlike.contains("hookway:plugin/"), "{unlike}");
        let component = componentize(&module(""), Some("matcher-plugin")).unwrap();
        assert!(refused(&component, None).contains("a component already"));
        assert_eq!(refused(b"text", None), LoadError::NotWasm.to_string());
        let unknown = module(r#"(import "env" "mystery" (func))"#);
        assert!(refused(&unknown, Some("matcher-plugin")).contains("mystery"));
        assert!(matches!(to_component(&module("")), Err(LoadError::CoreModule)));
    }
}
