//! What gives a core module its WASI preview 1.
//!
//! The adapter of the engine, except for modules of Go: their runtime believes that all memory that grows is its own.

use std::borrow::Cow;

pub(super) use wasi_preview1_component_adapter_provider::WASI_SNAPSHOT_PREVIEW1_ADAPTER_NAME as NAME;
use wasi_preview1_component_adapter_provider::WASI_SNAPSHOT_PREVIEW1_REACTOR_ADAPTER;
use wasmparser::{Parser, Payload};
use wit_component::{StringEncoding, embed_component_metadata};
use wit_parser::Resolve;

/// In each module that Go's linker writes, whatever is stripped from it.
const MADE_BY_GO: &str = "go:buildid";
const WITHOUT_MEMORY: &str = include_str!("preview1.wat");
const ITS_IMPORTS: &str = include_str!("preview1.wit");

/// The adapter for a module.
pub(super) fn adapter(module: &[u8]) -> Result<Cow<'static, [u8]>, String> {
    if !is_made_by_go(module) {
        return Ok(Cow::Borrowed(WASI_SNAPSHOT_PREVIEW1_REACTOR_ADAPTER));
    }
    without_memory().map(Cow::Owned)
}

fn is_made_by_go(module: &[u8]) -> bool {
    let mut payloads = Parser::new(0).parse_all(module).map_while(Result::ok);
    payloads.any(|payload| matches!(payload, Payload::CustomSection(section) if section.name() == MADE_BY_GO))
}

fn without_memory() -> Result<Vec<u8>, String> {
    let mut module = wat::parse_str(WITHOUT_MEMORY).map_err(|error| error.to_string())?;
    let mut resolve = Resolve::default();
    let in_words = |error| format!("{error:#}");
    let package = resolve.push_source("preview1.wit", ITS_IMPORTS).map_err(|error| format!("{error:#}"))?;
    let world = resolve.select_world(&[package], None).map_err(in_words)?;
    embed_component_metadata(&mut module, &resolve, world, StringEncoding::UTF8).map_err(in_words)?;
    Ok(module)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    fn exports(module: &[u8]) -> BTreeSet<String> {
        let sections = Parser::new(0).parse_all(module).filter_map(|payload| {
            if let Payload::ExportSection(section) = payload.unwrap() { Some(section) } else { None }
        });
        sections.flatten().map(|export| export.unwrap().name.to_owned()).collect()
    }

    #[test]
    fn both_adapters_have_the_same_functions() {
        let common: BTreeSet<_> = exports(WASI_SNAPSHOT_PREVIEW1_REACTOR_ADAPTER)
            .into_iter()
            .filter(|name| !name.contains('#') && !name.starts_with("cabi_") && !name.contains("adapter"))
            .collect();
        let own = exports(&without_memory().unwrap());
        assert!(common.len() > 40, "{common:?}");
        assert!(common.is_subset(&own), "missing: {:?}", common.difference(&own).collect::<Vec<_>>());
    }

    #[test]
    fn a_module_of_go_is_known_and_gets_its_own() {
        let go = wat::parse_str(r#"(module (@custom "go:buildid" "x"))"#).unwrap();
        assert_eq!(adapter(&go).unwrap(), without_memory().unwrap());
        let other = wat::parse_str(r#"(module (@custom "name" "x"))"#).unwrap();
        assert_eq!(*adapter(&other).unwrap(), *WASI_SNAPSHOT_PREVIEW1_REACTOR_ADAPTER);
    }
}
