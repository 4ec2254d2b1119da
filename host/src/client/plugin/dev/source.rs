//! The source of a project, and whether it changed.
//!
//! It is looked at again and again: that works on every file system, in containers and over networks, and costs a few thousand
//! looks at files for a large project.

use std::fs;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::path::{Path, PathBuf};

/// What is no source but made of it, or comes from elsewhere.
const NOT_SOURCE: [&str; 7] = ["target", "node_modules", "dist", "build", "__pycache__", "venv", "vendor"];
/// More files are not looked at.
const MAX_FILES: usize = 20_000;
const MAX_DEPTH: usize = 16;

/// The files below a folder.
#[derive(Debug)]
pub(super) struct Source(PathBuf);

impl Source {
    /// All but hidden ones, components, and folders with what was built.
    pub(super) fn of(folder: &Path) -> Self {
        Self(folder.to_owned())
    }

    /// A number that is another one when a file was changed, added or removed.
    pub(super) fn look(&self) -> u64 {
        let mut files = Vec::new();
        collect(&self.0, MAX_DEPTH, &mut files);
        let mut hasher = DefaultHasher::new();
        for path in files {
            let Ok(file) = path.metadata() else { continue };
            (&path, file.len(), file.modified().ok()).hash(&mut hasher);
        }
        hasher.finish()
    }
}

/// In the order of their names.
fn collect(folder: &Path, depth: usize, files: &mut Vec<PathBuf>) {
    let Ok(entries) = fs::read_dir(folder) else { return };
    let mut paths: Vec<_> = entries.filter_map(|entry| Some(entry.ok()?.path())).collect();
    paths.sort_unstable();
    for path in paths {
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        if name.starts_with('.') || files.len() >= MAX_FILES {
            continue;
        }
        if !path.is_dir() {
            let is_component = path.extension().is_some_and(|extension| extension == "wasm");
            files.extend((!is_component).then_some(path));
        } else if depth > 0 && !NOT_SOURCE.contains(&name) {
            collect(&path, depth - 1, files);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_change_of_the_source_is_seen_and_what_is_built_is_none() {
        let home = tempfile::tempdir().unwrap();
        let write = |path: &str, text: &str| {
            let path = home.path().join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        };
        let source = Source::of(home.path());
        let mut last = source.look();
        write("src/lib.rs", "1");
        for (path, text, is_change) in [
            ("src/lib.rs", "22", true),
            ("p.toml", "", true),
            ("p.wasm", "x", false),
            ("target/wasm32-wasip2/release/p.wasm", "x", false),
            ("node_modules/a/index.js", "x", false),
            (".git/HEAD", "x", false),
            ("src/more/a.rs", "x", true),
        ] {
            last = source.look();
            write(path, text);
            assert_eq!(source.look() != last, is_change, "{path}");
        }
        fs::remove_file(home.path().join("p.toml")).unwrap();
        assert_ne!(source.look(), last);
    }
}
