//! `hookway sign` and `hookway verify`: Standard Webhooks signatures by hand.

use std::path::PathBuf;

use clap::Args;
use serde_json::json;

use super::World;
use super::duration::Duration;
use super::error::Error;
use super::input::{read_bytes, read_text};
use super::line::{Line, Tone};
use super::output::Output;
use super::signature::Message;
use crate::model::SigningKey;

/// The secrets that sign or verify.
#[derive(Debug, Args)]
pub(super) struct SecretArgs {
    /// A signing secret, `whsec_...`; may be repeated. Flags can be seen in lists of processes: better use a file.
    #[arg(long = "secret", value_name = "SECRET")]
    secrets: Vec<SigningKey>,
    /// A file with signing secrets, one a line.
    #[arg(long, value_name = "FILE")]
    secret_file: Option<PathBuf>,
}

/// What is signed.
#[derive(Debug, Args)]
struct MessageArgs {
    /// The body; `-` reads standard input.
    #[arg(default_value = "-")]
    file: PathBuf,
    /// `webhook-id`.
    #[arg(long)]
    id: String,
}

const SIGN_EXAMPLE: &str = "\
Example:
  hookway sign body.json --id order-42 --secret-file acme.secret";

const VERIFY_EXAMPLE: &str = "\
Example: a request as its receiver has it
  hookway verify body.json --id order-42 --timestamp 1710513000 --signature 'v1,...' --secret-file acme.secret";

/// Print the three headers of a signed request.
#[derive(Debug, Args)]
#[command(after_help = SIGN_EXAMPLE)]
pub struct SignArgs {
    #[command(flatten)]
    message: MessageArgs,
    #[command(flatten)]
    secrets: SecretArgs,
    /// `webhook-timestamp`: seconds since 1970 [default: now].
    #[arg(long, value_name = "SECONDS")]
    timestamp: Option<u64>,
    /// Print one JSON object.
    #[arg(long)]
    json: bool,
}

/// Say whether a request is signed with a secret; exit code 7 if it is not.
#[derive(Debug, Args)]
#[command(after_help = VERIFY_EXAMPLE)]
pub struct VerifyArgs {
    #[command(flatten)]
    message: MessageArgs,
    #[command(flatten)]
    secrets: SecretArgs,
    /// `webhook-timestamp`.
    #[arg(long, value_name = "SECONDS")]
    timestamp: u64,
    /// `webhook-signature`, all of it.
    #[arg(long)]
    signature: String,
    /// How far the timestamp may be from now; `0s` = any time.
    #[arg(long, value_name = "DURATION", default_value = "5m")]
    tolerance: Duration,
}

impl SecretArgs {
    /// All of them.
    ///
    /// # Errors
    /// The file cannot be read, or has a line that is no secret.
    pub(super) fn keys(&self) -> Result<Vec<SigningKey>, Error> {
        let mut keys = self.secrets.clone();
        let Some(file) = &self.secret_file else { return Ok(keys) };
        let text = zeroize::Zeroizing::new(read_text(file)?);
        for line in text.lines().map(str::trim).filter(|line| !line.is_empty()) {
            let key = line.parse::<SigningKey>();
            keys.push(key.map_err(|error| Error::Usage(format!("{}: {error}", file.display())))?);
        }
        Ok(keys)
    }

    fn at_least_one(&self) -> Result<Vec<SigningKey>, Error> {
        let keys = self.keys()?;
        let none = || Error::Usage("name a secret with --secret-file or --secret".to_owned());
        if keys.is_empty() { Err(none()) } else { Ok(keys) }
    }
}

pub(super) fn sign(args: SignArgs, world: &World) -> Result<(), Error> {
    let keys = args.secrets.at_least_one()?;
    let body = read_bytes(&args.message.file)?;
    let timestamp = args.timestamp.unwrap_or_else(|| world.clock.wall().as_secs());
    let id = args.message.id;
    let message = Message { id: &id, timestamp, body: &body };
    let signatures: Vec<_> = keys.iter().map(|key| message.sign(key)).collect();
    let (timestamp, signature) = (timestamp.to_string(), signatures.join(" "));
    let headers = [("webhook-id", id), ("webhook-timestamp", timestamp), ("webhook-signature", signature)];
    let mut out = Output::standard(&world.environment, args.json);
    if args.json {
        let object: serde_json::Map<_, _> =
            headers.into_iter().map(|(name, value)| (name.to_owned(), json!(value))).collect();
        return out.json(&serde_json::Value::Object(object).to_string());
    }
    out.lines(headers.map(|(name, value)| Line::from(format!("{name}: {value}"))))
}

pub(super) fn verify(args: VerifyArgs, world: &World) -> Result<(), Error> {
    let keys = args.secrets.at_least_one()?;
    let body = read_bytes(&args.message.file)?;
    let message = Message { id: &args.message.id, timestamp: args.timestamp, body: &body };
    let tolerance = std::time::Duration::from(args.tolerance);
    let time = if tolerance.is_zero() {
        Ok(())
    } else {
        message.check_time(world.clock.wall().as_secs(), tolerance)
    };
    time.and_then(|()| message.verify(&keys, &args.signature))
        .map_err(|mismatch| Error::Unverified(mismatch.to_string()))?;
    Output::standard(&world.environment, false).line(Line::new(Tone::Good, "verified"))
}
