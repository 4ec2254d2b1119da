//! What can be said about a file from its bytes, before anything of it is compiled.
//!
//! Compilation is not protected against hostile input by the engine: 122 KiB with 50,000 locals took 2 GiB. So sizes
//! are bounded here, by a pass that costs milliseconds.

use wasmparser::{Encoding, Parser, Payload, Validator, WasmFeatures};

use super::error::LoadError;
use super::text::clean;

/// An embedded Python has about 25,000; 100,000 tiny ones take 7 s and 600 MiB to compile.
const MAX_FUNCTIONS: usize = 100_000;
/// The main loop of an interpreter is the largest function there is.
const MAX_FUNCTION_BYTES: usize = 512 << 10;
/// The cost of compiling grows with their square. Compilers emit hundreds.
const MAX_LOCALS: usize = 5_000;
/// Modules and components in one file, and how deep they nest.
const MAX_MODULES: usize = 64;
const MAX_NESTING: usize = 8;

const OURS: &str = "hookway:plugin/";
const PROVIDED: [&str; 2] = ["types", "log"];

/// Which interfaces of the contract a component exports.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Interfaces {
    pub(super) lifecycle: bool,
    pub(super) filter: bool,
    pub(super) transform: bool,
    pub(super) topic_matcher: bool,
}

/// What a pass over the file counts.
#[derive(Debug, Default)]
struct Census {
    functions: usize,
    modules: usize,
    nesting: usize,
    exports: Interfaces,
}

/// Says what the component exports, or why the file is none that can be loaded.
pub(super) fn inspect(bytes: &[u8]) -> Result<Interfaces, LoadError> {
    sniff(bytes)?;
    let census = census(bytes)?;
    Validator::new_with_features(WasmFeatures::all())
        .validate_all(bytes)
        .map_err(|error| LoadError::Invalid(clean(&error.to_string())))?;
    let Interfaces { filter, transform, topic_matcher, .. } = census.exports;
    if filter || transform || topic_matcher { Ok(census.exports) } else { Err(LoadError::NoInterface) }
}

fn sniff(bytes: &[u8]) -> Result<(), LoadError> {
    match bytes {
        [] => Err(LoadError::Empty),
        [b'\0', b'a', b's', b'm', 1, 0, 0, 0, ..] => Err(LoadError::CoreModule),
        [b'\0', b'a', b's', b'm', ..] => Ok(()),
        // What the engine compiles to (`.cwasm`) is an ELF file, too.
        [0x7f, b'E', b'L', b'F', ..] => Err(LoadError::Native("ELF or `.cwasm`")),
        [0xcf, 0xfa, 0xed, 0xfe, ..] => Err(LoadError::Native("Mach-O")),
        [b'M', b'Z', ..] => Err(LoadError::Native("PE")),
        _ => Err(LoadError::NotWasm),
    }
}

fn census(bytes: &[u8]) -> Result<Census, LoadError> {
    let mut census = Census::default();
    for payload in Parser::new(0).parse_all(bytes) {
        let payload = payload.map_err(|error| LoadError::Invalid(clean(&error.to_string())))?;
        census.add(payload).map_err(|error| match error {
            Finding::Broken(error) => LoadError::Invalid(clean(&error.to_string())),
            Finding::Refused(error) => error,
        })?;
    }
    Ok(census)
}

enum Finding {
    Broken(wasmparser::BinaryReaderError),
    Refused(LoadError),
}

impl From<wasmparser::BinaryReaderError> for Finding {
    fn from(error: wasmparser::BinaryReaderError) -> Self {
        Self::Broken(error)
    }
}

impl From<LoadError> for Finding {
    fn from(error: LoadError) -> Self {
        Self::Refused(error)
    }
}

impl Census {
    #[expect(clippy::wildcard_enum_match_arm, reason = "the validator judges all other payloads")]
    fn add(&mut self, payload: Payload<'_>) -> Result<(), Finding> {
        match payload {
            Payload::Version { encoding, .. } => {
                self.nesting += 1;
                self.modules += 1;
                limit("too deeply nested components", self.nesting, MAX_NESTING)?;
                limit("too many modules", self.modules, MAX_MODULES)?;
                if self.nesting == 1 && encoding == Encoding::Module {
                    return Err(LoadError::CoreModule.into());
                }
            }
            Payload::End(_) => self.nesting = self.nesting.saturating_sub(1),
            Payload::CodeSectionStart { count, .. } => {
                self.functions = self.functions.saturating_add(count as usize);
                limit("too many functions", self.functions, MAX_FUNCTIONS)?;
            }
            Payload::CodeSectionEntry(body) => {
                limit("a function with too many bytes", body.as_bytes().len(), MAX_FUNCTION_BYTES)?;
                let mut locals = 0_usize;
                for group in body.get_locals_reader()? {
                    locals = locals.saturating_add(group?.0 as usize);
                }
                limit("a function with too many locals", locals, MAX_LOCALS)?;
            }
            Payload::ComponentImportSection(imports) if self.nesting == 1 => {
                for import in imports {
                    check_import(import?.name.name)?;
                }
            }
            Payload::ComponentExportSection(exports) if self.nesting == 1 => {
                for export in exports {
                    self.exports.add(export?.name.name)?;
                }
            }
            _ => {}
        }
        Ok(())
    }
}

impl Interfaces {
    /// Exports that are not ours are nobody's business.
    fn add(&mut self, name: &str) -> Result<(), LoadError> {
        let Some((interface, version)) = ours(name) else { return Ok(()) };
        let known = match interface {
            "lifecycle" => &mut self.lifecycle,
            "filter" => &mut self.filter,
            "transform" => &mut self.transform,
            "topic-matcher" => &mut self.topic_matcher,
            _ => return Ok(()),
        };
        if !on_our_track(version) {
            return Err(LoadError::OtherTrack { verb: "exports", name: clean(name) });
        }
        *known = true;
        Ok(())
    }
}

fn check_import(name: &str) -> Result<(), LoadError> {
    if name.starts_with("wasi:") {
        return Ok(());
    }
    match ours(name) {
        Some((interface, version)) if PROVIDED.contains(&interface) => {
            if on_our_track(version) {
                Ok(())
            } else {
                Err(LoadError::OtherTrack { verb: "imports", name: clean(name) })
            }
        }
        _ => Err(LoadError::Import(clean(name))),
    }
}

/// `hookway:plugin/filter@1.0.0` -> (`filter`, `1.0.0`).
fn ours(name: &str) -> Option<(&str, &str)> {
    let rest = name.strip_prefix(OURS)?;
    Some(rest.split_once('@').unwrap_or((rest, "")))
}

/// Within a major version, everything that one side knows the other one understands or ignores.
fn on_our_track(version: &str) -> bool {
    version.strip_prefix("1.").is_some_and(|rest| !rest.contains('-'))
}

fn limit(what: &str, found: usize, limit: usize) -> Result<(), LoadError> {
    if found > limit { Err(LoadError::Limit { what: format!("{what} ({found})"), limit }) } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(wat: &str) -> LoadError {
        inspect(&wat::parse_str(wat).unwrap()).unwrap_err()
    }

    #[test]
    fn each_kind_of_wrong_file_has_its_sentence() {
        assert_eq!(inspect(b""), Err(LoadError::Empty));
        assert_eq!(inspect(b"(component)"), Err(LoadError::NotWasm));
        assert_eq!(inspect(b"\x7fELF\x02\x01"), Err(LoadError::Native("ELF or `.cwasm`")));
        assert_eq!(refused("(module)"), LoadError::CoreModule);
        assert_eq!(refused("(component)"), LoadError::NoInterface);
        assert!(matches!(inspect(b"\0asm"), Err(LoadError::Invalid(_))));
    }

    #[test]
    fn a_truncated_file_is_invalid_wherever_it_ends() {
        let bytes = wat::parse_str(
            r#"(component (core module (func (export "f"))) (import "wasi:x/y@0.2.0" (instance)))"#,
        )
        .unwrap();
        for end in 1..bytes.len() {
            let error = inspect(&bytes[..end]).unwrap_err();
            let cut_at_a_section = error == LoadError::NoInterface;
            assert!(
                cut_at_a_section || matches!(error, LoadError::Invalid(_)) || error == LoadError::NotWasm,
                "{error}"
            );
        }
    }

    #[test]
    fn other_versions_and_unknown_imports_are_named() {
        let exported =
            |name: &str| refused(&format!(r#"(component (instance $i) (export "{name}" (instance $i)))"#));
        let other = exported("hookway:plugin/filter@2.0.0").to_string();
        assert!(other.contains("exports `hookway:plugin/filter@2.0.0`, this gateway speaks 1.x"), "{other}");
        assert!(matches!(exported("hookway:plugin/filter@1.0.0-rc.1"), LoadError::OtherTrack { .. }));
        assert!(matches!(exported("hookway:plugin/filter"), LoadError::OtherTrack { .. }));
        let imported = |name: &str| refused(&format!(r#"(component (import "{name}" (instance)))"#));
        assert_eq!(imported("acme:kv/store@1.0.0"), LoadError::Import("acme:kv/store@1.0.0".into()));
        assert_eq!(imported("hookway:plugin/kv@1.0.0"), LoadError::Import("hookway:plugin/kv@1.0.0".into()));
        assert!(matches!(
            imported("hookway:plugin/log@2.0.0"),
            LoadError::OtherTrack { verb: "imports", .. }
        ));
    }

    #[test]
    fn what_would_take_too_long_to_compile_is_refused() {
        let locals = "i32 ".repeat(MAX_LOCALS + 1);
        let many_locals = refused(&format!("(component (core module (func (local {locals}))))"));
        assert!(matches!(many_locals, LoadError::Limit { limit: MAX_LOCALS, .. }), "{many_locals}");
        let nops = "nop ".repeat(MAX_FUNCTION_BYTES);
        let long = refused(&format!("(component (core module (func {nops})))"));
        assert!(matches!(long, LoadError::Limit { limit: MAX_FUNCTION_BYTES, .. }), "{long}");
        let modules = "(core module)".repeat(MAX_MODULES + 1);
        assert!(matches!(refused(&format!("(component {modules})")), LoadError::Limit { .. }));
    }
}
