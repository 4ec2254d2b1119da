//! `hookway plugin push`: a component, and its manifest if it has one, goes live or is refused.

use std::path::{Path, PathBuf};

use clap::Args;
use serde::Deserialize;
use ureq::http::Method;

use crate::client::error::Error;
use crate::client::input::read_bytes;
use crate::client::line::{Line, Tone};
use crate::client::output::{hint, not_understood};
use crate::client::session::Session;

/// What goes live.
#[derive(Debug, Args)]
pub struct PushArgs {
    #[command(flatten)]
    files: FileArgs,
    /// Try it as if it were to go live, and change nothing.
    #[arg(long)]
    dry_run: bool,
}

/// The files of a version.
#[derive(Debug, Args)]
pub struct FileArgs {
    /// The component, as `target/wasm32-wasip2/release/big_orders.wasm`; `.wasm` may be left out.
    file: PathBuf,
    /// What the plugin is called [default: the name of the file].
    #[arg(long)]
    name: Option<String>,
    /// Its manifest [default: the file of the same name that ends in .toml, if there is one; else that of the gateway stays].
    #[arg(long, value_name = "FILE")]
    manifest: Option<PathBuf>,
    /// Without the manifest that the plugin has in the gateway.
    #[arg(long, conflicts_with = "manifest")]
    no_manifest: bool,
}

/// What the gateway says of a version that went live.
#[derive(Deserialize)]
pub(super) struct Installed {
    name: String,
    version: String,
    previous: Option<String>,
    changed: bool,
}

impl FileArgs {
    /// The name of the plugin, and the body of a request with the files and its media type.
    ///
    /// # Errors
    /// A file cannot be read.
    pub(super) fn read(self) -> Result<(String, String, Vec<u8>), Error> {
        let file = with_extension(self.file);
        let name = match self.name {
            Some(name) => name,
            None => stem(&file)?,
        };
        let component = read_bytes(&file)?;
        let manifest = match (self.manifest, self.no_manifest) {
            (_, true) => Some(Vec::new()),
            (Some(path), false) => Some(read_bytes(&path)?),
            (None, false) => beside(&file)?,
        };
        let (media, body) = body(component, manifest);
        Ok((name, media, body))
    }
}

pub(super) fn run(args: PushArgs, session: &mut Session) -> Result<(), Error> {
    let (name, media, body) = args.files.read()?;
    install(session, &name, (&media, body), args.dry_run)
}

/// Has a component with its manifest, if it has one, go live as a version of a plugin.
pub(super) fn put(
    session: &mut Session,
    name: &str,
    (component, manifest): (Vec<u8>, Option<Vec<u8>>),
) -> Result<(), Error> {
    let (media, body) = body(component, manifest);
    install(session, name, (&media, body), false)
}

fn install(session: &mut Session, name: &str, body: (&str, Vec<u8>), is_dry_run: bool) -> Result<(), Error> {
    let route = session.api.at(&["plugins", name]).with("dry_run", is_dry_run.then_some(true));
    let json = session.api.call_patiently(Method::PUT, &route, Some(body))?;
    say(&json, is_dry_run, session)
}

/// The files as a body, with its media type.
pub(super) fn body(component: Vec<u8>, manifest: Option<Vec<u8>>) -> (String, Vec<u8>) {
    let Some(manifest) = manifest else { return ("application/wasm".to_owned(), component) };
    let boundary = format!("hookway-{:032x}", rand::random::<u128>());
    let form = form(&boundary, &[("component", &component), ("manifest", &manifest)]);
    (format!("multipart/form-data; boundary={boundary}"), form)
}

/// Says what is live.
pub(super) fn say(json: &str, is_dry_run: bool, session: &mut Session) -> Result<(), Error> {
    let installed: Installed = serde_json::from_str(json).map_err(|error| not_understood(&error))?;
    session.done(json, line(installed, is_dry_run))
}

fn line(installed: Installed, is_dry_run: bool) -> Line {
    let Installed { name, version, previous, changed } = installed;
    let what = match (changed, is_dry_run) {
        (false, _) => "was live already; nothing changed",
        (true, true) => "would go live",
        (true, false) => "is live",
    };
    let before = match previous {
        Some(previous) if previous != version => format!(", in the place of {previous}"),
        Some(_) => String::new(),
        None => ", and the plugin is new".to_owned(),
    };
    Line::from(format!("{name}: {version} ")).and(Tone::Good, what).and(Tone::Plain, before)
}

/// A name without extension stands for the component of that name.
fn with_extension(file: PathBuf) -> PathBuf {
    if file.extension().is_none() && !file.exists() { file.with_extension("wasm") } else { file }
}

/// What a plugin is called whose component is this file.
pub(super) fn stem(file: &Path) -> Result<String, Error> {
    let stem = file.file_stem().and_then(|stem| stem.to_str()).map(str::to_owned);
    stem.ok_or_else(|| Error::Usage(format!("{}: give the plugin a name with --name", file.display())))
}

/// The manifest that lies beside the component.
pub(super) fn beside(file: &Path) -> Result<Option<Vec<u8>>, Error> {
    let manifest = file.with_extension("toml");
    if !manifest.is_file() {
        return Ok(None);
    }
    hint(&format!("with the manifest {}", manifest.display()));
    read_bytes(&manifest).map(Some)
}

/// Files as RFC 7578 has them.
fn form(boundary: &str, parts: &[(&str, &[u8])]) -> Vec<u8> {
    let mut form = Vec::new();
    for (name, bytes) in parts {
        let head = format!(
            "--{boundary}\r\ncontent-disposition: form-data; name=\"{name}\"; filename=\"{name}\"\r\n\
             content-type: application/octet-stream\r\n\r\n"
        );
        form.extend_from_slice(head.as_bytes());
        form.extend_from_slice(bytes);
        form.extend_from_slice(b"\r\n");
    }
    form.extend_from_slice(format!("--{boundary}--\r\n").as_bytes());
    form
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(previous: Option<&str>, changed: bool, is_dry_run: bool) -> String {
        let (name, version) = ("p".to_owned(), "v2".to_owned());
        let installed = Installed { name, version, previous: previous.map(str::to_owned), changed };
        line(installed, is_dry_run).render(false)
    }

    #[test]
    fn what_is_live_is_said_in_a_sentence() {
        assert_eq!(said(None, true, false), "p: v2 is live, and the plugin is new");
        assert_eq!(said(Some("v1"), true, false), "p: v2 is live, in the place of v1");
        assert_eq!(said(Some("v1"), true, true), "p: v2 would go live, in the place of v1");
        assert_eq!(said(Some("v2"), false, false), "p: v2 was live already; nothing changed");
    }

    #[test]
    fn a_plugin_is_called_as_its_file_and_its_manifest_lies_beside_it() {
        let home = tempfile::tempdir().unwrap();
        let file = home.path().join("big-orders");
        assert_eq!(stem(&with_extension(file.clone())).unwrap(), "big-orders");
        let component = with_extension(file);
        assert!(component.ends_with("big-orders.wasm"));
        assert_eq!(beside(&component).unwrap(), None);
        std::fs::write(component.with_extension("toml"), "topics = []").unwrap();
        assert_eq!(beside(&component).unwrap().unwrap(), b"topics = []");
    }

    #[test]
    fn a_form_has_each_file_as_it_is() {
        let form = String::from_utf8(form("b", &[("component", b"\0asm"), ("manifest", b"")])).unwrap();
        assert!(form.starts_with("--b\r\ncontent-disposition: form-data; name=\"component\""), "{form}");
        assert!(
            form.contains("\r\n\r\n\0asm\r\n--b\r\n") && form.ends_with("\r\n\r\n\r\n--b--\r\n"),
            "{form:?}"
        );
    }
}
