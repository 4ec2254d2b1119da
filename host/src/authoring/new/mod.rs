//! `hookway plugin new`: a project that builds with the stock tools of its language, with a manifest, samples, a test and a README.
//!
//! - The templates are the files of `plugins/templates`, as they stand there: whatever belongs to the contract is written into the
//!   project, so it needs no checkout. Only the SDK of Rust is a crate of its own, and that is not published: see [`sdk`].
//! - Nothing that is there is overwritten, and whatever is wrong is said before anything is written.

mod sdk;
mod templates;

use std::fmt;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use clap::{Args, ValueEnum};

use crate::model::PluginName;

/// What a project is to be.
#[derive(Debug, Args)]
pub struct Arguments {
    /// What the plugin is called: 1 to 63 characters of a-z, 0-9, `_` and `-`.
    name: PluginName,
    /// What it is written in.
    #[arg(long)]
    lang: Language,
    /// What it does.
    #[arg(long, default_value = "filter")]
    kind: Kind,
    /// Where the project goes, a folder that is empty or not there [default: a folder of its name, here].
    #[arg(long, value_name = "DIR")]
    path: Option<PathBuf>,
    /// The folder of the crate `hookway-plugin`, or the checkout of Hookway that has it; for Rust only [default: the checkout that
    /// this program or this folder is in].
    #[arg(long, value_name = "DIR")]
    sdk: Option<PathBuf>,
}

/// What a plugin can be written in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Language {
    /// Rust, with the SDK `hookway-plugin`
    Rust,
    /// JavaScript, with componentize-js
    #[value(alias = "javascript")]
    Js,
    /// Python, with componentize-py
    #[value(alias = "py")]
    Python,
    /// Go as it comes
    Go,
    /// C, with the clang of the Zig tool chain
    C,
}

/// What a plugin can do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Kind {
    /// Decides whether an event goes to an endpoint
    Filter,
    /// Changes what is sent
    Transform,
    /// Decides whether a pattern accepts a topic
    Matcher,
}

/// Why there is no project.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The name is none for this language.
    #[error("`{name}` cannot be the name of a crate of Rust: {why}")]
    Name {
        /// The name.
        name: PluginName,
        /// Why, in half a sentence.
        why: &'static str,
    },
    /// `--sdk` for a language that has none.
    #[error("--sdk names the SDK for Rust, and the plugin is to be in {0}: leave it out")]
    NoSdk(&'static str),
    /// The SDK is not where it should be.
    #[error(transparent)]
    Sdk(#[from] sdk::Error),
    /// Something is there.
    #[error("{} is there and not an empty folder: name another with --path", .0.display())]
    Taken(PathBuf),
    /// A file cannot be written.
    #[error("{}: {source}", path.display())]
    Io {
        /// Which.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
}

/// Writes the project; what to do next, for the person who asked.
///
/// # Errors
/// In a sentence. What is wrong with the arguments is said before anything is written.
pub(super) fn run(arguments: &Arguments) -> Result<String, Error> {
    let Arguments { name, lang, kind, path, sdk } = arguments;
    let sdk = match (lang, sdk) {
        (Language::Rust, sdk) => {
            check_crate_name(name)?;
            sdk::find(sdk.as_deref())?
        }
        (_, Some(_)) => return Err(Error::NoSdk(lang.name())),
        (_, None) => PathBuf::new(),
    };
    let folder = path.clone().unwrap_or_else(|| PathBuf::from(name.as_str()));
    ensure_free(&folder)?;
    for (path, text) in templates::files(*lang, *kind) {
        let filled = Filled { name, kind: *kind, sdk: &sdk };
        write(&folder.join(filled.path(path)), &filled.text(&text))?;
    }
    Ok(next_steps(arguments, &folder))
}

impl Language {
    const fn name(self) -> &'static str {
        match self {
            Self::Rust => "Rust",
            Self::Js => "JavaScript",
            Self::Python => "Python",
            Self::Go => "Go",
            Self::C => "C",
        }
    }

    /// What runs the tests of a project.
    const fn test(self) -> &'static str {
        match self {
            Self::Rust => "cargo test",
            Self::Js => "npm test",
            Self::Go => "go test .",
            Self::Python | Self::C => "./test.sh",
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Filter => "filter",
            Self::Transform => "transform",
            Self::Matcher => "matcher",
        })
    }
}

/// What stands in the templates for what only the person who asks knows.
struct Filled<'a> {
    name: &'a PluginName,
    kind: Kind,
    sdk: &'a Path,
}

impl Filled<'_> {
    fn path(&self, path: &str) -> String {
        // Under its own name it would be about the templates.
        path.replace("my-plugin", self.name.as_str()).replace("gitignore", ".gitignore")
    }

    fn text(&self, text: &str) -> String {
        let name = self.name.as_str();
        let sdk = toml::Value::String(self.sdk.display().to_string()).to_string();
        text.replace("my-plugin", name)
            .replace("my_plugin", &name.replace('-', "_"))
            .replace("my-kind", &self.kind.to_string())
            .replace("\"my-sdk\"", &sdk)
    }
}

/// What Cargo and rustc refuse, or confuse with what the project depends on.
fn check_crate_name(name: &PluginName) -> Result<(), Error> {
    const KEYWORDS: [&str; 42] = [
        "abstract", "as", "async", "await", "become", "box", "break", "const", "continue", "crate", "do",
        "dyn", "else", "enum", "extern", "false", "final", "fn", "for", "gen", "if", "impl", "in", "let",
        "loop", "macro", "match", "mod", "move", "mut", "override", "priv", "pub", "ref", "return", "static",
        "struct", "super", "trait", "true", "type", "use",
    ];
    const TAKEN: [&str; 9] =
        ["alloc", "build", "core", "deps", "hookway-plugin", "proc_macro", "serde", "std", "test"];
    let text = name.as_str();
    let why = if text.starts_with(|c: char| c.is_ascii_digit()) {
        "it must begin with a letter"
    } else if KEYWORDS.contains(&text) {
        "it is a keyword"
    } else if TAKEN.contains(&text) {
        "another crate or folder is called so"
    } else {
        return Ok(());
    };
    Err(Error::Name { name: name.clone(), why })
}

fn ensure_free(folder: &Path) -> Result<(), Error> {
    match fs::read_dir(folder).map(|mut entries| entries.next().is_none()) {
        Ok(true) => Ok(()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(error) if error.kind() != io::ErrorKind::NotADirectory => {
            Err(Error::Io { path: folder.to_owned(), source: error })
        }
        Ok(false) | Err(_) => Err(Error::Taken(folder.to_owned())),
    }
}

fn write(path: &Path, text: &str) -> Result<(), Error> {
    let is_script = path.extension().is_some_and(|extension| extension == "sh");
    let writing = || {
        if let Some(folder) = path.parent() {
            fs::create_dir_all(folder)?;
        }
        let mut options = OpenOptions::new();
        options.write(true).create_new(true).mode(if is_script { 0o777 } else { 0o666 });
        let mut file: File = options.open(path)?;
        file.write_all(text.as_bytes())
    };
    writing().map_err(|source| Error::Io { path: path.to_owned(), source })
}

fn next_steps(arguments: &Arguments, folder: &Path) -> String {
    let Arguments { name, lang, kind, .. } = arguments;
    let (language, folder) = (lang.name(), folder.display());
    let steps = [
        (format!("cd {folder}"), "README.md says more than this".to_owned()),
        (lang.test().to_owned(), "natively, without a gateway".to_owned()),
        ("./build.sh".to_owned(), format!("makes {name}.wasm")),
        ("hookway plugin test".to_owned(), "its samples, in the engine of the gateway".to_owned()),
        (format!("hookway plugin push {name}.wasm"), "makes it live".to_owned()),
    ];
    let width = steps.iter().map(|(command, _)| command.len()).max().unwrap_or_default();
    let lines: String =
        steps.iter().map(|(command, what)| format!("  {command:width$}    # {what}\n")).collect();
    format!("{name}: a {kind} in {language}, in {folder}\n\n{lines}")
}

#[cfg(test)]
mod tests;
