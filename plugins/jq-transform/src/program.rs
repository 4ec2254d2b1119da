//! A compiled jq program.

use jaq_core::data::JustLut;
use jaq_core::load::{self, Arena, File, Loader};
use jaq_core::{Compiler, Ctx, Filter, Vars};
use jaq_json::Val;

pub(crate) struct Program(Filter<JustLut<Val>>);

impl Program {
    /// Compiles a program with jq's standard library, without modules. The error is a sentence with the place.
    pub(crate) fn compile(code: &str) -> Result<Self, String> {
        let defs = jaq_core::defs().chain(jaq_std::defs()).chain(jaq_json::defs());
        let funs = jaq_core::funs().chain(jaq_std::funs()).chain(jaq_json::funs());
        let arena = Arena::default();
        let modules = Loader::new(defs)
            .load(&arena, File { code, path: () })
            .map_err(|errors| sentence(code, errors.first().and_then(|(_, error)| syntax(code, error))))?;
        let filter = Compiler::default().with_funs(funs).compile(modules).map_err(|errors| {
            let first = errors.first().and_then(|(_, errors)| errors.first());
            sentence(
                code,
                first.map(|(name, what)| (*name, format!("the {} `{name}` is not defined", what.as_str()))),
            )
        })?;
        Ok(Self(filter))
    }

    /// The outputs for one input. The error is a sentence.
    pub(crate) fn run(&self, input: Val) -> impl Iterator<Item = Result<Val, String>> {
        let ctx = Ctx::<JustLut<Val>>::new(&self.0.lut, Vars::new([]));
        self.0.id.run((ctx, input)).map(|output| {
            output.map_err(|exception| match exception.get_err() {
                Ok(error) => error.to_string(),
                Err(_) => "it called `halt`".into(),
            })
        })
    }
}

/// What is wrong and the part of the code that shows it.
fn syntax<'a>(code: &'a str, error: &load::Error<&'a str>) -> Option<(&'a str, String)> {
    match error {
        load::Error::Io(errors) => {
            errors.first().map(|(path, _)| (*path, "modules cannot be loaded here".to_owned()))
        }
        load::Error::Lex(errors) => {
            errors.first().map(|(expected, found)| (*found, format!("a {} is missing", expected.as_str())))
        }
        load::Error::Parse(errors) => errors.first().map(|(expected, found)| {
            // The end of the program is reported as a text of its own.
            let found = if found.is_empty() { &code[code.len()..] } else { found };
            (found, format!("expected {}", expected.as_str()))
        }),
    }
}

/// `place` is a part of `code`.
fn sentence(code: &str, error: Option<(&str, String)>) -> String {
    let Some((place, what)) = error else { return "`program` is not a jq program".into() };
    let at = load::span(code, place).start;
    format!("`program` is not a jq program: {what} at character {} of `{code}`", at + 1)
}
