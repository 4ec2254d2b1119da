//! Which parts of its input a program reads, told from the program alone.
//!
//! Only chains of names (`.data.sender.login`), wherever they stand, are followed; whatever else looks at a value is taken to look at all of
//! it. So a program gives the same over an input that has only these parts as over the whole one, errors included.

use jaq_core::load::lex::StrPart;
use jaq_core::load::parse::{self, BinaryOp, Pattern, Term};
use jaq_core::path::Part;

/// Filters that never look at their input.
const BLIND: [&str; 7] = ["empty", "true", "false", "null", "now", "nan", "infinite"];
/// Variables that are there without being bound, and have nothing of the input.
const GIVEN: [&str; 2] = ["$ENV", "$__loc__"];

/// The parts of a value that are read.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Reads {
    whole: bool,
    members: Vec<(Box<str>, Reads)>,
}

impl Reads {
    /// What `code` reads of its input. All of it, if the program does not tell.
    pub(crate) fn of(code: &str) -> Self {
        let mut reader = Reader::default();
        match jaq_core::load::parse(code, |parser| parser.term()) {
            Some(term) => reader.value(&term, &Known::At(Vec::new())),
            None => reader.give_up(),
        }
        reader.reads
    }

    /// Whether all of the value is read.
    pub(crate) const fn is_whole(&self) -> bool {
        self.whole
    }

    /// What is read of a member; `None` if nothing.
    pub(crate) fn member(&self, name: &str) -> Option<&Self> {
        self.members.iter().find_map(|(own, reads)| (**own == *name).then_some(reads))
    }

    fn add(&mut self, path: &[&str]) {
        let reads = self.pass(path);
        *reads = Self { whole: true, members: Vec::new() };
    }

    /// Goes along a path, which fails on a value that has no members: that there is one, and which, is seen by that.
    fn pass(&mut self, path: &[&str]) -> &mut Self {
        match path {
            [name, rest @ ..] if !self.whole => {
                let known = self.members.iter().position(|(own, _)| **own == **name);
                let at = known.unwrap_or_else(|| {
                    self.members.push(((*name).into(), Self::default()));
                    self.members.len() - 1
                });
                self.members[at].1.pass(rest)
            }
            _ => self,
        }
    }
}

/// What is known about a value in the program.
#[derive(Debug, Clone)]
enum Known<'a> {
    /// It is what lies there in the input, and nobody has looked at it.
    At(Vec<&'a str>),
    /// All of the input that it shows counts as read.
    Read,
}

#[derive(Debug, Default)]
struct Reader<'a> {
    reads: Reads,
    /// The innermost last.
    variables: Vec<(&'a str, Known<'a>)>,
}

impl<'a> Reader<'a> {
    fn give_up(&mut self) {
        self.reads.add(&[]);
    }

    fn read(&mut self, known: &Known<'_>) {
        if let Known::At(path) = known {
            self.reads.add(path);
        }
    }

    /// Somebody looks at what `term` gives for the input `at`.
    fn value(&mut self, term: &Term<&'a str>, at: &Known<'a>) {
        let known = self.follow(term, at);
        self.read(&known);
    }

    fn values<'t>(&mut self, terms: impl IntoIterator<Item = &'t Term<&'a str>>, at: &Known<'a>)
    where
        'a: 't,
    {
        terms.into_iter().for_each(|term| self.value(term, at));
    }

    /// What is known about the outputs of `term` for the input `at`.
    fn follow(&mut self, term: &Term<&'a str>, at: &Known<'a>) -> Known<'a> {
        match term {
            Term::Id => return at.clone(),
            Term::Path(base, path) => return self.path(base, path, at),
            Term::BinOp(left, operator, right) => return self.operator(left, operator, right, at),
            Term::Var(name) => return self.variable(name),
            Term::Call(name, arguments) => return self.call(name, arguments, at),
            Term::Num(_) | Term::Arr(None) => {}
            Term::Recurse => self.read(at),
            Term::Str(_, parts) => self.values(parts.iter().filter_map(interpolated), at),
            Term::Arr(Some(inner)) | Term::Neg(inner) => self.value(inner, at),
            Term::Obj(entries) => entries.iter().for_each(|(key, value)| self.entry(key, value.as_ref(), at)),
            Term::TryCatch(inner, catch) => {
                self.value(inner, at);
                self.values(catch.as_deref(), &Known::Read);
            }
            Term::IfThenElse(branches, other) => {
                self.values(branches.iter().flat_map(|(condition, then)| [condition, then]), at);
                match other {
                    Some(other) => self.value(other, at),
                    None => self.read(at),
                }
            }
            Term::Label(..) | Term::Break(_) | Term::Fold(..) | Term::Def(..) => self.give_up(),
        }
        Known::Read
    }

    fn path(
        &mut self,
        base: &Term<&'a str>,
        path: &jaq_core::path::Path<Term<&'a str>>,
        at: &Known<'a>,
    ) -> Known<'a> {
        let mut known = self.follow(base, at);
        for (part, _) in &path.0 {
            let name = if let Part::Index(index) = part { literal(index) } else { None };
            match (&mut known, name) {
                (Known::At(path), Some(name)) => {
                    path.push(name);
                    self.reads.pass(path);
                }
                _ => {
                    self.read(&known);
                    known = Known::Read;
                }
            }
            match part {
                Part::Index(index) => self.value(index, at),
                Part::Range(from, to) => self.values(from.iter().chain(to), at),
            }
        }
        known
    }

    fn operator(
        &mut self,
        left: &Term<&'a str>,
        operator: &BinaryOp<&'a str>,
        right: &Term<&'a str>,
        at: &Known<'a>,
    ) -> Known<'a> {
        match operator {
            BinaryOp::Pipe(None) => {
                let between = self.follow(left, at);
                return self.follow(right, &between);
            }
            BinaryOp::Pipe(Some(Pattern::Var(name))) => {
                let bound = self.follow(left, at);
                self.variables.push((name, bound));
                let known = self.follow(right, at);
                self.variables.pop();
                return known;
            }
            BinaryOp::Pipe(Some(Pattern::Arr(_) | Pattern::Obj(_))) => self.give_up(),
            BinaryOp::Comma
            | BinaryOp::Alt
            | BinaryOp::Or
            | BinaryOp::And
            | BinaryOp::Math(_)
            | BinaryOp::Cmp(_) => self.values([left, right], at),
            // They give their whole input, changed.
            BinaryOp::Assign | BinaryOp::Update | BinaryOp::UpdateMath(_) | BinaryOp::UpdateAlt => {
                self.read(at);
                self.values([left, right], &Known::Read);
            }
        }
        Known::Read
    }

    fn variable(&mut self, name: &str) -> Known<'a> {
        let bound = self.variables.iter().rev().find(|(own, _)| *own == name);
        if let Some((_, known)) = bound {
            return known.clone();
        }
        if !GIVEN.contains(&name) {
            self.give_up();
        }
        Known::Read
    }

    fn call(&mut self, name: &str, arguments: &[Term<&'a str>], at: &Known<'a>) -> Known<'a> {
        match arguments {
            [condition] if name == "select" => {
                self.value(condition, at);
                at.clone()
            }
            [] if BLIND.contains(&name) => Known::Read,
            _ => {
                self.read(at);
                // Whatever they are called with comes from what was read.
                self.values(arguments, &Known::Read);
                Known::Read
            }
        }
    }

    fn entry(&mut self, key: &Term<&'a str>, value: Option<&Term<&'a str>>, at: &Known<'a>) {
        match (key, value) {
            (key, Some(value)) => self.values([key, value], at),
            (Term::Var(_), None) => self.value(key, at),
            // `{name}` is `{name: .name}`.
            (key, None) => match (literal(key), at) {
                (Some(_), Known::Read) => {}
                (Some(name), Known::At(path)) => {
                    self.reads.add(&[path.as_slice(), &[name]].concat());
                }
                (None, _) => self.give_up(),
            },
        }
    }
}

/// A text without anything to fill in.
fn literal<'a>(term: &Term<&'a str>) -> Option<&'a str> {
    let Term::Str(None, parts) = term else { return None };
    if let [StrPart::Str(text)] = parts.as_slice() { Some(text) } else { None }
}

fn interpolated<'t, 'a>(
    part: &'t StrPart<&'a str, parse::Term<&'a str>>,
) -> Option<&'t parse::Term<&'a str>> {
    match part {
        StrPart::Term(term) => Some(term),
        StrPart::Str(_) | StrPart::Char(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The paths that are read, `[""]` for all.
    fn reads(code: &str) -> Vec<String> {
        fn list(reads: &Reads, path: &str, found: &mut Vec<String>) {
            if reads.whole {
                found.push(path.to_owned());
            }
            for (name, reads) in &reads.members {
                list(reads, &format!("{path}.{name}"), found);
            }
        }
        let mut found = Vec::new();
        list(&Reads::of(code), "", &mut found);
        found
    }

    #[test]
    fn chains_of_names_are_followed() {
        let cases: [(&str, &[&str]); 16] = [
            (".a", &[".a"]),
            (".a.b?.\"c d\"[\"e\"]", &[".a.b.c d.e"]),
            (".a | .b | {c, d: .e}", &[".a.b.c", ".a.b.e"]),
            ("{a, b: .data.c, (.k): \"\\(.data.d) @\"}", &[".a", ".data.c", ".data.d", ".k"]),
            ("select(.data.n > 1) | {id: .data.id}", &[".data.n", ".data.id"]),
            (".data as $d | {x: $d.x, y: ($d | .y)}", &[".data.x", ".data.y"]),
            (".a as $x | .b as $x | $x.c", &[".b.c"]),
            ("if .a then .b elif .c then 1 else null end", &[".a", ".b", ".c"]),
            (".a // .b.c", &[".a", ".b.c"]),
            (".a, .a.b", &[".a"]),
            (".a.b, .a", &[".a"]),
            ("try .a.b catch .", &[".a.b"]),
            (".list[0].x", &[".list"]),
            (".list[.at]", &[".list", ".at"]),
            (".list | map(.x) | length", &[".list"]),
            ("[.a, -.b] | @json \"v \\(.)\"", &[".a", ".b"]),
        ];
        for (code, expected) in cases {
            assert_eq!(reads(code), expected, "{code}");
        }
        assert_eq!(reads("1 + now"), [""; 0]);
    }

    #[test]
    fn what_does_not_tell_reads_all() {
        for code in [
            ".",
            "..",
            "del(.a)",
            ".a = 1",
            ".a |= . + 1",
            "keys",
            ".[]",
            "def f: .a; f",
            "reduce .a[] as $x (0; . + $x)",
            ". as [$a] | $a",
            ". as $x | $x",
            "if .a then .b end",
            "{@text \"a\"}",
            "$unknown",
            "not a program |",
        ] {
            assert_eq!(reads(code), [""], "{code}");
        }
    }
}
