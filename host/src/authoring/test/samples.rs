//! The samples of a plugin: those of its manifest, and those in files of their own.

use std::path::{Path, PathBuf};

use crate::authoring::Error;
use crate::authoring::project::Project;
use crate::model::PluginName;
use crate::plugins::Manifest;
use crate::plugins::manifest::{MAX_SAMPLE_BYTES, Sample, SampleFile};

/// A sample with its place.
#[derive(Debug, Clone, PartialEq)]
pub(in crate::authoring) struct Test {
    /// What it is called.
    pub(in crate::authoring) name: String,
    pub(in crate::authoring) place: Place,
    pub(in crate::authoring) sample: Sample,
    /// Whether it leaves out what is to come out.
    pub(in crate::authoring) is_open: bool,
}

/// Where a sample is written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::authoring) enum Place {
    /// In the manifest, by its number from 0.
    Manifest(usize),
    /// In a file of its own.
    File(PathBuf),
}

/// All samples, those of the manifest first.
///
/// # Errors
/// In a sentence: one cannot be read.
pub(in crate::authoring) fn collect(
    manifest: &Manifest,
    plugin: &PluginName,
    project: &Project,
) -> Result<Vec<Test>, Error> {
    let of_manifest = manifest.samples.iter().enumerate().map(|(number, sample)| Test {
        name: sample.name.clone().unwrap_or_else(|| format!("sample {} of {plugin}.toml", number + 1)),
        place: Place::Manifest(number),
        sample: sample.clone(),
        is_open: false,
    });
    let mut tests: Vec<_> = of_manifest.collect();
    for path in project.samples()? {
        let SampleFile { sample, is_open } = read(&path)?;
        let stem = || path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        let name = sample.name.clone().unwrap_or_else(stem);
        tests.push(Test { name, place: Place::File(path), sample, is_open });
    }
    Ok(tests)
}

fn read(path: &Path) -> Result<SampleFile, Error> {
    let size = path.metadata().map_err(Error::file(path))?.len();
    if size > MAX_SAMPLE_BYTES {
        let reason = format!("a sample has at most {} KiB", MAX_SAMPLE_BYTES >> 10);
        return Err(Error::refused(path)(reason));
    }
    let content = std::fs::read(path).map_err(Error::file(path))?;
    SampleFile::parse(&path.display().to_string(), &content).map_err(Error::Failed)
}
