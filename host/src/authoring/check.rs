//! `hookway plugin check`: what a plugin is, wants and gets.

use clap::Args as ClapArgs;

use super::figures::{count, many, size};
use super::inputs::Which;
use super::{Error, World};
use crate::client::Output;
use crate::clock::Clock;
use crate::model::OnFailure;
use crate::plugins::manifest::Isolation;
use crate::plugins::{self, Compiler, Import, Options, Report, Summary};

/// What is checked, and for whom it is printed.
#[derive(Debug, ClapArgs)]
pub struct Args {
    #[command(flatten)]
    which: Which,
    /// Print the report as JSON.
    #[arg(long)]
    json: bool,
}

/// # Errors
/// The gateway would not load it.
pub(super) async fn run(args: Args, world: &World) -> Result<(), Error> {
    let project = args.which.find()?;
    let piece = project.read()?;
    let compiler = Compiler::this_program()?;
    let checked = plugins::check(&piece, compiler, world.cache(), Options::default(), Clock::system());
    let report = checked.await.map_err(Error::refused(&project.component))?;
    let mut out = Output::standard(&world.environment, args.json);
    if out.json {
        out.json(&serde_json::to_string(&report).map_err(std::io::Error::from)?)?;
    } else {
        out.text(&text(&report))?;
    }
    report.problem.map_or(Ok(()), |reason| Err(Error::refused(&project.component)(reason)))
}

/// A report for people.
fn text(report: &Report) -> String {
    let Report { name, version, is_core_module, capabilities, exports, imports, .. } = report;
    let kind = if *is_core_module { "core module, made a component" } else { "component" };
    let mut text = format!("{name}, version {version}: {kind}, {}", size(report.size as u64));
    if let Some(size_of_code) = report.machine_code_size {
        text += &format!(", {} of machine code", size(size_of_code as u64));
    }
    text.push('\n');
    let mut list = |title: &str, lines: Vec<String>| {
        if !lines.is_empty() {
            text +=
                &format!("{title}:\n{}", lines.iter().map(|line| format!("  {line}\n")).collect::<String>());
        }
    };
    let line = |import: &Import| format!("{}: {}", import.name, import.gets);
    let lines = |wanted: fn(&&Import) -> bool| imports.iter().filter(wanted).map(line).collect::<Vec<_>>();
    list("exports", exports.clone());
    list("imports", lines(|import| !import.is_denied));
    list("refused", lines(|import| import.is_refused));
    list(
        "denied (no harm where only the library of the language imports it)",
        lines(|import| import.is_denied && !import.is_refused),
    );
    if let Some(summary) = &report.manifest {
        let title = if summary.is_written { format!("{name}.toml") } else { "without a manifest".to_owned() };
        list(&title, summarised(summary));
    }
    if let Some(needs) = &report.needs {
        list("the operator has to allow, in the configuration", needs.lines().map(str::to_owned).collect());
    }
    if report.problem.is_none() {
        let names: Vec<_> = capabilities.iter().map(|capability| capability.name()).collect();
        text += &format!("the gateway would load it as: {}\n", names.join(", "));
    }
    text
}

fn summarised(summary: &Summary) -> Vec<String> {
    let topics: Vec<_> = summary.topics.iter().map(ToString::to_string).collect();
    let topics = if topics.is_empty() { "all".to_owned() } else { topics.join(", ") };
    let on_failure = match summary.on_failure {
        OnFailure::Hold => "the delivery is held",
        OnFailure::Open => "the delivery goes on without it",
        OnFailure::Closed => "the delivery is dropped",
    };
    let shared = match summary.isolation {
        Isolation::Tenant => {
            format!("about {} of one tenant and configuration", count(summary.max_calls.into()))
        }
        Isolation::Event => "1".to_owned(),
    };
    let mut lines = vec![
        format!("topics: {topics}"),
        format!("when it fails: {on_failure}"),
        format!(
            "limits: {} ms a call, {} of memory, {} of output",
            summary.deadline_ms,
            size(summary.memory_bytes as u64),
            size(summary.output_bytes as u64)
        ),
        format!("calls of an instance: {shared}"),
    ];
    lines.extend(summary.config.as_ref().map(|config| format!("configuration: {config}")));
    lines.push(many(summary.samples, "sample"));
    lines
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plugins::Capability;

    fn import(name: &str, gets: &'static str, is_denied: bool, is_refused: bool) -> Import {
        Import { name: name.into(), gets, grant: None, is_denied, is_refused }
    }

    #[test]
    fn a_report_says_what_there_is_and_what_is_behind_it() {
        let summary = Summary {
            is_written: true,
            topics: vec!["orders/*".parse().unwrap()],
            on_failure: OnFailure::Hold,
            isolation: Isolation::Tenant,
            config: Some("{\"a\":1}".to_owned()),
            deadline_ms: 50,
            memory_bytes: 64 << 20,
            output_bytes: 1 << 20,
            max_calls: 1_000,
            samples: 1,
        };
        let mut report = Report {
            name: "p".parse().unwrap(),
            version: "0123456789abcdef".into(),
            size: 7,
            machine_code_size: Some(2 << 10),
            is_core_module: true,
            capabilities: vec![Capability::Filter],
            exports: vec!["hookway:plugin/filter@1.0.0".into()],
            imports: vec![
                import("wasi:cli/stdout@0.2.0", "lines of the log", false, false),
                import("wasi:sockets/tcp@0.2.0", "no network", true, false),
                import("acme:kv/store", "refused", true, true),
            ],
            manifest: Some(summary),
            needs: Some("[plugins.grants.p]\nkv = {}\n".into()),
            problem: None,
        };
        let expected = "p, version 0123456789abcdef: core module, made a component, 7 bytes, 2.0 KiB of machine code\n\
                        exports:\n  hookway:plugin/filter@1.0.0\n\
                        imports:\n  wasi:cli/stdout@0.2.0: lines of the log\n\
                        refused:\n  acme:kv/store: refused\n\
                        denied (no harm where only the library of the language imports it):\n  wasi:sockets/tcp@0.2.0: no network\n\
                        p.toml:\n  topics: orders/*\n  when it fails: the delivery is held\n  \
                        limits: 50 ms a call, 64.0 MiB of memory, 1.0 MiB of output\n  \
                        calls of an instance: about 1,000 of one tenant and configuration\n  configuration: {\"a\":1}\n  1 sample\n\
                        the operator has to allow, in the configuration:\n  [plugins.grants.p]\n  kv = {}\n\
                        the gateway would load it as: filter\n";
        assert_eq!(text(&report), expected);
        report.problem = Some("it is bad".into());
        assert!(!text(&report).contains("would load"));
    }
}
