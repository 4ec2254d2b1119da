//! `cargo xtask demo | test | bench | soak | fuzz | plugins`: the only entry points that people need.
//!
//! Each installs or builds what it needs, says what it does while it does it, and fails with a sentence that says
//! what to do.
#![expect(clippy::print_stdout, reason = "a program for the command line speaks on stdout")]

mod bench;
mod demo;
mod fuzz;
mod long_tests;
mod plugins;
mod progress;
mod soak;
mod templates;
mod test;
mod toolboxes;
mod tools;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// Builds, tests, measures and shows Hookway.
#[derive(Debug, Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask")]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Starts a gateway and a receiver, sends events and replaces a plugin while they flow
    Demo(demo::Arguments),
    /// Builds everything and runs unit, conformance and black-box tests
    Test(test::Arguments),
    /// Measures
    Bench(bench::Arguments),
    /// Runs for minutes what a test runs for seconds
    Soak(soak::Arguments),
    /// Feeds what reads bytes of others with what a fuzzer thinks of
    Fuzz(fuzz::Arguments),
    /// Builds the plugins that ship into target/plugins
    Plugins,
}

fn main() -> ExitCode {
    let outcome = match Arguments::parse().command {
        Command::Demo(arguments) => demo::run(&arguments),
        Command::Test(arguments) => test::run(&arguments),
        Command::Bench(arguments) => bench::run(&arguments),
        Command::Soak(arguments) => soak::run(&arguments),
        Command::Fuzz(arguments) => fuzz::run(&arguments),
        Command::Plugins => plugins::run(),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            tools::complain(&error);
            ExitCode::FAILURE
        }
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_command_line_is_well_formed() {
        Arguments::command().debug_assert();
    }

    #[test]
    fn what_follows_goes_to_the_test_runner_or_bench() {
        let parse = |line: &[&str]| Arguments::try_parse_from(line).unwrap().command;
        let Command::Test(test) = parse(&["xtask", "test", "delivery", "--", "--nocapture"]) else {
            panic!()
        };
        assert_eq!(test.cargo_arguments(), ["delivery", "--", "--nocapture"]);
        let Command::Test(test) = parse(&["xtask", "test", "--", "--nocapture"]) else { panic!() };
        assert_eq!(test.cargo_arguments(), ["--", "--nocapture"]);
        assert!(matches!(parse(&["xtask", "bench", "plugins", "fresh", "--quick"]), Command::Bench(_)));
        assert!(matches!(parse(&["xtask", "bench", "matching", "--json", "f"]), Command::Bench(_)));
        assert!(matches!(parse(&["xtask", "demo", "--keep"]), Command::Demo(demo) if demo.keep));
        assert!(matches!(parse(&["xtask", "soak", "reload", "--reloads", "9"]), Command::Soak(_)));
        assert!(matches!(parse(&["xtask", "soak", "kill", "--seed", "9"]), Command::Soak(_)));
        assert!(matches!(parse(&["xtask", "soak", "simulate", "--seed", "7"]), Command::Soak(_)));
        assert!(matches!(parse(&["xtask", "fuzz", "filter", "--seconds", "5"]), Command::Fuzz(_)));
        assert!(Arguments::try_parse_from(["xtask", "bench", "nothing"]).is_err());
    }
}
