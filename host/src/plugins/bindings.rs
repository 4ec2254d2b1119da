//! The generated code for `wit/hookway.wit`.
//!
//! The world below is the host's own and only names what is generated. A plugin need not fit it: each exported
//! interface is looked up by itself, on its semver track, and each is optional.

wasmtime::component::bindgen!({
    path: "../wit",
    inline: "
        package hookway:host;
        world plugin {
            import hookway:plugin/types@1.0.0;
            import hookway:plugin/log@1.0.0;
            import hookway:plugin/kv@1.0.0;
            export hookway:plugin/lifecycle@1.0.0;
            export hookway:plugin/filter@1.0.0;
            export hookway:plugin/transform@1.0.0;
            export hookway:plugin/topic-matcher@1.0.0;
        }
    ",
    world: "hookway:host/plugin",
    imports: { "hookway:plugin/kv": async | trappable, default: trappable },
    exports: { default: async },
    with: {
        "hookway:plugin/types.event": super::state::EventHandle,
        "hookway:plugin/types.endpoint": super::state::EndpointHandle,
    },
});

pub(super) use self::exports::hookway::plugin::{filter, lifecycle, topic_matcher, transform};
pub(super) use self::hookway::plugin::{kv, log, types};
