//! What can be said about a file from its bytes, before anything of it is compiled.

mod census;
mod interfaces;

pub(super) use self::census::{Census, Kind, kind};
pub(super) use self::interfaces::{Grant, Interfaces, Needed, check_import, needed};
use super::error::LoadError;

/// Says why a file is none that can be loaded, if its bytes tell. What a core module will export is not known before it
/// is made a component. Returns what of its imports takes a grant.
pub(super) fn inspect(file: &[u8]) -> Result<Vec<Needed>, LoadError> {
    let kind = kind(file)?;
    let census = Census::of(file)?;
    match kind {
        Kind::CoreModule if census.has_component_type => Ok(Vec::new()),
        Kind::CoreModule => Err(LoadError::CoreModule),
        Kind::Component => {
            let needed = needed(census.imports.iter().map(String::as_str))?;
            let mut interfaces = Interfaces::default();
            for name in &census.exports {
                interfaces.add(name)?;
            }
            interfaces.some().map(|_| needed)
        }
    }
}

/// Whether a core module has a section that says which interfaces it is made for.
pub(super) fn says_its_interface(module: &[u8]) -> Result<bool, LoadError> {
    Census::of(module).map(|census| census.has_component_type)
}

#[cfg(test)]
mod tests {
    use super::census::{MAX_FUNCTION_BYTES, MAX_FUNCTIONS, MAX_LOCALS, MAX_LOCALS_IN_ALL, MAX_MODULES};
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
        assert_eq!(refused(r#"(module (@custom "name" "x"))"#), LoadError::CoreModule);
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
        for elsewhere in [
            "wasi:http/incoming-handler@0.2.0",
            "wasi:cli/environment@0.3.0",
            "wasi:cli/environment",
            "wasi:nn",
        ] {
            assert_eq!(imported(elsewhere), LoadError::Import(elsewhere.into()));
        }
        assert_eq!(imported("wasi:http/types@0.3.0"), LoadError::Import("wasi:http/types@0.3.0".into()));
        assert_eq!(
            imported("hookway:plugin/env@1.0.0"),
            LoadError::Import("hookway:plugin/env@1.0.0".into())
        );
        assert!(matches!(imported("hookway:plugin/kv@2.0.0"), LoadError::OtherTrack { verb: "imports", .. }));
        assert!(matches!(
            imported("hookway:plugin/log@2.0.0"),
            LoadError::OtherTrack { verb: "imports", .. }
        ));
    }

    #[test]
    fn what_takes_a_grant_is_named() {
        let names = ["wasi:cli/stdout@0.2.6", "wasi:http/types@0.2.12", "hookway:plugin/kv@1.0.0"];
        let needed = needed(names).unwrap();
        let found: Vec<_> = needed.iter().map(|needed| (needed.import.as_str(), needed.grant)).collect();
        assert_eq!(found, [(names[1], Grant::Http), (names[2], Grant::Kv)]);
    }

    #[test]
    fn what_would_take_too_long_to_compile_is_refused() {
        let locals = "i32 ".repeat(MAX_LOCALS + 1);
        let many_locals = refused(&format!("(component (core module (func (local {locals}))))"));
        assert!(matches!(many_locals, LoadError::Limit { limit: MAX_LOCALS, .. }), "{many_locals}");
        let nops = "nop ".repeat(MAX_FUNCTION_BYTES);
        let long = refused(&format!("(component (core module (func {nops})))"));
        assert!(matches!(long, LoadError::Limit { limit: MAX_FUNCTION_BYTES, .. }), "{long}");
        let functions = "(func)".repeat(MAX_FUNCTIONS + 1);
        let many = refused(&format!("(component (core module {functions}))"));
        assert!(matches!(many, LoadError::Limit { limit: MAX_FUNCTIONS, .. }), "{many}");
        let some_locals = format!("(func (local {}))", "i32 ".repeat(MAX_LOCALS));
        let in_all = some_locals.repeat(MAX_LOCALS_IN_ALL / MAX_LOCALS + 1);
        let in_all = refused(&format!("(component (core module {in_all}))"));
        assert!(matches!(in_all, LoadError::Limit { limit: MAX_LOCALS_IN_ALL, .. }), "{in_all}");
        let tables = refused(&format!("(component (core module {}))", "(table 0 funcref)".repeat(1_000)));
        assert!(tables.to_string().contains("too many tables (1000)"), "{tables}");
        let types = refused(&format!("(component {})", "(type (list u8))".repeat(100_000)));
        assert!(types.to_string().contains("too many types"), "{types}");
        let deep = format!("{}{}", "(component ".repeat(20), ")".repeat(20));
        assert!(refused(&deep).to_string().contains("too deeply nested components"));
        let modules = "(core module)".repeat(MAX_MODULES + 1);
        assert!(matches!(refused(&format!("(component {modules})")), LoadError::Limit { .. }));
    }
}
