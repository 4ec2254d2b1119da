//! What a schema may cost, worked out before it is compiled: it has to be finite and small.
//!
//! A schema is a tree of schemas, and each is applied at most once to each value of a payload - until a reference leads to
//! one of them from a second place. So the tree is counted as if every reference were written out, each schema once per
//! way that leads to it. References that lead back to themselves have no such tree and are refused, also where the payload
//! would end them: two such references side by side double the work at each level of the payload.
//!
//! `unevaluatedProperties` and `unevaluatedItems` apply the schemas beside them again, to see what they looked at, and
//! those their own: [`Weight::again`].

use std::collections::HashMap;

use serde_json::{Map, Value};

use super::super::Refusal;
use crate::json::escape;

/// Schemas, with every reference written out.
const MAX_SCHEMAS: u64 = 4000;
/// Schemas inside each other, with every reference written out. A check recurses as deep.
const MAX_DEPTH: usize = 64;
/// Regular expressions: each is compiled, and keeps a cache for each thread.
const MAX_PATTERNS: usize = 100;

/// Keywords whose value is a schema.
const ONE: [&str; 12] = [
    "additionalItems",
    "additionalProperties",
    "contains",
    "contentSchema",
    "else",
    "if",
    "items",
    "not",
    "propertyNames",
    "then",
    "unevaluatedItems",
    "unevaluatedProperties",
];
/// Keywords whose value is an array of schemas; `items` is one in draft-07.
const MANY: [&str; 5] = ["allOf", "anyOf", "items", "oneOf", "prefixItems"];
/// Keywords whose value is an object of schemas; in `dependencies` some are arrays of names.
const NAMED: [&str; 4] = ["dependencies", "dependentSchemas", "patternProperties", "properties"];
/// Those that are applied to the value itself, not to its parts.
const IN_PLACE: [&str; 9] =
    ["allOf", "anyOf", "dependencies", "dependentSchemas", "else", "if", "not", "oneOf", "then"];
const UNEVALUATED: [&str; 2] = ["unevaluatedItems", "unevaluatedProperties"];
/// References that depend on the way that led to them.
const DYNAMIC: [&str; 2] = ["$dynamicRef", "$recursiveRef"];

/// How many schemas this one is, with every reference written out.
///
/// # Errors
/// It is too many, too deep, without end, or leads outside.
pub(super) fn of(schema: &Value) -> Result<u64, Refusal> {
    let mut walk = Walk { root: schema, known: HashMap::new(), open: Vec::new(), patterns: 0 };
    Ok(walk.visit("")?.schemas)
}

#[derive(Clone, Copy)]
struct Weight {
    /// Schemas that a check applies.
    schemas: u64,
    /// Schemas that are applied once more when an `unevaluated` keyword looks at what this one looked at.
    again: u64,
    /// Schemas inside each other.
    depth: usize,
}

struct Walk<'a> {
    root: &'a Value,
    /// By pointer: what is walked already.
    known: HashMap<String, Weight>,
    /// The pointers on the way here.
    open: Vec<String>,
    patterns: usize,
}

/// A schema that another one applies.
struct Child {
    pointer: String,
    in_place: bool,
}

impl Walk<'_> {
    fn visit(&mut self, pointer: &str) -> Result<Weight, Refusal> {
        if let Some(known) = self.known.get(pointer) {
            return Ok(*known);
        }
        let alone = Weight { schemas: 1, again: 0, depth: 1 };
        let Some(schema) = self.root.pointer(pointer).and_then(Value::as_object) else { return Ok(alone) };
        if self.open.len() == MAX_DEPTH {
            return Err(too_deep(pointer));
        }
        self.count_patterns(schema, pointer)?;
        let mut weight = alone;
        self.open.push(pointer.to_owned());
        for child in self.children(schema, pointer)? {
            let inside = self.visit(&child.pointer)?;
            weight.schemas = weight.schemas.saturating_add(inside.schemas);
            if child.in_place {
                weight.again = weight.again.saturating_add(inside.schemas).saturating_add(inside.again);
            }
            weight.depth = weight.depth.max(inside.depth + 1);
        }
        self.open.pop();
        if UNEVALUATED.iter().any(|keyword| schema.contains_key(*keyword)) {
            weight.schemas = weight.schemas.saturating_add(weight.again);
        }
        check_size(weight, pointer)?;
        self.known.insert(pointer.to_owned(), weight);
        Ok(weight)
    }

    fn count_patterns(&mut self, schema: &Map<String, Value>, pointer: &str) -> Result<(), Refusal> {
        let named = schema.get("patternProperties").and_then(Value::as_object).map_or(0, Map::len);
        self.patterns += named + usize::from(schema.contains_key("pattern"));
        if self.patterns <= MAX_PATTERNS {
            return Ok(());
        }
        let reason = format!("a schema has at most {MAX_PATTERNS} regular expressions");
        Err(Refusal::new(pointer, reason))
    }

    fn children(&self, schema: &Map<String, Value>, pointer: &str) -> Result<Vec<Child>, Refusal> {
        let mut children = Vec::new();
        for (keyword, value) in schema {
            let place = format!("{pointer}/{}", escape(keyword));
            let in_place = IN_PLACE.contains(&keyword.as_str());
            let mut add = |pointer| children.push(Child { pointer, in_place });
            match (keyword.as_str(), value) {
                ("$ref", Value::String(reference)) => {
                    let target = self.target(reference, &place)?;
                    children.push(Child { pointer: target, in_place: true });
                }
                (word, _) if DYNAMIC.contains(&word) => {
                    let reason = format!("`{word}` is not taken; write `$ref` with the place it means");
                    return Err(Refusal::new(place, reason));
                }
                ("$id" | "$schema", _) if !pointer.is_empty() => {
                    let reason = format!("`{keyword}` is taken at the root of a schema only");
                    return Err(Refusal::new(place, reason));
                }
                (word, Value::Array(all)) if MANY.contains(&word) => {
                    (0..all.len()).for_each(|index| add(format!("{place}/{index}")));
                }
                (word, Value::Object(all)) if NAMED.contains(&word) => {
                    all.keys().for_each(|name| add(format!("{place}/{}", escape(name))));
                }
                (word, _) if ONE.contains(&word) => add(place),
                _ => {}
            }
        }
        Ok(children)
    }

    /// The pointer that a reference leads to.
    fn target(&self, reference: &str, place: &str) -> Result<String, Refusal> {
        let refused = |reason: &str| Err(Refusal::new(place, reason));
        let Some(target) = reference.strip_prefix('#').filter(|to| to.is_empty() || to.starts_with('/'))
        else {
            return refused("references stay inside the schema, as `#/$defs/NAME`; nothing is fetched");
        };
        if target.contains('%') {
            return refused("a reference is written without percent-encoding");
        }
        if self.root.pointer(target).is_none() {
            return refused("this reference leads nowhere; it names a place as `#/$defs/NAME`");
        }
        if self.open.iter().any(|open| open == target) || place.starts_with(&format!("{target}/")) {
            return refused(
                "this reference leads back to a schema that it is part of, so there is no limit to what a check may \
                 cost; leave the inner part open (`true`) or write out as many levels as there are",
            );
        }
        Ok(target.to_owned())
    }
}

fn check_size(weight: Weight, pointer: &str) -> Result<(), Refusal> {
    if weight.schemas > MAX_SCHEMAS {
        let reason = format!(
            "with every reference written out this is more than {MAX_SCHEMAS} schemas, which takes too long to check"
        );
        return Err(Refusal::new(pointer, reason));
    }
    if weight.depth > MAX_DEPTH { Err(too_deep(pointer)) } else { Ok(()) }
}

fn too_deep(pointer: &str) -> Refusal {
    let reason =
        format!("with every reference written out this has more than {MAX_DEPTH} schemas inside each other");
    Refusal::new(pointer, reason)
}
