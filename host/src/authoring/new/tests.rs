//! Projects as they are written; whether they build and work, `tests/it/plugins/templates.rs` asks.

use std::collections::BTreeSet;
use std::os::unix::fs::PermissionsExt as _;

use clap::Parser;

use super::*;

#[derive(Parser)]
struct Line {
    #[command(flatten)]
    arguments: Arguments,
}

fn parse(line: &[&str]) -> Result<Arguments, clap::Error> {
    Line::try_parse_from([&["new"], line].concat()).map(|line| line.arguments)
}

fn in_folder(folder: &Path, line: &[&str]) -> Result<String, Error> {
    let folder = folder.to_str().unwrap();
    run(&parse(&[line, &["--path", folder]].concat()).unwrap())
}

const LANGUAGES: [&str; 5] = ["rust", "js", "python", "go", "c"];
const KINDS: [&str; 3] = ["filter", "transform", "matcher"];

#[test]
fn every_file_of_every_project_is_filled_and_nothing_is_left_of_the_template() {
    for language in LANGUAGES {
        for kind in KINDS {
            let home = tempfile::tempdir().unwrap();
            let folder = home.path().join("project");
            let line = ["big-orders", "--lang", language, "--kind", kind];
            let said = in_folder(&folder, &line).unwrap();
            assert!(said.contains(&format!("big-orders: a {kind} in ")), "{said}");
            let mut names = Vec::new();
            for path in walk(&folder) {
                let text = fs::read_to_string(&path).unwrap();
                for left in ["my-plugin", "my_plugin", "my-kind", "my-sdk"] {
                    assert!(
                        !text.contains(left) && !path.to_string_lossy().contains(left),
                        "{path:?}: {left}"
                    );
                }
                let mode = path.metadata().unwrap().permissions().mode();
                assert_eq!(mode & 0o100 != 0, path.extension().is_some_and(|it| it == "sh"), "{path:?}");
                names.push(path.strip_prefix(&folder).unwrap().to_string_lossy().into_owned());
            }
            for wanted in ["README.md", "big-orders.toml", "build.sh", ".gitignore"] {
                assert!(names.iter().any(|name| name == wanted), "{language} {kind}: {wanted} of {names:?}");
            }
            let is_unique: BTreeSet<_> = names.iter().collect();
            assert_eq!(is_unique.len(), names.len());
            assert_eq!(names.iter().any(|name| name == "wit/hookway.wit"), language != "rust");
        }
    }
}

#[test]
fn every_template_belongs_to_a_project() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../plugins/templates");
    let mut used = BTreeSet::new();
    for language in Language::value_variants() {
        for kind in Kind::value_variants() {
            used.extend(templates::files(*language, *kind).into_iter().map(|(_, text)| text.into_owned()));
        }
    }
    for path in walk(&root).into_iter().filter(|path| path.file_name().is_none_or(|name| name != "README.md"))
    {
        let text = fs::read_to_string(&path).unwrap();
        let is_used = used.iter().any(|file| file.contains(&text));
        assert!(is_used, "{path:?} is in no project: add it to `templates.rs`, or remove it");
    }
}

#[test]
fn the_page_shows_what_is_written() {
    let page = include_str!("../../../../docs/plugins/first.md");
    for (mark, language) in [("rust", Language::Rust), ("python", Language::Python), ("js", Language::Js)] {
        let written = templates::files(language, Kind::Filter);
        let (_, rest) = page.split_once(&format!("```{mark}\n")).unwrap();
        let (block, _) = rest.split_once("```").unwrap();
        for paragraph in block.split("\n\n").map(str::trim_end).filter(|paragraph| !paragraph.is_empty()) {
            let is_there = written.iter().any(|(_, text)| text.contains(paragraph));
            assert!(is_there, "no {mark} template has:\n{paragraph}");
        }
    }
}

#[test]
fn what_is_there_is_left_alone() {
    let home = tempfile::tempdir().unwrap();
    fs::write(home.path().join("notes"), "mine").unwrap();
    let refused = in_folder(home.path(), &["a", "--lang", "c"]).unwrap_err();
    assert!(matches!(refused, Error::Taken(_)), "{refused}");
    let file = home.path().join("notes");
    let refused = in_folder(&file, &["a", "--lang", "c"]).unwrap_err().to_string();
    assert!(refused.ends_with("is there and not an empty folder: name another with --path"), "{refused}");
    assert_eq!(walk(home.path()).len(), 1);
    let empty = tempfile::tempdir().unwrap();
    in_folder(empty.path(), &["a", "--lang", "c"]).unwrap();
    assert!(empty.path().join("plugin.c").is_file());
}

#[test]
fn what_cannot_be_is_refused_before_anything_is_written() {
    let home = tempfile::tempdir().unwrap();
    let folder = home.path().join("project");
    let refused = |line: &[&str]| in_folder(&folder, line).unwrap_err().to_string();
    for (line, sentence) in [
        (
            &["3d", "--lang", "rust"][..],
            "`3d` cannot be the name of a crate of Rust: it must begin with a letter",
        ),
        (&["match", "--lang", "rust"], "`match` cannot be the name of a crate of Rust: it is a keyword"),
        (
            &["serde", "--lang", "rust"],
            "`serde` cannot be the name of a crate of Rust: another crate or folder",
        ),
        (
            &["a", "--lang", "go", "--sdk", "."],
            "--sdk names the SDK for Rust, and the plugin is to be in Go: leave",
        ),
        (
            &["a", "--lang", "rust", "--sdk", "/nowhere"],
            "/nowhere: there is no crate `hookway-plugin`: name its folder",
        ),
    ] {
        let said = refused(line);
        assert!(said.starts_with(sentence), "{said}");
    }
    assert!(!folder.exists());
    for line in [&["Big", "--lang", "c"][..], &["../a", "--lang", "c"], &["a"], &["a", "--lang", "cobol"]] {
        assert!(parse(line).is_err(), "{line:?}");
    }
}

#[test]
fn the_sdk_is_found_where_it_is_named_and_around_this_program() {
    let checkout = fs::canonicalize(Path::new(env!("CARGO_MANIFEST_DIR")).join("..")).unwrap();
    let expected = checkout.join("guest-sdk");
    for given in [Some(checkout.as_path()), Some(expected.as_path()), None] {
        assert_eq!(sdk::find(given).as_deref(), Ok(expected.as_path()), "{given:?}");
    }
    let quoted = tempfile::Builder::new().prefix("a \"b\" ").tempdir().unwrap();
    fs::create_dir(quoted.path().join("guest-sdk")).unwrap();
    fs::write(quoted.path().join("guest-sdk/Cargo.toml"), "[package]\nname = \"hookway-plugin\"\n").unwrap();
    let home = tempfile::tempdir().unwrap();
    let line = ["a", "--lang", "rust", "--sdk", quoted.path().to_str().unwrap()];
    in_folder(&home.path().join("project"), &line).unwrap();
    let manifest: toml::Table =
        fs::read_to_string(home.path().join("project/Cargo.toml")).unwrap().parse().unwrap();
    let path = manifest["dependencies"]["hookway-plugin"]["path"].as_str().unwrap();
    assert_eq!(Path::new(path), fs::canonicalize(quoted.path().join("guest-sdk")).unwrap());
}

/// All files below a folder.
fn walk(folder: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files.extend(walk(&path));
        } else {
            files.push(path);
        }
    }
    files
}
