//! The files in deploy/ fit this gateway: its flags, its variables, its settings, the time that a stop takes, its metrics.
//!
//! The files are read as text, by the few forms that they use. What a file says in another form is not found, and then
//! the test says so.

mod metrics;

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use anyhow::{Context, Result, ensure};
use hookway_tests::command::Hookway;
use hookway_tests::gateway::{Setup, beside_this_program};
use hookway_tests::workspace;
use http::StatusCode;
use regex_lite::Regex;
use serde_json::Value;

const UNIT: &str = "deploy/systemd/hookway.service";
const IMAGE: &str = "deploy/Dockerfile";
const VALUES: &str = "deploy/helm/hookway/values.yaml";
const POD: &str = "deploy/helm/hookway/templates/statefulset.yaml";
/// Values of variables that a file takes from a secret.
const SECRETS: &[(&str, &str)] =
    &[("HOOKWAY_SECRETS_KEYS", "key-1 MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=")];
/// Between the end of the last attempt and the end of the process: the last commit, and a machine that is busy.
const MARGIN_S: u64 = 10;

fn read(file: &str) -> Result<String> {
    fs::read_to_string(workspace().join(file)).with_context(|| format!("no file {file}"))
}

fn values() -> Result<Value> {
    serde_saphyr::from_str(&read(VALUES)?).context("values.yaml is YAML")
}

/// What stands after this on a line of its own.
fn after<'a>(text: &'a str, start: &str) -> Result<&'a str> {
    let found = text.lines().find_map(|line| line.trim_start().strip_prefix(start));
    found.with_context(|| format!("no line begins with `{start}`")).map(str::trim)
}

/// The elements of a JSON array of texts.
fn array(text: &str) -> Result<Vec<String>> {
    serde_json::from_str(text).with_context(|| format!("not an array of texts: {text}"))
}

/// How a file starts the gateway.
struct Start {
    arguments: Vec<String>,
    variables: Vec<(String, String)>,
    /// The text of the file that `--config` names.
    config: String,
}

impl Start {
    fn of_unit() -> Result<Self> {
        let unit = read(UNIT)?;
        let command: Vec<_> = after(&unit, "ExecStart=")?.split(' ').map(str::to_owned).collect();
        // The unit leaves the address to the file, and its default may be taken on this machine.
        let config = "listen = '127.0.0.1:0'".to_owned();
        Ok(Self { arguments: command[1..].to_vec(), variables: Vec::new(), config })
    }

    fn of_image() -> Result<Self> {
        let image = read(IMAGE)?;
        let arguments = array(after(&image, "CMD ")?)?;
        let one = Regex::new(r"(?m)^(?:ENV|   ) (HOOKWAY_\w+)=(\S+)")?;
        let variables = one.captures_iter(&image).map(|found| (found[1].to_owned(), found[2].to_owned()));
        let variables: Vec<_> = variables.collect();
        ensure!(!variables.is_empty(), "the image sets no variable");
        Ok(Self { arguments, variables, config: String::new() })
    }

    /// With everything that the template can add.
    fn of_pod() -> Result<Self> {
        let (pod, values) = (read(POD)?, values()?);
        let container = pod.split("args:").nth(1).context("the pod has arguments")?;
        let (arguments, rest) = container.split_once("env:").context("the pod has variables")?;
        let text = |name: &str| values[name].as_str().map(str::to_owned).context("a text");
        let bind = text("bindAddress")?;
        let arguments = arguments.lines().filter_map(|line| line.trim().strip_prefix("- "));
        let arguments = arguments.map(|argument| argument.replace("{{ .Values.bindAddress }}", &bind));
        let name = Regex::new(r"- name: (HOOKWAY_\w+)")?;
        let variables = name.captures_iter(rest).map(|found| {
            let known = SECRETS.iter().find(|(name, _)| *name == &found[1]);
            let (name, value) = known.with_context(|| format!("give {} a value in this test", &found[1]))?;
            Ok(((*name).to_owned(), (*value).to_owned()))
        });
        Ok(Self {
            arguments: arguments.collect(),
            variables: variables.collect::<Result<_>>()?,
            config: text("config")?,
        })
    }

    /// A program that starts the gateway in the same way, with all folders below `root` and at a free port.
    fn program(&self, root: &Path) -> Result<std::path::PathBuf> {
        let (folder, port) =
            (Regex::new("(^|=)(/(?:etc|opt|var)/)")?, Regex::new(r"(^|=)[\d.]+:(?:7400|9464)$")?);
        let moved = |text: &String| {
            let text = folder.replace(text, format!("${{1}}{}$2", root.display())).into_owned();
            port.replace(&text, "${1}127.0.0.1:0").into_owned()
        };
        let quoted = |text: String| format!("'{text}'");
        let variables = self.variables.iter().map(|(name, value)| quoted(format!("{name}={}", moved(value))));
        let arguments = self.arguments.iter().map(|argument| quoted(moved(argument)));
        let words: Vec<_> = variables
            .chain([quoted(beside_this_program()?.display().to_string())])
            .chain(arguments)
            .collect();
        fs::create_dir_all(root.join("etc/hookway"))?;
        fs::write(root.join("etc/hookway/hookway.toml"), &self.config)?;
        let program = root.join("start");
        fs::write(&program, format!("#!/bin/sh\nexec env -i {}\n", words.join(" ")))?;
        fs::set_permissions(&program, fs::Permissions::from_mode(0o700))?;
        Ok(program)
    }
}

#[tokio::test]
async fn the_gateway_starts_as_each_file_starts_it_and_is_healthy() -> Result<()> {
    let image = read(IMAGE)?;
    let check = array(image.split("CMD ").nth(1).and_then(|rest| rest.lines().next()).context("a check")?)?;
    let check: Vec<_> = check[1..].iter().map(String::as_str).collect();
    let probe = Regex::new(r"httpGet: \{path: (/\w+),")?;
    assert_eq!(probe.find_iter(&read(POD)?).count(), 3);
    for (file, start) in [(UNIT, Start::of_unit()?), (IMAGE, Start::of_image()?), (POD, Start::of_pod()?)] {
        let root = tempfile::tempdir()?;
        let gateway = Setup::as_it_comes().binary(start.program(root.path())?).start().await;
        let mut gateway = gateway.with_context(|| format!("as {file} has it"))?;
        let store = root.path().join("var/lib/hookway/hookway.redb");
        ensure!(store.is_file(), "{file}: the store is not in the folder that is kept");
        Hookway::default().set("HOOKWAY_ADDRESS", &gateway.base()).ok(&check).await?;
        for probe in probe.captures_iter(&read(file)?) {
            gateway.client().with_key(None).get(&probe[1]).await?.expect(StatusCode::OK)?;
        }
        gateway.stop().await?;
    }
    Ok(())
}

/// The defaults of the settings, as docs/operations.md has them; a test of the gateway holds that table against the code.
fn settings(page: &str) -> Vec<(&str, &str)> {
    let rows = page.lines().filter_map(|line| {
        let (name, rest) = line.strip_prefix("| `")?.split_once("` | ")?;
        Some((name, rest.split(" | ").next()?.trim_matches('`')))
    });
    rows.collect()
}

#[test]
fn unit_and_chart_wait_for_the_longest_stop() -> Result<()> {
    let page = read("docs/operations.md")?;
    let default = settings(&page).into_iter().find(|(name, _)| *name == "shutdown.timeout");
    let seconds = |text: &str| text.trim_end_matches('s').parse::<u64>().context("seconds");
    let longest = seconds(default.context("a setting")?.1)? + MARGIN_S;
    let unit = seconds(after(&read(UNIT)?, "TimeoutStopSec=")?)?;
    let chart = values()?["terminationGracePeriodSeconds"].as_u64().context("a number")?;
    assert_eq!(unit, chart);
    ensure!(unit >= longest, "a stop may take {longest} s, and is cut off after {unit} s");
    Ok(())
}

#[test]
fn settings_that_the_comments_name_exist() -> Result<()> {
    let page = read("docs/operations.md")?;
    let settings = settings(&page);
    let sections: Vec<_> = settings.iter().filter_map(|(name, _)| Some(name.split_once('.')?.0)).collect();
    let word = Regex::new(r"\b([a-z]+)\.([a-z_]+)\b")?;
    let mut found = 0;
    for file in [UNIT, IMAGE, VALUES] {
        let text = read(file)?;
        let comments = text.lines().filter_map(|line| line.trim().strip_prefix('#'));
        for line in comments {
            let names = word.captures_iter(line).filter(|name| sections.contains(&&name[1]));
            // A page may be called as a section is.
            for name in names.filter(|name| &name[2] != "md") {
                let known = settings.iter().any(|(setting, _)| *setting == &name[0]);
                ensure!(known, "{file} names `{}`, which is no setting", &name[0]);
                found += 1;
            }
        }
    }
    ensure!(found >= 4, "only {found} settings are named: are they written in another way?");
    Ok(())
}

#[test]
fn versions_users_and_folders_are_the_same_everywhere() -> Result<()> {
    let (image, values, workspace) = (read(IMAGE)?, values()?, read("Cargo.toml")?);
    let version = after(&workspace, "version = ")?.trim_matches('"');
    let chart = read("deploy/helm/hookway/Chart.yaml")?;
    assert_eq!((after(&chart, "version:")?, after(&chart, "appVersion:")?), (version, version));
    ensure!(image.contains(&format!("--tag hookway:{version} ")), "the image is built as {version}");
    let toolchain = read("rust-toolchain.toml")?;
    let toolchain = after(&toolchain, "channel = ")?.trim_matches('"');
    ensure!(
        after(&image, "FROM rust:")?.starts_with(&format!("{toolchain}-")),
        "the image is built by {toolchain}"
    );
    let security = &values["podSecurityContext"];
    let (user, group) = after(&image, "USER ")?.split_once(':').context("a user and a group")?;
    for (name, id) in [("runAsUser", user), ("runAsGroup", group), ("fsGroup", group)] {
        assert_eq!(security[name].to_string(), id, "{name}");
    }
    let folder = after(&image, "VOLUME ")?;
    for file in [UNIT, POD] {
        let text = read(file)?;
        let given = [format!("--data-dir {folder}"), format!("--data-dir={folder}")];
        ensure!(given.iter().any(|given| text.contains(given)), "{file} has another data directory");
    }
    ensure!(read(POD)?.contains(&format!("mountPath: {folder}\n")), "the volume is somewhere else");
    Ok(())
}
