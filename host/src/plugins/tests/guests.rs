//! Small components as text, each with one thing about it.

/// A component with a filter whose body is `body`. The handles are dropped first, as the contract wants. Memory is
/// zero, so `i32.const 0` as the result means `deliver`.
pub(crate) fn filter(body: &str) -> Vec<u8> {
    component("hookway:plugin/filter@1.0.0", body, "")
}

/// As [`filter`], with an `init` that fails for every text that begins with `"b` (as in `"bad"`).
pub(super) fn filter_with_init(body: &str) -> Vec<u8> {
    component("hookway:plugin/filter@1.0.0", body, LIFECYCLE)
}

const LIFECYCLE: &str = r#"
      (type $init-type (func (param "config" string) (result (result (error string)))))
      (func $init (type $init-type) (canon lift (core func $i "init") (memory (core memory $i "memory")) (realloc (core func $i "realloc"))))
      (instance $lifecycle (export "init" (func $init)))
      (export "hookway:plugin/lifecycle@1.0.0" (instance $lifecycle))"#;

/// A filter component that exports under another name.
pub(super) fn exporting(name: &str) -> Vec<u8> {
    component(name, "i32.const 0", "")
}

/// A component whose filter has no parameters.
pub(super) fn wrong_types() -> Vec<u8> {
    parse(
        r#"(component
          (core module $m (func (export "filter") (result i32) i32.const 0))
          (core instance $i (instantiate $m))
          (func $filter (result u32) (canon lift (core func $i "filter")))
          (instance $filter (export "filter" (func $filter)))
          (export "hookway:plugin/filter@1.0.0" (instance $filter)))"#,
    )
}

/// A component that exports the interface but not its function.
pub(super) fn missing_function() -> Vec<u8> {
    parse(r#"(component (instance $i) (export "hookway:plugin/filter@1.0.0" (instance $i)))"#)
}

/// A component with a memory of this size, and nothing else that works.
pub(super) fn memory_of(limits: &str) -> Vec<u8> {
    let text = format!(
        r#"(component (core module (memory {limits})) (instance $i) (export "hookway:plugin/filter@1.0.0" (instance $i)))"#
    );
    parse(&text)
}

/// A component with a function of the coming version of the component model, which may wait for others.
pub(super) fn asynchronous() -> Vec<u8> {
    parse(
        r#"(component
          (core module $m
            (func (export "filter") (result i32) i32.const 0)
            (func (export "callback") (param i32 i32 i32) (result i32) i32.const 0))
          (core instance $i (instantiate $m))
          (func $filter async (result u32)
            (canon lift (core func $i "filter") async (callback (core func $i "callback"))))
          (instance $filter (export "filter" (func $filter)))
          (export "hookway:plugin/filter@1.0.0" (instance $filter)))"#,
    )
}

/// A matcher that accepts topics longer than six characters, and refuses an empty list of patterns.
pub(super) fn matcher() -> Vec<u8> {
    matcher_with(
        "(global.get $free)
          (global.set $free (i32.add (global.get $free) (i32.and (i32.add (local.get 3) (i32.const 7)) (i32.const -8))))",
    )
}

/// The same with this `realloc`.
pub(super) fn matcher_with(realloc: &str) -> Vec<u8> {
    let text = r#"(component
      (type $matcher (resource (rep i32)))
      (core func $new (canon resource.new $matcher))
      (core module $m
        (import "host" "new" (func $new (param i32) (result i32)))
        (memory (export "memory") 1)
        (data (i32.const 64) "no patterns")
        (global $free (mut i32) (i32.const 4096))
        (func (export "realloc") (param i32 i32 i32 i32) (result i32) REALLOC)
        (func (export "compile") (param i32 i32) (result i32)
          (if (local.get 1)
            (then
              (i32.store (i32.const 0) (i32.const 0))
              (i32.store (i32.const 4) (call $new (local.get 1))))
            (else
              (i32.store (i32.const 0) (i32.const 1))
              (i32.store (i32.const 4) (i32.const 64))
              (i32.store (i32.const 8) (i32.const 11))))
          (i32.const 0))
        (func (export "matches") (param i32 i32 i32) (result i32)
          (i32.gt_u (local.get 2) (i32.const 6))))
      (core instance $i (instantiate $m (with "host" (instance (export "new" (func $new))))))
      (func $compile (param "patterns" (list string)) (result (result (own $matcher) (error string)))
        (canon lift (core func $i "compile") (memory (core memory $i "memory")) (realloc (core func $i "realloc"))))
      (func $matches (param "self" (borrow $matcher)) (param "topic" string) (result bool)
        (canon lift (core func $i "matches") (memory (core memory $i "memory")) (realloc (core func $i "realloc"))))
      (component $shim
        (import "matcher" (type $matcher (sub resource)))
        (import "compile" (func $compile (param "patterns" (list string)) (result (result (own $matcher) (error string)))))
        (import "matches" (func $matches (param "self" (borrow $matcher)) (param "topic" string) (result bool)))
        (export $out "matcher" (type $matcher))
        (export "[static]matcher.compile" (func $compile)
          (func (param "patterns" (list string)) (result (result (own $out) (error string)))))
        (export "[method]matcher.matches" (func $matches)
          (func (param "self" (borrow $out)) (param "topic" string) (result bool))))
      (instance $exported (instantiate $shim
        (with "matcher" (type $matcher)) (with "compile" (func $compile)) (with "matches" (func $matches))))
      (export "hookway:plugin/topic-matcher@1.0.0" (instance $exported)))"#;
    parse(&text.replace("REALLOC", realloc))
}

/// The address where a result lies after `store` wrote it, for bodies: `drop` with the text at `at`.
pub(super) fn drop_with(at: &str, len: &str) -> String {
    format!(
        "(i32.store8 (i32.const 4) (i32.const 1)) (i32.store (i32.const 8) ({at})) (i32.store (i32.const 12) ({len})) i32.const 0"
    )
}

fn component(export: &str, body: &str, more: &str) -> Vec<u8> {
    Shape { filter: body, ..Shape::default() }.component(export, more)
}

/// The parts of a filter that can be anything, as text.
pub(super) struct Shape<'a> {
    /// The limits of its memory, in pages of 64 KiB.
    pub(super) memory: &'a str,
    /// Where memory for what the host hands over lies; parameters are `old`, `old size`, `align` and `size`.
    pub(super) realloc: &'a str,
    /// The body of the filter.
    pub(super) filter: &'a str,
    /// What runs once the host has read the answer.
    pub(super) post: &'a str,
    /// Further definitions of the module.
    pub(super) items: &'a str,
}

impl Default for Shape<'_> {
    fn default() -> Self {
        Self {
            memory: "1",
            realloc: "(global.get $free) (global.set $free (i32.add (global.get $free) (local.get 3)))",
            filter: "i32.const 0",
            post: "",
            items: "",
        }
    }
}

impl Shape<'_> {
    pub(super) fn filter(&self) -> Vec<u8> {
        self.component("hookway:plugin/filter@1.0.0", "")
    }

    /// With the `init` of [`filter_with_init`], so that the host hands a text over.
    pub(super) fn filter_with_init(&self) -> Vec<u8> {
        self.component("hookway:plugin/filter@1.0.0", LIFECYCLE)
    }

    #[expect(clippy::too_many_lines, reason = "one component, which reads best in one piece")]
    fn component(&self, export: &str, more: &str) -> Vec<u8> {
        let Self { memory, realloc, filter, post, items } = self;
        parse(&format!(
            r#"(component
      (import "hookway:plugin/types@1.0.0" (instance $types
        (export "event" (type (sub resource)))
        (export "endpoint" (type (sub resource)))
        (type $error-type (variant (case "invalid" string) (case "retry" string)))
        (export "error" (type (eq $error-type)))))
      (alias export $types "event" (type $event))
      (alias export $types "endpoint" (type $endpoint))
      (alias export $types "error" (type $error))
      (core func $drop-event (canon resource.drop $event))
      (core func $drop-endpoint (canon resource.drop $endpoint))
      (core module $m
        (import "host" "drop-event" (func $drop-event (param i32)))
        (import "host" "drop-endpoint" (func $drop-endpoint (param i32)))
        (memory (export "memory") {memory})
        (data (i32.const 64) "seen \c3\bc")
        (data (i32.const 96) "\ff\fe")
        (global $calls (mut i32) (i32.const 0))
        (global $free (mut i32) (i32.const 4096))
        (func (export "realloc") (param i32 i32 i32 i32) (result i32) {realloc})
        (func (export "post") (param i32) {post})
        {items}
        (func $deeper (param i32) (result i32)
          (i32.add (i32.const 1) (call $deeper (i32.add (local.get 0) (i32.const 1)))))
        (func (export "init") (param i32 i32) (result i32)
          (i32.store8 (i32.const 128)
            (i32.eq (i32.load8_u (i32.add (local.get 0) (i32.const 1))) (i32.const 98)))
          (i32.store (i32.const 132) (i32.const 64))
          (i32.store (i32.const 136) (i32.const 4))
          (i32.const 128))
        (func $the_filter (export "filter") (param i32 i32) (result i32)
          (call $drop-event (local.get 0))
          (call $drop-endpoint (local.get 1))
          (global.set $calls (i32.add (global.get $calls) (i32.const 1)))
          {filter}))
      (core instance $i (instantiate $m (with "host" (instance
        (export "drop-event" (func $drop-event))
        (export "drop-endpoint" (func $drop-endpoint))))))
      (component $shim
        (import "event" (type $event (sub resource)))
        (import "endpoint" (type $endpoint (sub resource)))
        (type $error-type (variant (case "invalid" string) (case "retry" string)))
        (import "error" (type $error (eq $error-type)))
        (type $verdict-type (variant (case "deliver") (case "drop" string)))
        (import "verdict" (type $verdict (eq $verdict-type)))
        (import "filter" (func $filter (param "event" (borrow $event)) (param "to" (borrow $endpoint))
          (result (result $verdict (error $error)))))
        (export $event-out "event" (type $event))
        (export $endpoint-out "endpoint" (type $endpoint))
        (export $error-out "error" (type $error))
        (export $verdict-out "verdict" (type $verdict))
        (export "filter" (func $filter) (func (param "event" (borrow $event-out)) (param "to" (borrow $endpoint-out))
          (result (result $verdict-out (error $error-out))))))
      (type $verdict (variant (case "deliver") (case "drop" string)))
      (type $filter-type (func (param "event" (borrow $event)) (param "to" (borrow $endpoint))
        (result (result $verdict (error $error)))))
      (func $filter (type $filter-type)
        (canon lift (core func $i "filter") (memory (core memory $i "memory")) (realloc (core func $i "realloc"))
          (post-return (core func $i "post"))))
      (instance $exported (instantiate $shim
        (with "event" (type $event)) (with "endpoint" (type $endpoint)) (with "error" (type $error))
        (with "verdict" (type $verdict)) (with "filter" (func $filter))))
      (export "{export}" (instance $exported))
      {more})"#
        ))
    }
}

fn parse(text: &str) -> Vec<u8> {
    wat::parse_str(text).unwrap()
}
