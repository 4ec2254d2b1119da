//! What is in a file and how much of it: one pass over its sections, in milliseconds, before anything of it is compiled.
//!
//! What compiling costs grows with these numbers, with some of them faster than they do. The limits are a few times
//! what the largest real components have: Python and StarlingMonkey, each an interpreter in a file of 12 to 18 MB.

use std::collections::BTreeMap;

use wasmparser::{BinaryReaderError, FunctionBody, Parser, Payload};

use crate::plugins::error::LoadError;
use crate::plugins::text::clean;

/// An embedded Python has about 25,000; 100,000 tiny ones take 7 s and 600 MiB to compile.
pub(super) const MAX_FUNCTIONS: usize = 60_000;
/// The main loop of an interpreter is the largest function there is.
pub(super) const MAX_FUNCTION_BYTES: usize = 512 << 10;
/// The cost of compiling grows with their square. Compilers emit hundreds.
pub(super) const MAX_LOCALS: usize = 5_000;
/// The same for many functions with some locals each.
pub(super) const MAX_LOCALS_IN_ALL: usize = 2_000_000;
/// Modules and components in one file, and how deep they nest.
pub(super) const MAX_MODULES: usize = 64;
pub(super) const MAX_NESTING: usize = 8;
/// Definitions of each other kind, in all modules and components together.
const MAX_TYPES: usize = 20_000;
const MAX_IMPORTS: usize = 10_000;
const MAX_EXPORTS: usize = 50_000;
const MAX_TABLES: usize = 64;
const MAX_MEMORIES: usize = 64;
const MAX_GLOBALS: usize = 50_000;
const MAX_SEGMENTS: usize = 200_000;
const MAX_PARTS: usize = 50_000;

/// Whether a file is a component or what one can be made of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::plugins) enum Kind {
    Component,
    CoreModule,
}

/// What a pass over the file finds.
#[derive(Debug, Default)]
pub(in crate::plugins) struct Census {
    /// What the component imports and exports, by name. Empty for a core module.
    pub(in crate::plugins) imports: Vec<String>,
    pub(in crate::plugins) exports: Vec<String>,
    /// Whether a core module has a section that says which interfaces it is made for.
    pub(super) has_component_type: bool,
    nesting: usize,
    counts: BTreeMap<&'static str, usize>,
}

/// Why the pass ends early.
enum Finding {
    Broken(BinaryReaderError),
    TooMuch(LoadError),
}

impl From<BinaryReaderError> for Finding {
    fn from(error: BinaryReaderError) -> Self {
        Self::Broken(error)
    }
}

impl Census {
    /// Looks through the whole file.
    pub(in crate::plugins) fn of(file: &[u8]) -> Result<Self, LoadError> {
        let broken = |error: BinaryReaderError| LoadError::Invalid(clean(&error.to_string()));
        let mut census = Self::default();
        for payload in Parser::new(0).parse_all(file) {
            census.add(payload.map_err(broken)?).map_err(|finding| match finding {
                Finding::Broken(error) => broken(error),
                Finding::TooMuch(error) => error,
            })?;
        }
        Ok(census)
    }

    #[expect(clippy::wildcard_enum_match_arm, reason = "the validator judges all other payloads")]
    fn add(&mut self, payload: Payload<'_>) -> Result<(), Finding> {
        match payload {
            Payload::Version { .. } => {
                self.nesting += 1;
                at_most("too deeply nested components", self.nesting, MAX_NESTING)?;
                self.count("modules", 1, MAX_MODULES)
            }
            Payload::End(_) => {
                self.nesting = self.nesting.saturating_sub(1);
                Ok(())
            }
            Payload::CodeSectionEntry(body) => self.add_function(&body),
            Payload::CustomSection(section) => {
                self.has_component_type |= self.nesting == 1 && section.name().starts_with("component-type");
                Ok(())
            }
            Payload::ComponentImportSection(imports) => {
                self.count("imports", imports.count(), MAX_IMPORTS)?;
                if self.nesting == 1 {
                    for import in imports {
                        self.imports.push(import?.name.name.to_owned());
                    }
                }
                Ok(())
            }
            Payload::ComponentExportSection(exports) => {
                self.count("exports", exports.count(), MAX_EXPORTS)?;
                if self.nesting == 1 {
                    for export in exports {
                        self.exports.push(export?.name.name.to_owned());
                    }
                }
                Ok(())
            }
            other => match definitions(&other) {
                Some((what, count, most)) => self.count(what, count, most),
                None => Ok(()),
            },
        }
    }

    fn add_function(&mut self, body: &FunctionBody<'_>) -> Result<(), Finding> {
        at_most("a function with too many bytes", body.as_bytes().len(), MAX_FUNCTION_BYTES)?;
        let mut locals = 0_u32;
        for group in body.get_locals_reader()? {
            locals = locals.saturating_add(group?.0);
        }
        at_most("a function with too many locals", locals as usize, MAX_LOCALS)?;
        self.count("locals", locals, MAX_LOCALS_IN_ALL)
    }

    fn count(&mut self, what: &'static str, more: u32, most: usize) -> Result<(), Finding> {
        let count = self.counts.entry(what).or_default();
        *count = count.saturating_add(more as usize);
        at_most(&format!("too many {what}"), *count, most)
    }
}

/// What a section defines, how many, and how many there may be.
#[expect(clippy::wildcard_enum_match_arm, reason = "other sections define nothing")]
fn definitions(payload: &Payload<'_>) -> Option<(&'static str, u32, usize)> {
    Some(match payload {
        Payload::CodeSectionStart { count, .. } => ("functions", *count, MAX_FUNCTIONS),
        Payload::TypeSection(section) => ("types", section.count(), MAX_TYPES),
        Payload::CoreTypeSection(section) => ("types", section.count(), MAX_TYPES),
        Payload::ComponentTypeSection(section) => ("types", section.count(), MAX_TYPES),
        Payload::ImportSection(section) => ("imports", section.count(), MAX_IMPORTS),
        Payload::ExportSection(section) => ("exports", section.count(), MAX_EXPORTS),
        Payload::TableSection(section) => ("tables", section.count(), MAX_TABLES),
        Payload::MemorySection(section) => ("memories", section.count(), MAX_MEMORIES),
        Payload::GlobalSection(section) => ("globals", section.count(), MAX_GLOBALS),
        Payload::ElementSection(section) => ("segments", section.count(), MAX_SEGMENTS),
        Payload::DataSection(section) => ("segments", section.count(), MAX_SEGMENTS),
        Payload::InstanceSection(section) => ("instances and aliases", section.count(), MAX_PARTS),
        Payload::ComponentInstanceSection(section) => ("instances and aliases", section.count(), MAX_PARTS),
        Payload::ComponentAliasSection(section) => ("instances and aliases", section.count(), MAX_PARTS),
        Payload::ComponentCanonicalSection(section) => ("instances and aliases", section.count(), MAX_PARTS),
        _ => return None,
    })
}

fn at_most(what: &str, found: usize, limit: usize) -> Result<(), Finding> {
    if found > limit {
        Err(Finding::TooMuch(LoadError::Limit { what: format!("{what} ({found})"), limit }))
    } else {
        Ok(())
    }
}

/// What the first bytes of a file say it is.
pub(in crate::plugins) fn kind(file: &[u8]) -> Result<Kind, LoadError> {
    match file {
        [] => Err(LoadError::Empty),
        [b'\0', b'a', b's', b'm', 1, 0, 0, 0, ..] => Ok(Kind::CoreModule),
        [b'\0', b'a', b's', b'm', ..] => Ok(Kind::Component),
        // What the engine compiles to (`.cwasm`) is an ELF file, too.
        [0x7f, b'E', b'L', b'F', ..] => Err(LoadError::Native("ELF or `.cwasm`")),
        [0xcf, 0xfa, 0xed, 0xfe, ..] => Err(LoadError::Native("Mach-O")),
        [b'M', b'Z', ..] => Err(LoadError::Native("PE")),
        _ => Err(LoadError::NotWasm),
    }
}
