//! The shape of the gateway's source: who may import whom, how long a file may be, that each says what it is for.
//!
//! Imports are read from the text: every path that begins at the root of the crate, by `crate::` or by enough
//! `super::`. Tests at the end of a file are not looked at.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use hookway_tests::workspace;

/// The production part of a file: what a reader can hold in mind.
const MAX_LINES: usize = 400;
const BASE: &[&str] = &[
    "clock",
    "chance",
    "shutdown",
    "alarm",
    "handoff",
    "telemetry",
    "metrics",
    "traces",
    "free_space",
    "priority",
    "failpoint",
    "files",
    "fast_map",
];

/// Which modules each module may import besides `model` and itself, in the order of the flow. `BASE` stands for all of
/// the base.
const MAY_IMPORT: &[(&str, &[&str])] = &[
    ("model", &[]),
    ("vault", &["files"]),
    ("clock", &[]),
    ("chance", &[]),
    ("shutdown", &[]),
    ("alarm", &[]),
    ("handoff", &[]),
    ("telemetry", &[]),
    ("metrics", &[]),
    ("traces", &["clock", "metrics"]),
    ("free_space", &["shutdown"]),
    ("priority", &[]),
    ("failpoint", &[]),
    ("files", &[]),
    ("fast_map", &[]),
    ("store", &["clock", "failpoint", "fast_map", "files", "free_space", "priority", "vault", "metrics"]),
    ("openapi", &[]),
    ("http", &["BASE", "store", "openapi"]),
    ("matching", &[]),
    ("json", &[]),
    ("ordering", &["json"]),
    ("filter", &["json"]),
    ("notices", &["BASE", "store"]),
    ("catalogue", &["BASE", "store", "json"]),
    ("directory", &["BASE", "store", "matching", "filter", "notices"]),
    ("plugins", &["BASE", "json"]),
    ("ingest", &["BASE", "store", "openapi", "http", "catalogue"]),
    (
        "dispatch",
        &["BASE", "store", "matching", "json", "ordering", "filter", "directory", "plugins", "notices"],
    ),
    ("lanes", &["BASE", "store", "json", "ordering", "directory"]),
    ("deliver", &["BASE", "store", "directory", "lanes", "notices"]),
    ("operations", &["BASE", "store", "directory", "plugins", "notices"]),
    ("replay", &["BASE", "store", "directory", "dispatch", "lanes"]),
    ("preview", &["BASE", "dispatch", "deliver"]),
    ("backtest", &["BASE", "store", "dispatch", "plugins"]),
    ("backup", &["clock", "priority", "store"]),
    (
        "api",
        &[
            "BASE",
            "store",
            "openapi",
            "http",
            "filter",
            "directory",
            "catalogue",
            "plugins",
            "lanes",
            "replay",
            "preview",
            "backtest",
            "backup",
        ],
    ),
    ("reference", &["openapi", "http"]),
    ("client", &["clock", "files", "backup"]),
    ("authoring", &["clock", "plugins", "client"]),
    ("doctor", &["store"]),
    ("compact", &["store"]),
    ("config", &["ALL"]),
    ("cli", &["config", "client", "plugins", "authoring", "doctor", "compact", "reload"]),
    ("fuzzing", &["ALL"]),
    ("core_dumps", &[]),
    ("open_files", &["config"]),
    ("private_files", &[]),
    ("signals", &["shutdown"]),
    ("reload", &["app", "config", "open_files", "telemetry"]),
    ("serve", &["ALL"]),
    ("restoring", &["ALL"]),
    ("app", &["ALL"]),
    ("main", &["ALL"]),
    ("lib", &[]),
];

struct Source {
    path: String,
    /// The modules that lead to the file: `["store", "redb"]` for `store/redb/mod.rs`.
    modules: Vec<String>,
    text: String,
}

#[test]
fn modules_import_only_what_the_table_allows() -> Result<()> {
    let mut forbidden = Vec::new();
    for source in sources()? {
        forbidden.extend(source.forbidden_imports());
    }
    assert!(forbidden.is_empty(), "{}", forbidden.join("\n"));
    Ok(())
}

#[test]
fn the_production_part_of_a_file_is_short() -> Result<()> {
    let long: Vec<_> = sources()?
        .into_iter()
        .map(|source| (source.production().lines().count(), source.path))
        .filter(|(lines, _)| *lines > MAX_LINES)
        .collect();
    assert!(long.is_empty(), "split these, they have more than {MAX_LINES} lines: {long:?}");
    Ok(())
}

#[test]
fn a_route_is_made_from_a_table_only() -> Result<()> {
    let makers: Vec<_> = sources()?
        .into_iter()
        .filter(|source| source.production().contains(".route("))
        .map(|source| source.path)
        .collect();
    assert_eq!(
        makers,
        ["http/route.rs"],
        "add a row to the table of routes, so that the tests of access see it"
    );
    Ok(())
}

#[test]
fn one_file_opens_connections_and_nothing_else_resolves_names() -> Result<()> {
    let with = |words: &[&str]| -> Result<Vec<String>> {
        let sources = sources()?.into_iter();
        let found = sources.filter(|source| words.iter().any(|word| source.production().contains(word)));
        Ok(found.map(|source| source.path).collect())
    };
    assert_eq!(with(&["TcpStream::connect", "TcpSocket", "UdpSocket"])?, ["deliver/transport/connect.rs"]);
    assert_eq!(with(&["TokioResolver"])?, ["deliver/transport/resolve.rs"]);
    assert_eq!(with(&["lookup_host", "ToSocketAddrs", "to_socket_addrs"])?, [""; 0]);
    Ok(())
}

#[test]
fn unsafe_code_stands_in_two_places() -> Result<()> {
    let sources = sources()?.into_iter();
    let places: Vec<_> =
        sources.filter(|source| source.text.contains("unsafe {")).map(|source| source.path).collect();
    assert_eq!(places, ["plugins/compile/artefact.rs", "plugins/compile/child.rs"]);
    Ok(())
}

#[test]
fn every_file_begins_with_what_it_is_for() -> Result<()> {
    let silent: Vec<_> = sources()?
        .into_iter()
        .filter(|source| !source.text.starts_with("//!"))
        .map(|source| source.path)
        .collect();
    assert!(silent.is_empty(), "these have no `//!` on their first line: {silent:?}");
    Ok(())
}

#[test]
fn an_import_is_found_in_every_way_to_write_it() {
    let code = "use crate::{lanes::{A, B}, model::C, store};\nfn f() { crate::api::g(); super::super::deliver::h() }\n\
                // crate::ingest is only mentioned\n//! [`crate::config`] too\n\
                #[cfg(test)]\nmod tests { use crate::app; }\n";
    let modules = ["http".to_owned(), "server".to_owned()].to_vec();
    let source = Source { path: "http/server.rs".to_owned(), modules, text: code.to_owned() };
    assert_eq!(source.imports(), ["lanes", "model", "store", "api", "deliver"]);
    let forbidden = source.forbidden_imports();
    assert_eq!(forbidden.len(), 3, "{forbidden:?}");
    assert_eq!(forbidden[0], "http/server.rs: `http` must not import `lanes`");
}

#[test]
fn a_module_that_the_table_does_not_know_is_named() {
    let source = Source { path: "new.rs".to_owned(), modules: vec!["new".to_owned()], text: String::new() };
    assert_eq!(source.forbidden_imports(), ["new.rs: add `new` to the table in this test"]);
}

impl Source {
    /// Everything before the tests.
    fn production(&self) -> &str {
        self.text.split("\n#[cfg(test)]\nmod tests").next().unwrap_or_default()
    }

    /// The top-level modules that the file names, in order.
    fn imports(&self) -> Vec<String> {
        let code: String =
            self.production().lines().map(|line| format!("{}\n", before_comment(line))).collect();
        let mut found = Vec::new();
        let to_root = "super::".repeat(self.modules.len());
        for start in ["crate::", to_root.as_str()].into_iter().filter(|start| !start.is_empty()) {
            for (at, _) in code.match_indices(start) {
                let before = code[..at].chars().next_back();
                if before.is_none_or(|c| !c.is_alphanumeric() && c != '_' && c != ':' && c != '$') {
                    found.extend(named(&code[at + start.len()..]));
                }
            }
        }
        found
    }

    fn forbidden_imports(&self) -> Vec<String> {
        let top = self.modules.first().map_or("lib", String::as_str);
        let Some((_, allowed)) = MAY_IMPORT.iter().find(|(module, _)| *module == top) else {
            return vec![format!("{}: add `{top}` to the table in this test", self.path)];
        };
        let mut forbidden = self.imports();
        forbidden.retain(|module| module != top && !may_import(top, allowed, module));
        let line = |module: &String| format!("{}: `{top}` must not import `{module}`", self.path);
        forbidden.iter().map(line).collect()
    }
}

fn may_import(from: &str, allowed: &[&str], module: &str) -> bool {
    match module {
        "model" => from != "model",
        "app" | "main" => from == "main",
        _ if allowed.contains(&"ALL") => true,
        _ => allowed.contains(&module) || (allowed.contains(&"BASE") && BASE.contains(&module)),
    }
}

fn before_comment(line: &str) -> &str {
    if line.trim_start().starts_with("//") { "" } else { line.split(" // ").next().unwrap_or_default() }
}

/// The first names of a path: `a` of `a::b`, `a` and `b` of `{a::x, b}`.
fn named(path: &str) -> Vec<String> {
    let Some(group) = path.strip_prefix('{') else { return first_name(path).into_iter().collect() };
    let mut depth = 0;
    let mut names = Vec::new();
    let mut at_start = true;
    for (at, c) in group.char_indices() {
        match c {
            '{' => depth += 1,
            '}' if depth == 0 => break,
            '}' => depth -= 1,
            ',' if depth == 0 => at_start = true,
            c if at_start && !c.is_whitespace() => {
                names.extend(first_name(&group[at..]));
                at_start = false;
            }
            _ => {}
        }
    }
    names
}

/// Types and functions at the root of the crate do not exist, so a name is a module.
fn first_name(path: &str) -> Option<String> {
    let name: String = path.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect();
    (!name.is_empty()).then_some(name)
}

fn sources() -> Result<Vec<Source>> {
    let root = workspace().join("host/src");
    let mut found = Vec::new();
    collect(&root, &root, &mut found)?;
    anyhow::ensure!(found.len() > 10, "the source of the gateway is not at {}", root.display());
    Ok(found)
}

fn collect(root: &Path, folder: &Path, found: &mut Vec<Source>) -> Result<()> {
    let entries = fs::read_dir(folder).with_context(|| format!("{} cannot be read", folder.display()))?;
    let mut paths: Vec<PathBuf> = entries.map(|entry| Ok(entry?.path())).collect::<Result<_>>()?;
    paths.sort();
    for path in paths {
        let is_test = path.file_stem().is_some_and(|name| name == "tests");
        if path.is_dir() && !is_test {
            collect(root, &path, found)?;
        } else if path.extension().is_some_and(|extension| extension == "rs") && !is_test {
            found.push(read(root, &path)?);
        }
    }
    Ok(())
}

fn read(root: &Path, path: &Path) -> Result<Source> {
    let text = fs::read_to_string(path).with_context(|| format!("{} cannot be read", path.display()))?;
    let relative = path.strip_prefix(root)?.with_extension("");
    let names = relative.iter().map(|name| name.to_string_lossy().into_owned());
    let modules = names.filter(|name| name != "mod" && name != "lib").collect();
    Ok(Source { path: path.strip_prefix(root)?.display().to_string(), modules, text })
}
