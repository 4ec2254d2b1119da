//! Where the files of a plugin lie: given by name, or found in the folder of the project that makes them.

use std::path::{Path, PathBuf};
use std::time::SystemTime;

use super::Error;
use crate::plugins::{Options, Workpiece};

/// Where Cargo puts components, and where other tools do.
const TARGETS: [&str; 3] = ["wasm32-wasip2", "wasm32-wasip1", "wasm32-unknown-unknown"];
const PROFILES: [&str; 3] = ["release", "plugin", "debug"];
const FOLDERS: [&str; 3] = ["", "dist", "build"];
/// The folder with samples, each in a file.
const SAMPLES: &str = "samples";

/// The files of a plugin.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Project {
    pub(super) component: PathBuf,
    pub(super) manifest: Option<PathBuf>,
    /// Where the folder of samples would lie.
    root: PathBuf,
}

impl Project {
    /// Those of a component, or of the project in a folder.
    ///
    /// # Errors
    /// In a sentence: there is none.
    pub(super) fn find(path: &Path, manifest: Option<&Path>) -> Result<Self, Error> {
        let (component, root) = if path.is_dir() {
            (component_in(path)?, path.to_owned())
        } else {
            (path.to_owned(), root_of(path))
        };
        let manifest = match manifest {
            Some(manifest) => Some(manifest.to_owned()),
            None => names(&component, &root).into_iter().find(|path| path.is_file()),
        };
        let beside = manifest.as_deref().and_then(Path::parent);
        let root = beside.filter(|_| !root.join(SAMPLES).is_dir()).map_or(root, Path::to_owned);
        Ok(Self { component, manifest, root })
    }

    /// Reads the component and the manifest.
    pub(super) fn read(&self) -> Result<Workpiece, Error> {
        Workpiece::read(&self.component, self.manifest.as_deref(), &Options::default())
            .map_err(Error::refused(&self.component))
    }

    /// The files with a sample each, by name.
    pub(super) fn samples(&self) -> Result<Vec<PathBuf>, Error> {
        let folder = self.root.join(SAMPLES);
        if !folder.is_dir() {
            return Ok(Vec::new());
        }
        files_in(&folder, "json")
    }
}

/// The folder that a component belongs to: that of the Cargo project that it was built in, or its own.
fn root_of(component: &Path) -> PathBuf {
    let target = component.ancestors().find(|path| path.file_name().is_some_and(|name| name == "target"));
    target.and_then(Path::parent).or_else(|| component.parent()).unwrap_or_else(|| Path::new("")).to_owned()
}

/// What the manifest may be called, the likeliest first. Cargo writes `_` where a name has `-`.
fn names(component: &Path, root: &Path) -> Vec<PathBuf> {
    let mut names = vec![component.with_extension("toml")];
    let stem = component.file_stem().and_then(|stem| stem.to_str()).unwrap_or_default();
    let folder = root.canonicalize().ok();
    let folder = folder.as_deref().and_then(Path::file_name).and_then(|name| name.to_str());
    for name in [stem, &stem.replace('_', "-")].into_iter().chain(folder) {
        names.push(root.join(format!("{name}.toml")));
    }
    names
}

/// The component that a project has made.
fn component_in(root: &Path) -> Result<PathBuf, Error> {
    if let Some(name) = cargo_name(root)? {
        let built = root.canonicalize().map_err(Error::file(root))?;
        let built =
            built.ancestors().map(|folder| folder.join("target")).find_map(|target| newest(&target, &name));
        return built.ok_or_else(|| {
            Error::refused(root)(format!(
                "there is no {name}.wasm: build it with `cargo build --release --target wasm32-wasip2`, or name the file"
            ))
        });
    }
    for folder in FOLDERS {
        let folder = root.join(folder);
        let found = if folder.is_dir() { files_in(&folder, "wasm")? } else { Vec::new() };
        match &found[..] {
            [] => {}
            [one] => return Ok(one.clone()),
            [one, other, ..] => {
                let both = format!("there are several components ({}, {})", one.display(), other.display());
                return Err(Error::refused(root)(format!("{both}: name one of them")));
            }
        }
    }
    Err(Error::refused(root)("there is no component (*.wasm): build it, or name the file".to_owned()))
}

/// What Cargo calls what it makes of this folder; none if it is no project of Cargo.
fn cargo_name(root: &Path) -> Result<Option<String>, Error> {
    let path = root.join("Cargo.toml");
    let Ok(text) = std::fs::read_to_string(&path) else { return Ok(None) };
    let manifest: toml::Table =
        text.parse().map_err(|error: toml::de::Error| Error::refused(&path)(error.message().to_owned()))?;
    let named = |section: &str| manifest.get(section)?.get("name")?.as_str();
    Ok(named("lib").or_else(|| named("package")).map(|name| name.replace('-', "_")))
}

/// What was built last.
fn newest(target: &Path, name: &str) -> Option<PathBuf> {
    let places = TARGETS.iter().flat_map(|triple| PROFILES.iter().map(move |profile| (triple, profile)));
    let files =
        places.map(|(triple, profile)| target.join(triple).join(profile).join(format!("{name}.wasm")));
    let modified = |path: &PathBuf| path.metadata().and_then(|file| file.modified()).ok();
    let built = files.filter_map(|path| Some((modified(&path)?, path)));
    built.max_by_key(|(modified, _): &(SystemTime, PathBuf)| *modified).map(|(_, path)| path)
}

fn files_in(folder: &Path, extension: &str) -> Result<Vec<PathBuf>, Error> {
    let mut files = Vec::new();
    for entry in std::fs::read_dir(folder).map_err(Error::file(folder))? {
        let path = entry.map_err(Error::file(folder))?.path();
        if path.is_file() && path.extension().is_some_and(|found| found == extension) {
            files.push(path);
        }
    }
    files.sort();
    Ok(files)
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    fn file(root: &Path, path: &str, text: &str) {
        let path = root.join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    fn found(root: &Path, path: &str) -> (String, Option<String>, usize) {
        let project = Project::find(&root.join(path), None).unwrap();
        let root = root.canonicalize().unwrap();
        let shown = |path: &Path| {
            let path = path.canonicalize().unwrap();
            path.strip_prefix(&root).unwrap().to_str().unwrap().to_owned()
        };
        (shown(&project.component), project.manifest.as_deref().map(shown), project.samples().unwrap().len())
    }

    #[test]
    fn a_project_of_cargo_has_its_component_in_the_nearest_target_and_its_manifest_at_its_root() {
        let home = tempfile::tempdir().unwrap();
        let root = home.path();
        file(root, "plugins/big-orders/Cargo.toml", "[package]\nname = \"big-orders\"");
        let folder = root.join("plugins/big-orders");
        let missing = Project::find(&folder, None).unwrap_err().to_string();
        assert!(missing.contains("no big_orders.wasm: build it"), "{missing}");
        file(root, "target/wasm32-wasip2/release/big_orders.wasm", "");
        file(root, "plugins/big-orders/big-orders.toml", "");
        file(root, "plugins/big-orders/samples/a.json", "");
        file(root, "plugins/big-orders/samples/notes.md", "");
        let built = "target/wasm32-wasip2/release/big_orders.wasm".to_owned();
        let manifest = Some("plugins/big-orders/big-orders.toml".to_owned());
        assert_eq!(found(root, "plugins/big-orders"), (built, manifest, 1));
    }

    #[test]
    fn a_library_has_the_name_that_it_gives_itself() {
        let home = tempfile::tempdir().unwrap();
        file(home.path(), "p/Cargo.toml", "[package]\nname = \"a-plugin\"\n[lib]\nname = \"other\"");
        file(home.path(), "p/target/wasm32-wasip1/plugin/other.wasm", "");
        file(home.path(), "p/p.toml", "");
        let built = "p/target/wasm32-wasip1/plugin/other.wasm".to_owned();
        assert_eq!(found(home.path(), "p"), (built.clone(), Some("p/p.toml".to_owned()), 0));
        assert_eq!(found(home.path(), &built).1.as_deref(), Some("p/p.toml"), "from the file, too");
    }

    #[test]
    fn other_projects_have_one_component_at_their_root_or_where_tools_put_it() {
        let home = tempfile::tempdir().unwrap();
        fs::create_dir(home.path().join("p")).unwrap();
        let none = Project::find(&home.path().join("p"), None).unwrap_err().to_string();
        assert!(none.contains("there is no component"), "{none}");
        file(home.path(), "p/dist/orders.wasm", "");
        file(home.path(), "p/dist/orders.toml", "");
        assert_eq!(found(home.path(), "p").1.as_deref(), Some("p/dist/orders.toml"));
        file(home.path(), "p/dist/more.wasm", "");
        let several = Project::find(&home.path().join("p"), None).unwrap_err().to_string();
        assert!(several.contains("several components"), "{several}");
        file(home.path(), "p/plugin.wasm", "");
        assert_eq!(found(home.path(), "p").0, "p/plugin.wasm");
    }
}
