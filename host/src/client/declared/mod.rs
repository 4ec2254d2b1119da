//! Configuration that is declared in files: `hookway apply` brings a gateway to what they say, `hookway export` writes them.
//!
//! ```text
//! files -> [format] -> [file] -> endpoints and topics -> [plan] (the gateway says what each would become) -> show -> [steps]
//! ```
//!
//! - The fields of endpoints and topics are those of the API, and the gateway is asked what they mean: each change is tried
//!   with `dry_run` first. So nothing here knows a field that it has no reason to, and a mistake is found before anything
//!   is changed.
//! - An endpoint is known by its tenant and its normalised URL, a topic by its name. What a file does not say of one that
//!   it names goes back to its default; what it does not name stays, unless `--prune` says otherwise.
//! - What goes for all endpoints of a tenant is brought to what a file says of it; a tenant that no file names stays as it is.
//! - State is only brought to what a file says: the gateway itself deactivates endpoints that fail, and a file that is
//!   silent about it does not wake them up.
//! - Secrets and other credentials are references ([`reference`]); the values of those that the gateway makes are shown once.

mod apply;
mod current;
mod endpoint;
mod export;
mod file;
mod format;
mod plan;
mod raw;
mod reference;
mod secrets;
mod show;
mod steps;
mod tenant;
mod toml_text;
mod topic;

use std::collections::BTreeMap;

use serde_json::value::RawValue;

pub(super) use self::apply::{ApplyArgs, run as apply};
pub(super) use self::export::{ExportArgs, run as export};

/// Fields with their values as they were written.
type Fields = BTreeMap<String, Box<RawValue>>;

/// What a value says that stands for nothing: the defaults of the API.
fn is_default(name: &str, value: &RawValue) -> bool {
    let empty = ["null", "\"\"", "[]", "{}", "0"].contains(&value.get());
    empty
        || match name {
            "ordering" => value.get() == "\"none\"",
            "signature" => value.get() == r#"{"style":"standard"}"#,
            _ => false,
        }
}
