//! Where the SDK for Rust is.
//!
//! It is not published, so a project depends on its folder in a checkout: the one that the person names, or else the one that this program
//! was built in, or the one that the project is made in.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};

/// The folder of the SDK in a checkout.
const FOLDER: &str = "guest-sdk";
/// What tells it from others.
const NAME: &str = "name = \"hookway-plugin\"";

/// Why it is not known.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// Nobody says, and no checkout is near.
    #[error(
        "the SDK for Rust, the crate `hookway-plugin`, is not published yet, and neither this program nor this folder is in a checkout of \
         Hookway that has it: name its folder, for example --sdk ../hookway/guest-sdk"
    )]
    Unknown,
    /// It is not where the person says.
    #[error("{}: there is no crate `hookway-plugin`: name its folder in a checkout of Hookway, or the checkout", .0.display())]
    NotThere(PathBuf),
}

/// The whole path of its folder.
///
/// # Errors
/// There is none.
pub(super) fn find(given: Option<&Path>) -> Result<PathBuf, Error> {
    match given {
        Some(given) => [given.to_owned(), given.join(FOLDER)]
            .iter()
            .find_map(|folder| sdk(folder))
            .ok_or_else(|| Error::NotThere(given.to_owned())),
        None => [env::current_exe(), env::current_dir()]
            .into_iter()
            .flatten()
            .find_map(|place| near(&place))
            .ok_or(Error::Unknown),
    }
}

/// The one of the checkout that a place is in.
fn near(place: &Path) -> Option<PathBuf> {
    place.ancestors().find_map(|folder| sdk(&folder.join(FOLDER)))
}

fn sdk(folder: &Path) -> Option<PathBuf> {
    let manifest = fs::read_to_string(folder.join("Cargo.toml")).ok()?;
    manifest.lines().any(|line| line.trim() == NAME).then(|| fs::canonicalize(folder).ok()).flatten()
}
