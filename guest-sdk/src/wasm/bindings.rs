//! The generated bindings: imports once, exports one world per interface, so a component exports only what its
//! `export!` names.

/// `types` and `log`, which the gateway provides.
pub mod imports {
    wit_bindgen::generate!({
        path: "../wit",
        inline: "package hookway:sdk; world imports { import hookway:plugin/types@1.0.0; import hookway:plugin/log@1.0.0; }",
        generate_all,
        generate_unused_types: true,
        type_section_suffix: "imports",
    });
}

/// `kv`, which the gateway provides to plugins that have the grant. A component that does not use it does not import it.
pub mod kv_world {
    wit_bindgen::generate!({
        path: "../wit",
        inline: "package hookway:sdk; world kv-import { import hookway:plugin/kv@1.0.0; }",
        generate_all,
        type_section_suffix: "kv",
    });
}

/// Exports `lifecycle`.
pub mod lifecycle_world {
    wit_bindgen::generate!({
        path: "../wit",
        inline: "package hookway:sdk; world lifecycle-export { export hookway:plugin/lifecycle@1.0.0; }",
        generate_all,
        pub_export_macro: true,
        export_macro_name: "export_lifecycle",
    });
}

/// Exports `filter`.
pub mod filter_world {
    wit_bindgen::generate!({
        path: "../wit",
        inline: "package hookway:sdk; world filter-export { export hookway:plugin/filter@1.0.0; }",
        with: { "hookway:plugin/types@1.0.0": super::imports::hookway::plugin::types },
        generate_all,
        pub_export_macro: true,
        export_macro_name: "export_filter",
    });
}

/// Exports `transform`.
pub mod transform_world {
    wit_bindgen::generate!({
        path: "../wit",
        inline: "package hookway:sdk; world transform-export { export hookway:plugin/transform@1.0.0; }",
        with: { "hookway:plugin/types@1.0.0": super::imports::hookway::plugin::types },
        generate_all,
        pub_export_macro: true,
        export_macro_name: "export_transform",
    });
}

/// Exports `topic-matcher`.
pub mod matcher_world {
    wit_bindgen::generate!({
        path: "../wit",
        inline: "package hookway:sdk; world matcher-export { export hookway:plugin/topic-matcher@1.0.0; }",
        generate_all,
        pub_export_macro: true,
        export_macro_name: "export_matcher",
    });
}
