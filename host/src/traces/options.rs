//! The settings of traces.

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;

use serde::Deserialize;
use url::Url;

/// Where a collector takes spans, below its base (OTLP 1.x, OTLP/HTTP request).
const PATH: &str = "v1/traces";

/// Where traces go, and how many.
#[derive(Clone, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Options {
    /// The base URL of a collector that speaks OTLP over HTTP, such as `http://127.0.0.1:4318`. Without it there are no traces.
    pub endpoint: Option<Url>,
    /// Headers for it, such as the key of a service.
    pub headers: BTreeMap<String, String>,
    /// A PEM file with the authorities to trust for it, instead of the public ones.
    pub ca_file: Option<PathBuf>,
    /// Of the traces that begin here, the part that is recorded: 0 to 1. Default: 1.
    pub sample_ratio: f64,
    /// What the gateway is called in its traces. Default: `hookway`.
    pub service_name: String,
    /// Whether deliveries carry `traceparent` and `tracestate`. Default: true.
    pub reach_receivers: bool,
}

/// A setting that cannot be right.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum OptionsError {
    /// Not a URL that can be posted to.
    #[error(
        "traces.endpoint: must be an http:// or https:// URL with a host, such as `http://127.0.0.1:4318`"
    )]
    Endpoint,
    /// Not a part of a whole.
    #[error("traces.sample_ratio: must be a number from 0 to 1")]
    SampleRatio,
    /// Not a header.
    #[error("traces.headers: `{0}` and its value cannot be sent as a header of HTTP")]
    Header(String),
    /// The file of authorities cannot be used.
    #[error("traces.ca_file: `{path}` cannot be read as PEM with certificates: {why}")]
    CaFile {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        why: String,
    },
}

impl Options {
    /// Where spans are posted to; `None` if there are no traces.
    pub(super) fn target(&self) -> Result<Option<Url>, OptionsError> {
        if !(0.0..=1.0).contains(&self.sample_ratio) {
            return Err(OptionsError::SampleRatio);
        }
        let Some(mut url) = self.endpoint.clone() else { return Ok(None) };
        if !matches!(url.scheme(), "http" | "https") || !url.has_host() {
            return Err(OptionsError::Endpoint);
        }
        // Some write it down with its path, as other settings of OpenTelemetry have it.
        let base = url.path().trim_end_matches('/');
        if !base.ends_with(PATH) {
            let path = format!("{base}/{PATH}");
            url.set_path(&path);
        }
        Ok(Some(url))
    }
}

impl Default for Options {
    fn default() -> Self {
        Self {
            endpoint: None,
            headers: BTreeMap::new(),
            ca_file: None,
            sample_ratio: 1.0,
            service_name: "hookway".to_owned(),
            reach_receivers: true,
        }
    }
}

/// Not the values of headers: among them are keys. Nor the URL, which may have one.
impl fmt::Debug for Options {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Options")
            .field("endpoint", &self.endpoint.as_ref().map(|url| url.host_str().unwrap_or_default()))
            .field("headers", &self.headers.keys())
            .field("ca_file", &self.ca_file)
            .field("sample_ratio", &self.sample_ratio)
            .field("service_name", &self.service_name)
            .field("reach_receivers", &self.reach_receivers)
            .finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn options(text: &str) -> Options {
        toml::from_str(text).unwrap()
    }

    #[test]
    fn spans_go_below_the_endpoint() {
        for (endpoint, target) in [
            ("http://127.0.0.1:4318", "http://127.0.0.1:4318/v1/traces"),
            ("http://127.0.0.1:4318/", "http://127.0.0.1:4318/v1/traces"),
            ("https://otlp.example.com/otlp/", "https://otlp.example.com/otlp/v1/traces"),
            ("https://otlp.example.com/otlp/v1/traces", "https://otlp.example.com/otlp/v1/traces"),
        ] {
            let options = options(&format!("endpoint = \"{endpoint}\""));
            assert_eq!(options.target().unwrap().unwrap().as_str(), target);
        }
        assert_eq!(Options::default().target().unwrap(), None);
    }

    #[test]
    fn a_wrong_setting_is_named() {
        for (text, about) in [
            ("endpoint = \"ftp://collector\"", "traces.endpoint"),
            ("endpoint = \"localhost:4318\"", "traces.endpoint"),
            ("sample_ratio = 1.5", "traces.sample_ratio"),
            ("sample_ratio = -0.1", "traces.sample_ratio"),
            ("sample_ratio = nan", "traces.sample_ratio"),
        ] {
            let error = options(text).target().unwrap_err().to_string();
            assert!(error.starts_with(about), "{text}: {error}");
        }
    }

    #[test]
    fn keys_are_not_shown() {
        let options =
            options("endpoint = \"https://user:s3cret@collector/s3cret\"\nheaders = { x-key = \"s3cret\" }");
        let shown = format!("{options:?}");
        assert!(
            shown.contains("x-key") && shown.contains("collector") && !shown.contains("s3cret"),
            "{shown}"
        );
    }
}
