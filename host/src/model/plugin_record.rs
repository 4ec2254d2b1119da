//! What is kept of a plugin: the versions that went live, and what is being done with its files.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{KeyId, PluginName, TenantId, UnixMs};

/// One plugin, as it is stored. The files of its versions are kept beside the store.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PluginRecord {
    /// Which plugin.
    pub plugin: PluginName,
    /// The versions that went live, each once, the one that did last first; at most [`PluginRecord::KEPT`].
    #[serde(default)]
    pub versions: Vec<PluginVersion>,
    /// The version that may follow the one that is live.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub candidate: Option<PluginCandidate>,
    /// What was decided about its files in the plugin directory and may not be done yet.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unsettled: Option<Unsettled>,
}

/// A version that is tried on live events before it goes live.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PluginCandidate {
    /// The version; its time is when it came.
    pub version: PluginVersion,
    /// How many of a hundred events it decides; none: it decides none and is only compared.
    pub percent: Option<Percent>,
    /// Since when it is tried like this.
    pub since: UnixMs,
    /// That it is tried no more.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ended: Option<CandidateEnd>,
}

/// Why a candidate is tried no more.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CandidateEnd {
    /// Since when.
    pub at: UnixMs,
    /// In a sentence.
    pub reason: String,
}

/// A share of events: 1 to 100 of a hundred.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "u64")]
pub struct Percent(u8);

/// Why a number is no share of events.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a share of events is a whole number from 1 to 100")]
pub struct PercentError;

impl Percent {
    /// Of a hundred.
    #[must_use]
    pub const fn get(self) -> u8 {
        self.0
    }
}

impl TryFrom<u64> for Percent {
    type Error = PercentError;

    fn try_from(number: u64) -> Result<Self, PercentError> {
        match u8::try_from(number) {
            Ok(number @ 1..=100) => Ok(Self(number)),
            Ok(_) | Err(_) => Err(PercentError),
        }
    }
}

/// A version that went live.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PluginVersion {
    /// What it is called: the first 16 hex digits of `component` and, with a manifest, `+` and the first 8 of `manifest`.
    pub version: String,
    /// SHA-256 of `NAME.wasm`, in hex: the name under which it is kept.
    pub component: String,
    /// That of `NAME.toml`, if it has one.
    pub manifest: Option<String>,
    /// Of the component, in bytes.
    pub size: u64,
    /// When it went live, the last time if it did so more than once.
    pub at: UnixMs,
    /// How it came.
    pub origin: PluginOrigin,
    /// The key that asked for it; none for a file.
    pub key: Option<KeyId>,
    /// It failed on what the version before could judge, and that one serves again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sent_back: Option<SentBack>,
}

/// How a version came to be live.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum PluginOrigin {
    /// Somebody put a file into the plugin directory.
    File,
    /// It was uploaded.
    Upload,
    /// Somebody rolled back to it.
    Rollback,
    /// It was a candidate, and somebody promoted it.
    Promote,
}

/// That a version was sent back, and why.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SentBack {
    /// When.
    pub at: UnixMs,
    /// Why, in a sentence.
    pub reason: String,
    /// On whose events it failed.
    pub tenant: TenantId,
    /// The version that serves in its place.
    pub instead: String,
}

/// What was decided about the files of a plugin. It is written down before the files are touched and taken out after that, so a
/// crash between the two leaves it, and the next start does the rest.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Unsettled {
    /// Those of the newest version belong there.
    Install,
    /// None belong there, and no version is to be kept.
    Remove,
}

impl PluginRecord {
    /// How many versions are kept of a plugin.
    pub const KEPT: usize = 10;

    /// One of which nothing is known.
    #[must_use]
    pub const fn none(plugin: PluginName) -> Self {
        Self { plugin, versions: Vec::new(), candidate: None, unsettled: None }
    }

    /// Whether it says nothing.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.versions.is_empty() && self.candidate.is_none() && self.unsettled.is_none()
    }

    /// The version of this name, if it is kept.
    #[must_use]
    pub fn version(&self, name: &str) -> Option<&PluginVersion> {
        self.versions.iter().find(|version| version.version == name)
    }

    /// The one that went live last.
    #[must_use]
    pub fn newest(&self) -> Option<&PluginVersion> {
        self.versions.first()
    }

    /// A version goes live: it is the newest, whether it was there before or not. Too many lose the one that was live
    /// longest ago. If it was the candidate, there is none any more.
    pub fn add(&mut self, version: PluginVersion) {
        self.candidate.take_if(|candidate| candidate.version.version == version.version);
        self.versions.retain(|other| other.version != version.version);
        self.versions.insert(0, version);
        self.versions.truncate(Self::KEPT);
    }

    /// A version is sent back. Nothing happens if it is not kept.
    pub fn send_back(&mut self, version: &str, sent_back: SentBack) {
        if let Some(bad) = self.versions.iter_mut().find(|it| it.version == version) {
            bad.sent_back = Some(sent_back);
        }
    }

    /// The names of the files that its versions are made of.
    pub fn files(&self) -> impl Iterator<Item = &str> {
        let candidate = self.candidate.iter().map(|candidate| &candidate.version);
        self.versions.iter().chain(candidate).flat_map(PluginVersion::files)
    }
}

impl PluginVersion {
    /// The names of the files that it is made of.
    pub fn files(&self) -> impl Iterator<Item = &str> {
        std::iter::once(self.component.as_str()).chain(self.manifest.as_deref())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn version(number: u64) -> PluginVersion {
        PluginVersion {
            version: format!("{number:016x}"),
            component: format!("{number:064x}"),
            manifest: (number % 2 == 1).then(|| format!("{number:064x}")),
            size: number,
            at: UnixMs(number),
            origin: PluginOrigin::File,
            key: None,
            sent_back: None,
        }
    }

    fn numbers(record: &PluginRecord) -> Vec<u64> {
        record.versions.iter().map(|version| version.size).collect()
    }

    #[test]
    fn the_last_ten_are_kept_each_once_and_the_newest_first() {
        let mut record = PluginRecord::none("p".parse().unwrap());
        assert!(record.is_empty());
        (1..=12).for_each(|number| record.add(version(number)));
        assert_eq!(numbers(&record), [12, 11, 10, 9, 8, 7, 6, 5, 4, 3]);
        record.send_back(&version(5).version, sent_back());
        record.send_back(&version(1).version, sent_back());
        assert_eq!(record.version(&version(5).version).unwrap().sent_back, Some(sent_back()));
        record.add(version(5));
        assert_eq!(numbers(&record), [5, 12, 11, 10, 9, 8, 7, 6, 4, 3]);
        assert_eq!(record.newest(), Some(&version(5)), "what was sent back is forgotten with it");
        assert_eq!(record.version(&version(1).version), None);
        assert_eq!(record.files().count(), 15);
    }

    #[test]
    fn a_candidate_is_kept_until_it_goes_live() {
        let mut record = PluginRecord::none("p".parse().unwrap());
        let percent = Percent::try_from(10).ok();
        record.candidate =
            Some(PluginCandidate { version: version(1), percent, since: UnixMs(1), ended: None });
        assert!(!record.is_empty());
        assert_eq!(record.files().count(), 2);
        record.add(version(2));
        assert!(record.candidate.is_some());
        let text = serde_json::to_string(&record).unwrap();
        assert!(text.contains(r#""percent":10"#), "{text}");
        assert_eq!(serde_json::from_str::<PluginRecord>(&text).unwrap(), record);
        assert!(serde_json::from_str::<PluginRecord>(&text.replace(":10,", ":101,")).is_err());
        record.add(version(1));
        assert_eq!(record.candidate, None);
    }

    fn sent_back() -> SentBack {
        let reason = "it failed".to_owned();
        SentBack { at: UnixMs(1), reason, tenant: TenantId::default(), instead: version(4).version }
    }

    /// Written by the first Hookway that kept versions: what is added later needs a default.
    #[test]
    fn a_record_is_stored_like_this() {
        let text = r#"{"plugin":"p","versions":[{"version":"a+b","component":"aa","manifest":"bb","size":3,"at":4,"origin":"rollback","key":null,"sent_back":{"at":1,"reason":"it failed","tenant":"default","instead":"0000000000000004"}}],"unsettled":"install"}"#;
        let record = PluginRecord {
            plugin: "p".parse().unwrap(),
            versions: vec![PluginVersion {
                version: "a+b".to_owned(),
                component: "aa".to_owned(),
                manifest: Some("bb".to_owned()),
                size: 3,
                at: UnixMs(4),
                origin: PluginOrigin::Rollback,
                key: None,
                sent_back: Some(sent_back()),
            }],
            candidate: None,
            unsettled: Some(Unsettled::Install),
        };
        assert_eq!(serde_json::to_string(&record).unwrap(), text);
        assert_eq!(serde_json::from_str::<PluginRecord>(text).unwrap(), record);
    }
}
