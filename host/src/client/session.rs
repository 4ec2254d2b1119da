//! What every command over the API shares: its flags, one connection, one output, and how lists are read.

use clap::{Args, Subcommand};
use serde::de::DeserializeOwned;

use super::World;
use super::api::{Api, Page, Route};
use super::duration::Duration;
use super::error::Error;
use super::fields::fields;
use super::line::{Line, Tone, lines};
use super::output::{Output, Row, hint, not_understood};
use super::pretty::pretty;
use super::profile::{Flags, Target};

/// The most that a page of the API has.
pub(super) const MAX_LIMIT: u16 = 250;

/// A noun: its commands, with the flags that all of them take.
#[derive(Debug, Args)]
pub struct Remote<C: Subcommand> {
    #[command(flatten)]
    common: Common,
    #[command(subcommand)]
    command: C,
}

/// A command without a noun, with the same flags.
#[derive(Debug, Args)]
pub struct Direct<A: Args> {
    #[command(flatten)]
    args: A,
    #[command(flatten)]
    common: Common,
}

/// The flags of every command that speaks to a gateway.
#[derive(Debug, Args)]
#[command(next_help_heading = "Connection and output")]
pub struct Common {
    /// The gateway [default: `HOOKWAY_ADDRESS`, the profile, or `http://127.0.0.1:7400`].
    #[arg(long, global = true, value_name = "URL")]
    address: Option<String>,
    /// The API key. Flags can be seen in lists of processes: better use `HOOKWAY_KEY` or a profile.
    #[arg(long, global = true, value_name = "KEY")]
    key: Option<String>,
    /// A table of ~/.config/hookway/profiles.toml with `address` and `key` [default: `default`, if there is one].
    #[arg(long, global = true, value_name = "NAME")]
    profile: Option<String>,
    /// How long one request may take.
    #[arg(long, global = true, value_name = "DURATION", default_value = "60s")]
    request_timeout: Duration,
    /// Print the API's JSON: one object, or one object a line for a list.
    #[arg(long, global = true)]
    json: bool,
}

/// Which part of a list.
#[derive(Debug, Args)]
pub struct ListArgs {
    /// How many, at most 250.
    #[arg(long, value_name = "N", default_value_t = 50, value_parser = clap::value_parser!(u16).range(1..=250))]
    limit: u16,
    /// Where to go on: what the page before named.
    #[arg(long)]
    cursor: Option<String>,
    /// Everything, page after page.
    #[arg(long, conflicts_with = "cursor")]
    all: bool,
}

/// A connection, an output and the time.
pub(super) struct Session {
    pub(super) api: Api,
    pub(super) out: Output,
    pub(super) world: World,
}

impl<C: Subcommand> Remote<C> {
    /// Performs the command.
    ///
    /// # Errors
    /// Those of the command, and a connection that is not described well.
    pub(super) fn run(
        self,
        world: World,
        perform: impl FnOnce(C, &mut Session) -> Result<(), Error>,
    ) -> Result<(), Error> {
        perform(self.command, &mut self.common.session(world)?)
    }
}

impl<A: Args> Direct<A> {
    /// Performs the command.
    ///
    /// # Errors
    /// Those of the command, and a connection that is not described well.
    pub(super) fn run(
        self,
        world: World,
        perform: impl FnOnce(A, &mut Session) -> Result<(), Error>,
    ) -> Result<(), Error> {
        perform(self.args, &mut self.common.session(world)?)
    }
}

impl Common {
    fn session(self, world: World) -> Result<Session, Error> {
        let Self { address, key, profile, request_timeout, json } = self;
        if key.is_some() {
            hint("note: other processes can see flags; HOOKWAY_KEY or a profile keeps the key to yourself");
        }
        let target = Target::find(Flags { address, key, profile }, &world.environment)?;
        let api = Api::new(target.address, target.key, request_timeout.into());
        Ok(Session { api, out: Output::standard(&world.environment, json), world })
    }
}

impl Session {
    /// All elements of a list, page after page, read as this.
    ///
    /// # Errors
    /// No answer, a refusal, or another form.
    pub(super) fn all<T: DeserializeOwned>(&self, route: &Route) -> Result<Vec<T>, Error> {
        let route = route.clone().with("limit", Some(MAX_LIMIT));
        let mut all = Vec::new();
        let mut cursor = None;
        loop {
            let page: Page = self.api.read(&route.clone().with("cursor", cursor))?;
            for element in &page.data {
                all.push(serde_json::from_str(element.get()).map_err(|error| not_understood(&error))?);
            }
            cursor = page.next_cursor;
            if cursor.is_none() {
                return Ok(all);
            }
        }
    }

    /// Shows a list as it was asked for.
    ///
    /// # Errors
    /// No answer, or a refusal.
    pub(super) fn list<R: Row>(&mut self, route: &Route, args: &ListArgs) -> Result<(), Error> {
        let limit = if args.all { MAX_LIMIT } else { args.limit };
        let mut cursor = args.cursor.clone();
        let mut is_first = true;
        loop {
            let page: Page =
                self.api.read(&route.clone().with("limit", Some(limit)).with("cursor", cursor.as_ref()))?;
            if page.data.is_empty() && is_first {
                hint("nothing found");
                return Ok(());
            }
            self.out.rows::<R>(&page.data, is_first)?;
            is_first = false;
            match page.next_cursor {
                None => return Ok(()),
                Some(next) if args.all => cursor = Some(next),
                Some(next) => {
                    hint(&format!("there are more: --all, or --cursor {next}"));
                    return Ok(());
                }
            }
        }
    }

    /// Shows a list that the API gives as a whole.
    ///
    /// # Errors
    /// No answer, or a refusal.
    pub(super) fn whole_list<R: Row>(&mut self, route: &Route) -> Result<(), Error> {
        let page: Page = self.api.read(route)?;
        if page.data.is_empty() {
            hint("nothing found");
            return Ok(());
        }
        self.out.rows::<R>(&page.data, true)
    }

    /// Shows one object: every field for people, the API's JSON for scripts.
    ///
    /// # Errors
    /// Nobody reads.
    pub(super) fn object(&mut self, json: &str) -> Result<(), Error> {
        if self.out.json { self.out.json(json) } else { self.out.lines(fields(json)) }
    }

    /// Says what was done; scripts get the API's JSON, if it answered any.
    ///
    /// # Errors
    /// Nobody reads.
    pub(super) fn done(&mut self, json: &str, said: impl Into<Line>) -> Result<(), Error> {
        match (self.out.json, json.is_empty()) {
            (true, true) => Ok(()),
            (true, false) => self.out.json(json),
            (false, _) => self.out.line(said),
        }
    }

    /// Shows JSON of others: laid out for people, as it came for scripts.
    ///
    /// # Errors
    /// Nobody reads.
    pub(super) fn document(&mut self, json: &str) -> Result<(), Error> {
        if self.out.json {
            return self.out.json(json);
        }
        self.out.lines(lines(Tone::Plain, &pretty(json)))
    }
}
