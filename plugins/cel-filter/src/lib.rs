//! Delivers what a CEL expression accepts: `event.topic == "orders/created" && data.total >= 100`.
//!
//! Only the fields that the expression names are asked for, each at its first use, so a filter on two fields of a large
//! event costs as much as on a small one.
//!
//! - A field that the event does not have: the event is dropped, and the reason names the field. `has(data.x)` asks.
//! - Any other failure, and a result that is not true or false, is an error: nothing is lost by a mistake.
//! - Numbers are doubles, as CEL defines for JSON: `data.n + 1.0`, `int(data.n) % 2`. Comparing needs no care.

mod expression;
mod fields;
mod source;

use cel::common::types::CelBool;
use cel::{Context, ExecutionError, Value};
use expression::Expression;
use fields::Fields;
use hookway_plugin::{Endpoint, Error, Event, Filter, Verdict};
use serde::Deserialize;

/// The configuration.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// The CEL expression.
    expr: String,
}

/// The filter.
pub struct CelFilter {
    expression: Expression,
    /// The functions of CEL, made once.
    functions: Context<'static, 'static>,
}

impl Filter for CelFilter {
    type Config = Config;

    fn new(config: Config) -> Result<Self, String> {
        let mut functions = Context::default();
        let expression = Expression::compile(&config.expr, &mut functions)?;
        Ok(Self { expression, functions })
    }

    fn filter(&self, event: &Event, to: &Endpoint) -> Result<Verdict, Error> {
        let fields = Fields::new(&self.expression.sources, event, to);
        let mut scope = self.functions.new_inner_scope();
        scope.set_variable_resolver(&fields);
        let result = Value::resolve_val(&self.expression.root, &scope);
        if let Some(message) = fields.failure() {
            return Err(Error::Invalid(message));
        }
        match result {
            Ok(value) => match value.downcast_ref::<CelBool>().map(|value| *value.inner()) {
                Some(true) => Ok(Verdict::Deliver),
                Some(false) => Ok(Verdict::drop("`expr` is false")),
                None => Err(Error::Invalid(format!(
                    "`expr` gave a value of type {}, and a filter needs true or false",
                    value.get_type().name()
                ))),
            },
            Err(error) => self.explain(&error),
        }
    }
}

impl CelFilter {
    /// What is missing drops the event, what is wrong is an error.
    fn explain(&self, error: &ExecutionError) -> Result<Verdict, Error> {
        let missing = if let ExecutionError::UndeclaredReference(variable) = error {
            self.expression.source(variable).map(|source| format!("`{source}`"))
        } else if let ExecutionError::NoSuchKey(key) = error {
            Some(format!("a member `{key}`"))
        } else if let ExecutionError::IndexOutOfBounds(_) = error {
            Some("an element".into())
        } else {
            None
        };
        match missing {
            Some(what) => Ok(Verdict::Drop(format!("`expr` needs {what}, which is not there"))),
            None => Err(Error::Invalid(format!("`expr` failed: {error}"))),
        }
    }
}

hookway_plugin::export!(filter: CelFilter);

#[cfg(test)]
mod tests;
