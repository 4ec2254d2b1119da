//! A compiled expression in which every static path (`data.items[0].sku`, the longest that is known without looking at
//! an event) is one variable, and every regular expression is compiled.

use std::sync::Arc;

use cel::common::ast::{CallExpr, EntryExpr, Expr, IdedEntryExpr, LiteralValue, operators};
use cel::extractors::This;
use cel::{Context, ExecutionError, IdedExpr, Program, Value};
use regex_lite::Regex;

use crate::source::{ROOTS, Source};

/// Types are names, too, and no variables.
const TYPES: [&str; 10] =
    ["bool", "bytes", "double", "int", "list", "map", "null_type", "string", "type", "uint"];

pub(crate) struct Expression {
    pub(crate) root: IdedExpr,
    /// What the variables `@0`, `@1`, ... stand for.
    pub(crate) sources: Vec<Source>,
}

/// Compiling, from the outside in.
struct Compiler<'a> {
    sources: Vec<Source>,
    functions: &'a mut Context<'static, 'static>,
    /// The variables of the comprehensions around this place.
    bound: Vec<String>,
}

impl Expression {
    /// Compiles, and adds the regular expressions to `functions`. The error is a sentence.
    pub(crate) fn compile(text: &str, functions: &mut Context<'static, 'static>) -> Result<Self, String> {
        functions.add_function("matches", matches).map_err(|error| error.to_string())?;
        let program =
            Program::compile(text).map_err(|errors| format!("`expr` is not a CEL expression: {errors}"))?;
        let mut root = program.expression().clone();
        let mut compiler = Compiler { sources: Vec::new(), functions, bound: Vec::new() };
        compiler.rewrite(&mut root)?;
        Ok(Self { root, sources: compiler.sources })
    }

    /// What a variable of the compiled expression stands for.
    pub(crate) fn source(&self, variable: &str) -> Option<&Source> {
        self.sources.get(slot(variable)?)
    }
}

/// The number of the variable `@7`. No identifier of CEL begins so.
pub(crate) fn slot(variable: &str) -> Option<usize> {
    variable.strip_prefix('@')?.parse().ok()
}

impl Compiler<'_> {
    fn rewrite(&mut self, node: &mut IdedExpr) -> Result<(), String> {
        if let Some((path, has)) = self.whole_path(node) {
            let source = Source::named(&path, has)?;
            let slot = self.sources.iter().position(|known| *known == source).unwrap_or_else(|| {
                self.sources.push(source);
                self.sources.len() - 1
            });
            node.expr = Expr::Ident(format!("@{slot}"));
            return Ok(());
        }
        match &mut node.expr {
            Expr::Call(call) => self.call(call),
            Expr::Select(select) => self.rewrite(&mut select.operand),
            Expr::List(list) => list.elements.iter_mut().try_for_each(|element| self.rewrite(element)),
            Expr::Map(map) => self.entries(&mut map.entries),
            Expr::Struct(new) => self.entries(&mut new.entries),
            Expr::Comprehension(each) => {
                self.rewrite(&mut each.iter_range)?;
                self.rewrite(&mut each.accu_init)?;
                let outside = self.bound.len();
                self.bound.extend([each.iter_var.clone(), each.accu_var.clone()]);
                self.bound.extend(each.iter_var2.clone());
                self.rewrite(&mut each.loop_cond)?;
                self.rewrite(&mut each.loop_step)?;
                self.rewrite(&mut each.result)?;
                self.bound.truncate(outside);
                Ok(())
            }
            Expr::Ident(name) if self.bound.contains(name) || TYPES.contains(&name.as_str()) => Ok(()),
            Expr::Ident(name) => Source::named(std::slice::from_ref(name), false).map(drop),
            Expr::Literal(_) | Expr::Unspecified => Ok(()),
        }
    }

    fn entries(&mut self, entries: &mut [IdedEntryExpr]) -> Result<(), String> {
        entries.iter_mut().try_for_each(|entry| match &mut entry.expr {
            EntryExpr::StructField(field) => self.rewrite(&mut field.value),
            EntryExpr::MapEntry(entry) => {
                self.rewrite(&mut entry.key)?;
                self.rewrite(&mut entry.value)
            }
        })
    }

    fn call(&mut self, call: &mut CallExpr) -> Result<(), String> {
        self.check_exists(call)?;
        self.compile_regex(call)?;
        call.target.iter_mut().try_for_each(|target| self.rewrite(target))?;
        call.args.iter_mut().try_for_each(|argument| self.rewrite(argument))
    }

    /// Calls the function with nulls: an unknown one says so, any other complains about the nulls.
    fn check_exists(&self, call: &CallExpr) -> Result<(), String> {
        let null = || IdedExpr { id: 0, expr: Expr::Literal(LiteralValue::Null) };
        let probe = CallExpr {
            func_name: call.func_name.clone(),
            target: call.target.as_ref().map(|_| Box::new(null())),
            args: call.args.iter().map(|_| null()).collect(),
        };
        match Value::resolve_val(&IdedExpr { id: 0, expr: Expr::Call(probe) }, self.functions) {
            Err(ExecutionError::UndeclaredReference(name)) => {
                Err(format!("`expr` calls `{name}`, and there is no such function"))
            }
            _ => Ok(()),
        }
    }

    /// A regular expression that is known is compiled here, and not at every call.
    fn compile_regex(&mut self, call: &mut CallExpr) -> Result<(), String> {
        if call.func_name != "matches" {
            return Ok(());
        }
        let Some(Expr::Literal(LiteralValue::String(pattern))) = call.args.last().map(|last| &last.expr)
        else {
            return Ok(());
        };
        let regex = Regex::new(pattern.inner())
            .map_err(|error| format!("`expr` has a regular expression that is none: {error}"))?;
        let name = format!("@matches{}", call.args.last().map_or(0, |last| last.id));
        self.functions
            .add_function(&name, move |This(text): This<Arc<String>>| regex.is_match(&text))
            .map_err(|error| error.to_string())?;
        call.func_name = name;
        call.args.pop();
        Ok(())
    }

    /// The path that `node` is, and whether `has` asks for it.
    fn whole_path(&self, node: &IdedExpr) -> Option<(Vec<String>, bool)> {
        if let Expr::Select(select) = &node.expr
            && select.test
        {
            let mut path = self.path(&select.operand)?;
            path.push(select.field.clone());
            return Some((path, true));
        }
        Some((self.path(node)?, false))
    }

    fn path(&self, node: &IdedExpr) -> Option<Vec<String>> {
        if let Expr::Ident(name) = &node.expr {
            let is_root = ROOTS.contains(&name.as_str()) && !self.bound.contains(name);
            return is_root.then(|| vec![name.clone()]);
        }
        let (operand, segment) = step(&node.expr)?;
        let mut path = self.path(operand)?;
        path.push(segment);
        Some(path)
    }
}

/// `text.matches(pattern)`: whether some part of the text does. The engine is a small one: `\w` and its like are ASCII.
fn matches(This(text): This<Arc<String>>, pattern: Arc<String>) -> Result<Value, ExecutionError> {
    let regex = Regex::new(&pattern).map_err(|error| ExecutionError::function_error("matches", error))?;
    Ok(regex.is_match(&text).into())
}

/// What `operand.segment` and `operand[segment]` are made of, where the segment is known.
fn step(expr: &Expr) -> Option<(&IdedExpr, String)> {
    if let Expr::Select(select) = expr {
        return (!select.test).then(|| (&*select.operand, select.field.clone()));
    }
    let Expr::Call(CallExpr { func_name, target: None, args }) = expr else { return None };
    let [operand, IdedExpr { expr: Expr::Literal(index), .. }] = args.as_slice() else { return None };
    let segment = if let LiteralValue::String(name) = index {
        name.inner().to_owned()
    } else if let LiteralValue::Int(index) = index
        && *index.inner() >= 0
    {
        index.inner().to_string()
    } else {
        return None;
    };
    (func_name == operators::INDEX).then_some((operand, segment))
}
