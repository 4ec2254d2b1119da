//! JSON -> conditions. Everything that is wrong has its place.

use std::collections::HashSet;

use bytes::Bytes;
use regex::RegexBuilder;
use serde_json::value::RawValue;

use super::place::{Place, Step, sortable};
use super::test::{Literal, Relation, Test};
use super::{Condition, Error, Reason};
use crate::json::{Document, Value, elements, escape, pairs, unescape};

/// Room for hundreds of ids in an `$in`; kept in memory for each endpoint.
pub(super) const MAX_BYTES: usize = 16 * 1024;
/// People write three or four levels.
pub(super) const MAX_DEPTH: usize = 16;
/// Each is evaluated for every event that the endpoint's topics accept.
pub(super) const MAX_CONDITIONS: usize = 200;
/// Compiled patterns are the largest part of a filter.
pub(super) const MAX_PATTERNS: usize = 10;
pub(super) const MAX_PATTERN_BYTES: usize = 1024;
/// Room for `\w` and the like, which are large tables of Unicode; keeps out `(\w{100}){100}`.
const MAX_COMPILED_BYTES: usize = 1024 * 1024;
/// Memory for the states that a match builds as it goes; it goes on without them when they are used up.
const MAX_MATCHING_BYTES: usize = 256 * 1024;

/// The operators, for sentences.
pub(super) const OPERATORS: &str = "`$eq`, `$ne`, `$gt`, `$gte`, `$lt`, `$lte`, `$in`, `$nin`, `$exists`, `$regex`, \
                                    `$startsWith`, `$endsWith`, `$and`, `$or` and `$not`; a field whose name starts \
                                    with `$` is reached by a pointer: `\"/$name\"`";

/// What was counted so far.
#[derive(Default)]
struct Parser {
    conditions: usize,
    patterns: usize,
}

/// The conditions of a filter.
pub(super) fn filter(json: &str) -> Result<Condition, Error> {
    let json = json.trim();
    if json.len() > MAX_BYTES {
        return Err(Reason::TooLong(json.len()).at(""));
    }
    let document = Document::new(Bytes::copy_from_slice(json.as_bytes()));
    if document.value().is_some_and(|value| !nests_within(&value, MAX_DEPTH)) {
        return Err(Reason::TooDeep.at(""));
    }
    if pairs(json).is_none() {
        return Err(Reason::NotAnObject.at(""));
    }
    Parser::default().condition(json, None, "")
}

impl Parser {
    /// What the JSON says about the values at a place; no place is the event itself.
    fn condition(&mut self, json: &str, place: Option<&Place>, at: &str) -> Result<Condition, Error> {
        if let Some(pairs) = pairs(json) {
            return self.object(pairs, place, at);
        }
        let Some(place) = place else { return Err(Reason::NotAnObject.at(at)) };
        self.test(place, Test::Equal(literal(place, json, at)?), at)
    }

    fn object(
        &mut self,
        pairs: Vec<(Box<str>, &RawValue)>,
        place: Option<&Place>,
        at: &str,
    ) -> Result<Condition, Error> {
        // Before anything is read: of keys that are there twice, the check of the depth saw only the last.
        let mut seen = HashSet::new();
        if let Some((key, _)) = pairs.iter().find(|(key, _)| !seen.insert(key)) {
            return Err(Reason::DuplicateKey(key.to_string()).at(&format!("{at}/{}", escape(key))));
        }
        let mut all = Vec::with_capacity(pairs.len());
        for (key, value) in &pairs {
            let at = format!("{at}/{}", escape(key));
            all.push(if key.starts_with('$') {
                self.operator(key, value.get(), place, &at)?
            } else {
                let inner = further_in(place, key).map_err(|reason| reason.at(&at))?;
                self.condition(value.get(), Some(&inner), &at)?
            });
        }
        joined(all, Condition::All).ok_or_else(|| Reason::NoCondition.at(at))
    }

    fn operator(
        &mut self,
        operator: &str,
        json: &str,
        place: Option<&Place>,
        at: &str,
    ) -> Result<Condition, Error> {
        match operator {
            "$and" => self.list("$and", json, place, at).map(Condition::All),
            "$or" => self.list("$or", json, place, at).map(Condition::Any),
            "$not" => self.condition(json, place, at).map(not),
            _ => match place {
                Some(place) => self.value_operator(operator, json, place, at),
                None if is_value_operator(operator) => Err(Reason::NoValueToTest(operator.to_owned()).at(at)),
                None => Err(Reason::UnknownOperator(operator.to_owned()).at(at)),
            },
        }
    }

    fn list(
        &mut self,
        operator: &'static str,
        json: &str,
        place: Option<&Place>,
        at: &str,
    ) -> Result<Vec<Condition>, Error> {
        let list = elements(json).filter(|list| !list.is_empty());
        let list = list.ok_or_else(|| operand(operator, "a list of conditions").at(at))?;
        let condition =
            |(n, item): (usize, &RawValue)| self.condition(item.get(), place, &format!("{at}/{n}"));
        list.into_iter().enumerate().map(condition).collect()
    }

    fn value_operator(
        &mut self,
        operator: &str,
        json: &str,
        place: &Place,
        at: &str,
    ) -> Result<Condition, Error> {
        let test = match operator {
            "$eq" | "$ne" => Test::Equal(literal(place, json, at)?),
            "$gt" => ordered("$gt", Relation::Greater, place, json, at)?,
            "$gte" => ordered("$gte", Relation::AtLeast, place, json, at)?,
            "$lt" => ordered("$lt", Relation::Less, place, json, at)?,
            "$lte" => ordered("$lte", Relation::AtMost, place, json, at)?,
            "$in" => one_of("$in", place, json, at)?,
            "$nin" => one_of("$nin", place, json, at)?,
            "$exists" => {
                let wanted = boolean(json).ok_or_else(|| operand("$exists", "`true` or `false`").at(at))?;
                let exists = self.test(place, Test::Exists, at)?;
                return Ok(if wanted { exists } else { not(exists) });
            }
            "$regex" => Test::Matches(self.pattern(&text("$regex", json, at)?, at)?),
            "$startsWith" => Test::StartsWith(text("$startsWith", json, at)?),
            "$endsWith" => Test::EndsWith(text("$endsWith", json, at)?),
            _ => return Err(Reason::UnknownOperator(operator.to_owned()).at(at)),
        };
        let condition = self.test(place, test, at)?;
        Ok(if matches!(operator, "$ne" | "$nin") { not(condition) } else { condition })
    }

    fn pattern(&mut self, pattern: &str, at: &str) -> Result<regex::Regex, Error> {
        self.patterns += 1;
        if self.patterns > MAX_PATTERNS {
            return Err(Reason::TooManyPatterns.at(at));
        }
        if pattern.len() > MAX_PATTERN_BYTES {
            return Err(Reason::PatternTooLong(pattern.len()).at(at));
        }
        let mut builder = RegexBuilder::new(pattern);
        builder.size_limit(MAX_COMPILED_BYTES).dfa_size_limit(MAX_MATCHING_BYTES);
        builder.build().map_err(|error| Reason::Pattern(in_short(&error)).at(at))
    }

    fn test(&mut self, place: &Place, test: Test, at: &str) -> Result<Condition, Error> {
        self.conditions += 1;
        if self.conditions > MAX_CONDITIONS {
            return Err(Reason::TooManyConditions.at(at));
        }
        if place.is_whole_metadata() {
            return Err(Reason::WholeMetadata.at(at));
        }
        Ok(Condition::Test(place.clone(), test))
    }
}

/// The place that a key leads to: one step in, or along a pointer.
fn further_in(place: Option<&Place>, key: &str) -> Result<Place, Reason> {
    let Some(pointer) = key.strip_prefix('/') else {
        return match place {
            Some(place) => place.clone().step(Step::Key(key.into())),
            None => Place::of_root(key),
        };
    };
    let mut at = place.cloned();
    for token in pointer.split('/') {
        let token = unescape(token).ok_or(Reason::Pointer)?;
        at = Some(match at {
            Some(place) => place.step(Step::Token(token.into()))?,
            None => Place::of_root(&token)?,
        });
    }
    at.ok_or(Reason::Pointer)
}

/// The value to compare with. Where only texts are, anything else can never be equal and is a mistake.
fn literal(place: &Place, json: &str, at: &str) -> Result<Literal, Error> {
    let literal = Literal::new(json);
    let value = literal.value();
    if place.is_time() {
        let time = match &value {
            Value::Text(text) => text.parse::<jiff::Timestamp>().ok(),
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::Array(_) | Value::Object(_) => None,
        };
        let time = time.ok_or_else(|| Reason::NotATime.at(at))?;
        return Ok(Literal::new(&format!("\"{}\"", sortable(time))));
    }
    if place.is_text() && !matches!(value, Value::Text(_)) {
        return Err(Reason::NotAText(place.to_string().into()).at(at));
    }
    Ok(literal)
}

fn ordered(
    operator: &'static str,
    relation: Relation,
    place: &Place,
    json: &str,
    at: &str,
) -> Result<Test, Error> {
    let literal = literal(place, json, at)?;
    match literal.value() {
        Value::Number(_) | Value::Text(_) => Ok(Test::Ordered(relation, literal)),
        Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_) => {
            Err(operand(operator, "a number or a text: nothing else has an order").at(at))
        }
    }
}

fn one_of(operator: &'static str, place: &Place, json: &str, at: &str) -> Result<Test, Error> {
    let list = elements(json).filter(|list| !list.is_empty());
    let list = list.ok_or_else(|| operand(operator, "a list of values").at(at))?;
    let literals = list.iter().enumerate();
    let mut literals = literals
        .map(|(n, item)| literal(place, item.get(), &format!("{at}/{n}")))
        .collect::<Result<Vec<_>, _>>()?;
    literals.sort_by(|a, b| a.value().cmp(&b.value()));
    Ok(Test::OneOf(literals))
}

fn text(operator: &'static str, json: &str, at: &str) -> Result<Box<str>, Error> {
    serde_json::from_str(json).map_err(|_| operand(operator, "a text").at(at))
}

fn boolean(json: &str) -> Option<bool> {
    serde_json::from_str(json).ok()
}

const fn operand(operator: &'static str, wanted: &'static str) -> Reason {
    Reason::Operand { operator, wanted }
}

fn is_value_operator(operator: &str) -> bool {
    OPERATORS.contains(&format!("`{operator}`"))
}

fn not(condition: Condition) -> Condition {
    Condition::Not(Box::new(condition))
}

/// One condition is itself; none is none.
fn joined(mut all: Vec<Condition>, join: fn(Vec<Condition>) -> Condition) -> Option<Condition> {
    if all.len() > 1 { Some(join(all)) } else { all.pop() }
}

fn nests_within(value: &Value<'_>, levels: usize) -> bool {
    match value {
        Value::Array(inside) => {
            levels > 0 && inside.elements().all(|element| nests_within(&element, levels - 1))
        }
        Value::Object(inside) => {
            levels > 0 && inside.members().all(|(_, member)| nests_within(&member, levels - 1))
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::Text(_) => true,
    }
}

/// The last line of the error, which has the reason; those before draw the pattern.
fn in_short(error: &regex::Error) -> String {
    let text = error.to_string();
    let line = text.lines().last().unwrap_or_default().trim();
    line.strip_prefix("error: ").unwrap_or(line).to_owned()
}
