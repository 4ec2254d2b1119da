//! Puts the files of a plugin into the plugin directory, and takes them out of it.
//!
//! Each file appears whole. That both of a version appear, or neither, is the business of whoever places them: it is written
//! down before ([`Unsettled`](crate::model::Unsettled)), and nobody reads the directory meanwhile. Everything here blocks.

use std::io::{self, ErrorKind};
use std::os::fd::OwnedFd;
use std::path::Path;
use std::sync::Arc;

use rustix::fs::{AtFlags, FileType, Mode, OFlags, fsync, statat, unlinkat};
use rustix::io::Errno;

use super::draft::{self, Draft};
use super::load::Files;
use crate::model::PluginName;

/// As any file that an operator puts there: it is for everybody to read.
const RIGHTS: Mode = Mode::RUSR.union(Mode::WUSR).union(Mode::RGRP).union(Mode::ROTH);

/// Files that lie in the directory already, and only lack their names.
pub(super) struct Placing {
    folder: Arc<OwnedFd>,
    plugin: PluginName,
    component: Draft,
    manifest: Option<Draft>,
}

impl Placing {
    /// Writes them, so that there is nothing left that can run out: what cannot be written shows here.
    pub(super) fn prepare(dir: &Path, plugin: &PluginName, files: &Files) -> io::Result<Self> {
        let folder = open(dir)?;
        for extension in ["wasm", "toml"] {
            may_be_replaced(&folder, &format!("{plugin}.{extension}"))?;
        }
        let written = |bytes: &[u8]| {
            let mut draft = Draft::new(&folder, RIGHTS)?;
            draft.write(bytes)?;
            draft.sync()?;
            Ok::<_, io::Error>(draft)
        };
        let component = written(&files.component)?;
        let manifest = files.manifest.as_deref().map(written).transpose()?;
        Ok(Self { folder, plugin: plugin.clone(), component, manifest })
    }

    /// Gives them their names.
    pub(super) fn finish(self) -> io::Result<()> {
        let Self { folder, plugin, component, manifest } = self;
        match manifest {
            Some(manifest) => manifest.keep(&format!("{plugin}.toml"))?,
            None => remove_file(&folder, &format!("{plugin}.toml"))?,
        }
        component.keep(&format!("{plugin}.wasm"))
    }
}

/// Whether files can be made in the directory.
pub(super) fn probe(dir: &Path) -> io::Result<()> {
    Draft::new(&open(dir)?, RIGHTS).map(drop)
}

/// Takes the files of a plugin away, if they are there.
pub(super) fn remove(dir: &Path, plugin: &PluginName) -> io::Result<()> {
    let folder = open(dir)?;
    for extension in ["wasm", "toml"] {
        remove_file(&folder, &format!("{plugin}.{extension}"))?;
    }
    Ok(fsync(&folder)?)
}

/// Removes what a crash left.
pub(super) fn clear(dir: &Path) -> io::Result<()> {
    let folder = open(dir)?;
    draft::clear(&folder)
}

fn open(dir: &Path) -> io::Result<Arc<OwnedFd>> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    Ok(Arc::new(rustix::fs::open(dir, flags, Mode::empty())?))
}

fn remove_file(folder: &OwnedFd, name: &str) -> io::Result<()> {
    match unlinkat(folder, name, AtFlags::empty()) {
        Err(Errno::NOENT) => Ok(()),
        removed => Ok(removed?),
    }
}

/// A link may be, too: it goes, what it leads to stays.
fn may_be_replaced(folder: &OwnedFd, name: &str) -> io::Result<()> {
    match statat(folder, name, AtFlags::SYMLINK_NOFOLLOW) {
        Err(Errno::NOENT) => Ok(()),
        Err(error) => Err(error.into()),
        Ok(stat) if FileType::from_raw_mode(stat.st_mode) == FileType::Directory => {
            Err(io::Error::new(ErrorKind::IsADirectory, format!("`{name}` is a directory there")))
        }
        Ok(_) => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(dir: &Path) -> Vec<String> {
        let all = std::fs::read_dir(dir).unwrap();
        let mut names: Vec<_> = all.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }

    fn files(component: &str, manifest: Option<&str>) -> Files {
        Files { component: component.into(), manifest: manifest.map(Into::into) }
    }

    #[test]
    fn files_appear_together_replace_others_and_go() {
        let dir = tempfile::tempdir().unwrap();
        let (dir, plugin) = (dir.path(), "p".parse().unwrap());
        let placing = Placing::prepare(dir, &plugin, &files("one", Some("a"))).unwrap();
        assert!(names(dir).iter().all(|name| name.starts_with(".hookway-draft-")));
        placing.finish().unwrap();
        assert_eq!(names(dir), ["p.toml", "p.wasm"]);
        drop(Placing::prepare(dir, &plugin, &files("two", None)).unwrap());
        assert_eq!(names(dir), ["p.toml", "p.wasm"], "what is given up leaves nothing");
        Placing::prepare(dir, &plugin, &files("two", None)).unwrap().finish().unwrap();
        assert_eq!(names(dir), ["p.wasm"], "the version has no manifest");
        assert_eq!(std::fs::read(dir.join("p.wasm")).unwrap(), b"two");
        for _ in 0..2 {
            remove(dir, &plugin).unwrap();
            assert!(names(dir).is_empty());
        }
    }

    #[test]
    fn what_cannot_be_replaced_shows_before_anything_is() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::create_dir(dir.path().join("p.toml")).unwrap();
        let refused = Placing::prepare(dir.path(), &"p".parse().unwrap(), &files("one", Some("a")));
        assert!(refused.err().unwrap().to_string().contains("`p.toml` is a directory"));
        assert_eq!(names(dir.path()), ["p.toml"]);
    }

    #[test]
    fn what_a_crash_left_is_cleared_away() {
        let dir = tempfile::tempdir().unwrap();
        for name in [".hookway-draft-0123456789abcdef", "p.wasm"] {
            std::fs::write(dir.path().join(name), "x").unwrap();
        }
        clear(dir.path()).unwrap();
        assert_eq!(names(dir.path()), ["p.wasm"]);
    }
}
