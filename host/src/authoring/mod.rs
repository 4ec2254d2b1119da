//! `hookway plugin new | check | test | bench | componentize | wit`: for authors of plugins, without a gateway.
//!
//! The same code that loads and calls plugins in the gateway, with the same limits, so that what is said here holds there.

mod bench;
mod check;
mod events;
mod figures;
mod inputs;
mod new;
mod project;
mod test;

use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use clap::Subcommand;

use crate::client;
use crate::plugins::{self, Means, WIT};

/// What authors can do on their own.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Write a project for a plugin: it builds with the stock tools of its language, and has a manifest with samples and a test.
    New(new::Arguments),
    /// Say what a plugin exports, imports, asks for and is denied, and whether the gateway would load it; exit code 1 if it would
    /// not.
    Check(check::Args),
    /// Try a plugin with the samples of its manifest and of its folder `samples`; exit code 1 if one comes out otherwise.
    ///
    /// Each sample runs as an event would in a gateway, with the same limits, on an instance of its own. A sample is a table
    /// `[[samples]]` of the manifest NAME.toml, or a file samples/*.json with the same keys: `event` (`topic`, `data`), perhaps
    /// `config` and `name`, and `expect`: "deliver", "drop", "unchanged" or {"body": ...}. Of a matcher it has `patterns`,
    /// `accepts` and `rejects`.
    Test(test::Args),
    /// Measure what calls of a plugin cost: time, instructions and memory.
    Bench(bench::Args),
    /// Make a component of a core module, for tool chains that do not; the gateway does the same with one that says its interfaces.
    Componentize {
        /// The core module.
        file: PathBuf,
        /// The world that it is made for, for example `filter-plugin`; see `hookway plugin wit`. Not needed where the module
        /// says it itself.
        #[arg(long)]
        world: Option<String>,
        /// Where the component goes.
        #[arg(long, short)]
        output: PathBuf,
    },
    /// Print the contract between gateway and plugins.
    Wit,
}

/// What is outside of these commands.
#[derive(Debug)]
pub struct World {
    /// The environment variables.
    pub environment: Vec<(String, String)>,
    /// Makes what plugins reach others with, where they may.
    pub means: fn() -> Result<Means, String>,
}

impl World {
    /// Where machine code is kept for the next command, by the XDG base directories
    /// (<https://specifications.freedesktop.org/basedir/latest/>); none where nobody has a home.
    fn cache(&self) -> Option<PathBuf> {
        let of =
            |name: &str| self.environment.iter().find(|(found, value)| found == name && !value.is_empty());
        let path = |(_, value): &(String, String)| PathBuf::from(value);
        let caches = of("XDG_CACHE_HOME").map(path).filter(|path| path.is_absolute());
        let caches = caches.or_else(|| of("HOME").map(|home| path(home).join(".cache")));
        caches.map(|caches| caches.join("hookway").join("plugins"))
    }
}

/// Why it was not done.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A file cannot be read or written.
    #[error("{path}: {source}", path = .path.display())]
    File {
        /// Which.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// The file is not what it should be.
    #[error("{path}: {reason}", path = .path.display())]
    Refused {
        /// Which.
        path: PathBuf,
        /// Why, in a sentence.
        reason: String,
    },
    /// It was done, and not all is as it should be.
    #[error("{0}")]
    Failed(String),
    /// There is no project.
    #[error(transparent)]
    New(#[from] new::Error),
    /// Nobody reads the output.
    #[error("{}", .0.sentence())]
    Output(#[from] client::Error),
    /// There is no thread to work on, or no program to compile with.
    #[error(transparent)]
    Io(#[from] io::Error),
}

impl Error {
    fn refused(path: &Path) -> impl FnOnce(String) -> Self {
        move |reason| Self::Refused { path: path.to_owned(), reason }
    }

    fn file(path: &Path) -> impl FnOnce(io::Error) -> Self {
        move |source| Self::File { path: path.to_owned(), source }
    }
}

/// Does what was asked.
///
/// # Errors
/// In a sentence.
pub fn run(command: Command, world: World) -> Result<(), Error> {
    match command {
        Command::New(arguments) => Ok(write!(io::stdout(), "{}", new::run(&arguments)?)?),
        Command::Check(args) => block_on(check::run(args, &world))?,
        Command::Test(args) => block_on(test::run(args, world))?,
        Command::Bench(args) => block_on(bench::run(args, world))?,
        Command::Componentize { file, world, output } => {
            let module = std::fs::read(&file).map_err(Error::file(&file))?;
            let component = plugins::componentize(&module, world.as_deref())
                .map_err(|error| Error::Refused { path: file, reason: error.to_string() })?;
            std::fs::write(&output, component).map_err(Error::file(&output))
        }
        Command::Wit => Ok(io::stdout().write_all(WIT.as_bytes())?),
    }
}

fn block_on<T>(work: impl Future<Output = T>) -> Result<T, Error> {
    Ok(tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(work))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn machine_code_is_kept_where_caches_are() {
        let cache = |environment: &[(&str, &str)]| {
            let environment =
                environment.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
            World { environment: environment.collect(), means: || Ok(Means::default()) }.cache()
        };
        let home = ("HOME", "/home/ada");
        assert_eq!(cache(&[]), None);
        assert_eq!(cache(&[home, ("XDG_CACHE_HOME", "")]), Some("/home/ada/.cache/hookway/plugins".into()));
        assert_eq!(
            cache(&[home, ("XDG_CACHE_HOME", "not/absolute")]),
            Some("/home/ada/.cache/hookway/plugins".into())
        );
        assert_eq!(cache(&[home, ("XDG_CACHE_HOME", "/c")]), Some("/c/hookway/plugins".into()));
    }
}
