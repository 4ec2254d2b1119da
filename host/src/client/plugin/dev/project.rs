//! A project that makes a plugin: what builds it, and what it makes.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::SystemTime;

use super::run_beside;
use crate::client::error::Error;
use crate::client::plugin::push::stem;

/// What builds a folder that has this file, the likeliest first.
const BUILDS: [(&str, &str); 4] = [
    ("build.sh", "sh ./build.sh"),
    ("Cargo.toml", "cargo build --release --target wasm32-wasip2"),
    ("package.json", "npm run build"),
    ("Makefile", "make"),
];
/// Where components are put.
const FOLDERS: [&str; 4] = ["", "dist", "build", "target/wasm32-wasip2/release"];

/// A folder with a source.
#[derive(Debug)]
pub(super) struct Project {
    folder: PathBuf,
    command: String,
    output: Option<PathBuf>,
}

impl Project {
    pub(super) fn new(folder: &Path, command: Option<&str>, output: Option<&Path>) -> Result<Self, Error> {
        if !folder.is_dir() {
            return Err(Error::Usage(format!("{}: this is no folder", folder.display())));
        }
        let known = BUILDS.iter().find(|(file, _)| folder.join(file).is_file()).map(|(_, command)| *command);
        let command = command.or(known).ok_or_else(|| {
            let files = BUILDS.map(|(file, _)| file).join(", ");
            Error::Usage(format!(
                "{}: there is none of {files}; say what builds it with --build",
                folder.display()
            ))
        })?;
        let output = output.map(|output| folder.join(output));
        Ok(Self { folder: folder.to_owned(), command: command.to_owned(), output })
    }

    /// What builds it.
    pub(super) fn command(&self) -> &str {
        &self.command
    }

    /// What the plugin is called whose component this is, and its manifest: `NAME.toml` beside it or in the folder. Cargo writes
    /// `_` where a name has `-`.
    pub(super) fn name(&self, component: &Path) -> Result<(String, Option<PathBuf>), Error> {
        let stem = stem(component)?;
        for name in [stem.clone(), stem.replace('_', "-")] {
            let file = format!("{name}.toml");
            let places = [component.with_file_name(&file), self.folder.join(&file)];
            if let Some(manifest) = places.into_iter().find(|path| path.is_file()) {
                return Ok((name, Some(manifest)));
            }
        }
        Ok((stem, None))
    }

    /// Whether there are samples that it can be tried with.
    pub(super) fn has_samples(&self, manifest: Option<&Path>) -> bool {
        let in_manifest = manifest.and_then(|path| fs::read_to_string(path).ok());
        in_manifest.is_some_and(|text| text.contains("[[samples]]")) || self.folder.join("samples").is_dir()
    }

    /// Builds it. Its output goes to standard error.
    pub(super) fn build(&self) -> Result<(), Error> {
        let mut command = Command::new("sh");
        command.arg("-c").arg(&self.command).current_dir(&self.folder);
        run_beside(command, "the build failed")
    }

    /// The component that was built last.
    pub(super) fn component(&self) -> Result<PathBuf, Error> {
        if let Some(output) = &self.output {
            let is_there = output.is_file();
            return is_there.then(|| output.clone()).ok_or_else(|| {
                Error::Failed(format!("{}: the build did not make this file", output.display()))
            });
        }
        let built = FOLDERS.iter().flat_map(|folder| components_in(&self.folder.join(folder)));
        let newest = built.max_by_key(|(modified, _)| *modified).map(|(_, path)| path);
        newest.ok_or_else(|| {
            Error::Failed(
                "the build made no *.wasm where one is looked for; name it with --output".to_owned(),
            )
        })
    }
}

fn components_in(folder: &Path) -> Vec<(SystemTime, PathBuf)> {
    let Ok(entries) = fs::read_dir(folder) else { return Vec::new() };
    let paths = entries.filter_map(|entry| Some(entry.ok()?.path()));
    let components = paths.filter(|path| path.extension().is_some_and(|extension| extension == "wasm"));
    components.filter_map(|path| Some((path.metadata().ok()?.modified().ok()?, path))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(root: &Path, path: &str) {
        let path = root.join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, "").unwrap();
    }

    #[test]
    fn what_builds_a_project_is_seen_by_its_files() {
        let home = tempfile::tempdir().unwrap();
        let command = || Project::new(home.path(), None, None).map(|project| project.command);
        assert!(command().unwrap_err().sentence().contains("build.sh, Cargo.toml"));
        for (name, expected) in [("Makefile", "make"), ("Cargo.toml", "cargo"), ("build.sh", "sh ./build.sh")]
        {
            file(home.path(), name);
            assert!(command().unwrap().starts_with(expected), "{name}");
        }
        let own = Project::new(home.path(), Some("just"), None).unwrap();
        assert_eq!(own.command(), "just");
        assert!(Project::new(&home.path().join("none"), Some("just"), None).is_err());
    }

    #[test]
    fn the_newest_component_is_what_was_built() {
        let home = tempfile::tempdir().unwrap();
        let project = Project::new(home.path(), Some("true"), None).unwrap();
        assert!(project.component().unwrap_err().sentence().contains("--output"));
        file(home.path(), "old.wasm");
        file(home.path(), "target/wasm32-wasip2/release/deps/no.wasm");
        file(home.path(), "target/wasm32-wasip2/release/big_orders.wasm");
        let old = fs::File::options().write(true).open(home.path().join("old.wasm")).unwrap();
        old.set_modified(SystemTime::UNIX_EPOCH).unwrap();
        let built = project.component().unwrap();
        assert_eq!(project.name(&built).unwrap(), ("big_orders".to_owned(), None));
        file(home.path(), "big-orders.toml");
        let manifest = Some(home.path().join("big-orders.toml"));
        assert_eq!(project.name(&built).unwrap(), ("big-orders".to_owned(), manifest));
        let named = Project::new(home.path(), Some("true"), Some(Path::new("old.wasm"))).unwrap();
        assert_eq!(project.name(&named.component().unwrap()).unwrap().0, "old");
    }
}
