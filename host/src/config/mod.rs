//! Settings: defaults, then `hookway.toml`, then `HOOKWAY_*` variables, then flags; the last one that speaks wins.
//!
//! Unknown settings are errors, and all errors are reported at once, each with where it comes from. The options
//! themselves belong to the modules that use them; this one only gathers them.

mod given;
mod source;

use std::fmt;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};

use serde::Deserialize;

pub use self::given::{Changes, Given};
pub use self::source::{Assignment, Origin};
use crate::{
    api, deliver, dispatch, http, ingest, lanes, notices, operations, plugins, shutdown, store, telemetry,
    traces, vault,
};

const DEFAULT_FILE: &str = "hookway.toml";

/// Everything that can be set.
#[derive(Debug, Clone, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Settings {
    /// Where the API is served. Loopback by default: whoever opens it to a network does so on purpose.
    pub listen: SocketAddr,
    /// Where events, endpoints and keys are kept.
    pub data_dir: PathBuf,
    /// The directory that plugins are loaded from; `plugins` in the data directory if it is not set.
    pub plugins_dir: Option<PathBuf>,
    /// Whether the process may leave a core dump, which has keys and secrets in clear. Default: false.
    pub core_dumps: bool,
    /// A catalogue of topics, TOML or JSON, that is imported at each start.
    pub topics_file: Option<PathBuf>,
    /// Logging.
    pub log: telemetry::Options,
    /// How long a stop may take.
    pub shutdown: shutdown::Options,
    /// The HTTP server.
    pub http: http::Options,
    /// What producers may send.
    pub ingest: ingest::Options,
    /// The embedded store.
    pub store: store::redb::Options,
    /// The keys that seal signing secrets.
    pub secrets: vault::Options,
    /// Plugins and their limits.
    pub plugins: plugins::Options,
    /// Matching and judging.
    pub dispatch: dispatch::Options,
    /// How much is sent at the same time.
    pub lanes: lanes::Options,
    /// Where and how deliveries are sent.
    pub deliver: deliver::Options,
    /// Who gets operational events.
    pub operations: notices::Options,
    /// How long and how much is kept.
    pub retention: operations::retention::Options,
    /// Where else metrics are served.
    pub metrics: api::MetricsOptions,
    /// Where spans are exported to.
    pub traces: traces::Options,
    /// What was said, to be compared with what is said later.
    #[serde(skip)]
    pub given: Given,
}

/// Everything that is wrong with the settings.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub struct Errors(Vec<String>);

impl Settings {
    /// The settings that these assignments make, later ones over earlier ones.
    ///
    /// # Errors
    /// One sentence for each assignment that is wrong.
    pub fn from_assignments(assignments: Vec<Assignment>) -> Result<Self, Errors> {
        let mut merged = toml::Table::new();
        let mut errors = Vec::new();
        for assignment in assignments {
            match assignment.check::<Self>() {
                Ok(value) => assignment.put(value, &mut merged),
                Err(error) => errors.push(format!("{}: {error}", assignment.origin)),
            }
        }
        if !errors.is_empty() {
            return Err(Errors(errors));
        }
        let given = Given::new(&merged);
        let settings: Self = toml::Value::Table(merged)
            .try_into()
            .map_err(|error: toml::de::Error| Errors::one(error.to_string()))?;
        Ok(Self { given, ..settings })
    }

    /// The settings of a file, of environment variables and of flags.
    ///
    /// The file is `file`, or the one that `HOOKWAY_CONFIG` names, or `hookway.toml` in the working directory if there is
    /// one.
    ///
    /// # Errors
    /// One sentence for each setting that is wrong, or for a file that cannot be read.
    pub fn load(
        file: Option<PathBuf>,
        environment: Vec<(String, String)>,
        flags: Vec<Assignment>,
    ) -> Result<Self, Errors> {
        let named = environment.iter().find(|(name, _)| name == source::ENV_FILE);
        let file = file.or_else(|| named.map(|(_, path)| PathBuf::from(path)));
        let mut assignments = match file {
            Some(path) => source::from_file(&path)?,
            None => match Path::new(DEFAULT_FILE) {
                path if path.exists() => source::from_file(path)?,
                _ => Vec::new(),
            },
        };
        assignments.extend(source::from_environment(environment.iter().cloned()));
        assignments.extend(flags);
        let mut settings = Self::from_assignments(assignments)?;
        settings.plugins.take_from(&environment).map_err(Errors)?;
        settings.shutdown.check().map_err(Errors::one)?;
        Ok(settings)
    }

    /// The directory that plugins are loaded from: `plugins_dir`, or `plugins` in the data directory.
    #[must_use]
    pub fn plugins_dir(&self) -> PathBuf {
        self.plugins_dir.clone().unwrap_or_else(|| self.data_dir.join("plugins"))
    }

    /// Where the machine code of plugins is kept.
    #[must_use]
    pub fn plugin_cache_dir(&self) -> PathBuf {
        self.data_dir.join("plugin-cache")
    }

    /// Where the versions of plugins are kept.
    #[must_use]
    pub fn plugin_versions_dir(&self) -> PathBuf {
        self.data_dir.join("plugin-versions")
    }
}

/// The environment of the process. Values that are not UTF-8 are left out.
#[must_use]
#[expect(clippy::disallowed_methods, reason = "the one place that reads the environment")]
pub fn environment() -> Vec<(String, String)> {
    std::env::vars_os()
        .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
        .collect()
}

impl Errors {
    /// One error, for what goes wrong before there are assignments.
    #[must_use]
    pub fn one(message: String) -> Self {
        Self(vec![message])
    }
}

impl fmt::Display for Errors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (n, error) in self.0.iter().enumerate() {
            if n > 0 {
                writeln!(f)?;
            }
            write!(f, "{error}")?;
        }
        Ok(())
    }
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 7400)),
            data_dir: PathBuf::from("hookway-data"),
            plugins_dir: None,
            core_dumps: false,
            topics_file: None,
            log: telemetry::Options::default(),
            shutdown: shutdown::Options::default(),
            http: http::Options::default(),
            ingest: ingest::Options::default(),
            store: store::redb::Options::default(),
            secrets: vault::Options::default(),
            plugins: plugins::Options::default(),
            dispatch: dispatch::Options::default(),
            lanes: lanes::Options::default(),
            deliver: deliver::Options::default(),
            operations: notices::Options::default(),
            retention: operations::retention::Options::default(),
            metrics: api::MetricsOptions::default(),
            traces: traces::Options::default(),
            given: Given::default(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn assignments(file: &str, env: &[(&str, &str)], flags: &[&str]) -> Result<Vec<Assignment>, Errors> {
        let mut all = source::from_toml("hookway.toml", file)?;
        all.extend(source::from_environment(env.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned()))));
        all.extend(flags.iter().map(|text| Assignment::parse(text).unwrap()));
        Ok(all)
    }

    #[test]
    fn flags_win_over_the_environment_and_the_environment_over_the_file() {
        let file = "listen = \"127.0.0.1:1\"\ndata_dir = \"a\"\n[lanes]\nlane_buffer = 1\n";
        let env = [("HOOKWAY_DATA_DIR", "b"), ("HOOKWAY_LANES_LANE_BUFFER", "2"), ("PATH", "x")];
        let settings =
            Settings::from_assignments(assignments(file, &env, &["lanes.lane_buffer=3"]).unwrap()).unwrap();
        assert_eq!(settings.listen.port(), 1);
        assert_eq!(settings.data_dir, PathBuf::from("b"));
        assert_eq!(settings.lanes.lane_buffer, 3);
    }

    #[test]
    fn metrics_and_retention_can_be_set_in_the_environment() {
        let env = [
            ("HOOKWAY_METRICS_LISTEN", "127.0.0.1:9464"),
            ("HOOKWAY_RETENTION_MAX_AGE", "30d"),
            ("HOOKWAY_RETENTION_MAX_BYTES", "1073741824"),
        ];
        let settings = Settings::from_assignments(assignments("", &env, &[]).unwrap()).unwrap();
        assert_eq!(settings.metrics.listen.map(|address| address.port()), Some(9464));
        assert_eq!(settings.retention.max_age.as_secs(), 30 * 24 * 3600);
        assert_eq!(settings.retention.max_bytes, 1 << 30);
    }

    #[test]
    fn every_mistake_is_reported_with_where_it_comes_from() {
        let file = "lisen = 1\n[lanes]\nlane_buffer = \"many\"\n";
        let env = [("HOOKWAY_DELIVER_ALLOW_HTTP", "perhaps"), ("HOOKWAY_NONSENSE", "1")];
        let errors =
            Settings::from_assignments(assignments(file, &env, &["log.format=xml"]).unwrap()).unwrap_err().0;
        assert_eq!(errors.len(), 5, "{errors:#?}");
        for (start, about) in [
            ("hookway.toml: lisen", "unknown"),
            ("hookway.toml: lanes.lane_buffer", "usize"),
            ("HOOKWAY_DELIVER_ALLOW_HTTP", "boolean"),
            ("HOOKWAY_NONSENSE", "unknown"),
            ("--set log.format", "text"),
        ] {
            let found = errors.iter().find(|error| error.starts_with(start));
            assert!(found.is_some_and(|error| error.contains(about)), "{start}: {errors:#?}");
        }
    }

    #[test]
    fn what_the_command_line_reads_from_the_environment_is_no_setting() {
        let env = [("HOOKWAY_ADDRESS", "http://127.0.0.1:7400"), ("HOOKWAY_KEY", "hk_x")];
        assert!(Settings::from_assignments(assignments("", &env, &[]).unwrap()).is_ok());
    }

    #[test]
    fn what_a_plugin_is_granted_may_stand_in_the_environment() {
        let flag = r#"plugins.grants={enrich={env={TOKEN={env="ENRICH_TOKEN"},REGION="eu"}}}"#;
        let load = |environment: &[(&str, &str)]| {
            let all = environment.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
            Settings::load(None, all, vec![Assignment::parse(flag).unwrap()])
        };
        let given = load(&[("ENRICH_TOKEN", "s3cret")]).unwrap();
        assert!(!format!("{given:?}").contains("s3cret"));
        let missing = load(&[]).unwrap_err().0;
        assert_eq!(
            missing,
            ["plugins.grants.enrich.env.TOKEN: the environment has no variable `ENRICH_TOKEN`"]
        );
    }

    #[test]
    fn a_text_that_looks_like_a_number_can_be_a_text() {
        let env = [("HOOKWAY_DATA_DIR", "2024")];
        let settings = Settings::from_assignments(assignments("", &env, &[]).unwrap()).unwrap();
        assert_eq!(settings.data_dir, PathBuf::from("2024"));
    }

    #[test]
    fn the_table_of_settings_in_the_documentation_is_right() {
        let page = include_str!("../../../docs/operations.md");
        let rows = page.lines().filter_map(|line| {
            let mut cells = line.strip_prefix("| `")?.split(" | ");
            let (name, default) = (cells.next()?.strip_suffix('`')?, cells.next()?);
            Some((name, default.strip_prefix('`').and_then(|text| text.strip_suffix('`'))))
        });
        let rows: Vec<_> = rows.filter(|(name, _)| !name.contains('/')).collect();
        assert!(rows.len() > 30, "{rows:?}");
        for (section, _) in rows.iter().filter_map(|(name, _)| name.split_once('.')) {
            assert!(source::SECTIONS.contains(&section), "`HOOKWAY_{section}_...` would not be read");
        }
        let defaults: Vec<_> =
            rows.iter().filter_map(|(name, default)| Some(format!("{name}={}", (*default)?))).collect();
        let documented = Settings::from_assignments(
            defaults.iter().map(|text| Assignment::parse(text).unwrap()).collect(),
        );
        let mut documented = documented.unwrap_or_else(|errors| panic!("{errors}"));
        documented.plugins_dir = None;
        assert_eq!(format!("{documented:?}"), format!("{:?}", Settings::default()));
    }

    #[test]
    fn a_list_can_be_set_from_anywhere() {
        let settings = Settings::from_assignments(
            assignments("", &[], &[r#"deliver.allow_networks=["127.0.0.0/8"]"#]).unwrap(),
        )
        .unwrap();
        assert_eq!(settings.deliver.allow_networks.len(), 1);
    }
}
