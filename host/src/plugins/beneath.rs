//! Opens what is in a directory and nothing else: links are followed as long as they stay in it.
//!
//! A mounted ConfigMap is made of such links. One that leads out would have the gateway read whatever file of the machine
//! somebody names. Linux itself sees to it while it follows them; on other systems the path is looked at first.

use std::ffi::OsStr;
use std::fs::{File, Metadata};
use std::io;
use std::path::Path;

#[cfg(target_os = "linux")]
use rustix::fs::{CWD, Mode, OFlags, ResolveFlags, openat, openat2};

const LEADS_OUT: &str = "it is a link that leads out of the plugin directory";

/// What a name leads to, without opening it for reading.
pub(super) fn metadata(dir: &Path, name: &OsStr) -> io::Result<Metadata> {
    look(dir, name, Look::At)?.metadata()
}

/// What a name leads to, for reading. Does not wait for the other end of a pipe.
pub(super) fn open(dir: &Path, name: &OsStr) -> io::Result<File> {
    look(dir, name, Look::Into)
}

#[derive(Clone, Copy)]
enum Look {
    At,
    Into,
}

#[cfg(target_os = "linux")]
fn look(dir: &Path, name: &OsStr, look: Look) -> io::Result<File> {
    use rustix::io::Errno;
    let flags = match look {
        Look::At => OFlags::PATH,
        Look::Into => OFlags::RDONLY | OFlags::NONBLOCK,
    };
    let (flags, none) = (flags | OFlags::CLOEXEC, Mode::empty());
    let folder = openat(CWD, dir, OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC, none)?;
    match openat2(&folder, name, flags, none, ResolveFlags::BENEATH | ResolveFlags::NO_MAGICLINKS) {
        Ok(file) => Ok(file.into()),
        Err(Errno::XDEV) => Err(io::Error::other(LEADS_OUT)),
        // A kernel or a container that does not know it.
        Err(Errno::NOSYS | Errno::PERM) => {
            stays_in(dir, name)?;
            Ok(openat(&folder, name, flags, none)?.into())
        }
        Err(error) => Err(error.into()),
    }
}

#[cfg(not(target_os = "linux"))]
fn look(dir: &Path, name: &OsStr, _: Look) -> io::Result<File> {
    stays_in(dir, name)?;
    let path = dir.join(name);
    // Opening a pipe would wait for its other end.
    if path.metadata()?.is_file() || path.metadata()?.is_dir() {
        File::open(path)
    } else {
        Err(io::Error::other("it is not a regular file"))
    }
}

fn stays_in(dir: &Path, name: &OsStr) -> io::Result<()> {
    let is_in = dir.join(name).canonicalize()?.starts_with(dir.canonicalize()?);
    if is_in { Ok(()) } else { Err(io::Error::other(LEADS_OUT)) }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    #[test]
    fn links_are_followed_as_long_as_they_stay_in() {
        let home = tempfile::tempdir().unwrap();
        let dir = home.path().join("plugins");
        std::fs::create_dir_all(dir.join("..v1")).unwrap();
        for file in [dir.join("..v1/p.wasm"), home.path().join("outside.wasm")] {
            std::fs::write(file, "x").unwrap();
        }
        for (link, to) in [
            ("..data", "..v1"),
            ("inside.wasm", "..data/p.wasm"),
            ("relative.wasm", "../outside.wasm"),
            ("absolute.wasm", "/etc/hostname"),
            ("back.wasm", "../plugins/..v1/p.wasm"),
        ] {
            symlink(to, dir.join(link)).unwrap();
        }
        assert!(
            open(&dir, "inside.wasm".as_ref()).is_ok()
                && metadata(&dir, "inside.wasm".as_ref()).unwrap().is_file()
        );
        for out in ["relative.wasm", "absolute.wasm", "back.wasm"] {
            assert_eq!(open(&dir, out.as_ref()).unwrap_err().to_string(), LEADS_OUT, "{out}");
            assert!(metadata(&dir, out.as_ref()).is_err(), "{out}");
        }
        for (name, is_in) in [("inside.wasm", true), ("relative.wasm", false), ("absolute.wasm", false)] {
            assert_eq!(stays_in(&dir, name.as_ref()).is_ok(), is_in, "{name}");
        }
    }
}
