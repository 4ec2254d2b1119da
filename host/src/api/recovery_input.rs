//! What a request says of a recovery.

use std::collections::BTreeSet;

use schemars::JsonSchema;
use serde::Deserialize;

use crate::http::Problem;
use crate::model::{Endpoint, Recovery, RecoveryId, RecoveryState, UnixMs, Wanted};
use crate::openapi::Time;

/// The body. All optional here, so that what is missing is reported with its pointer.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "NewRecovery", extend("required" = ["since"]))]
pub(super) struct Input {
    /// Events accepted at this time or later.
    #[schemars(with = "Time")]
    since: Option<String>,
    /// Events accepted before this time; without it, until now.
    #[schemars(with = "Option<Time>")]
    until: Option<String>,
    /// Which of them; without it those that `failed`.
    status: Option<OneOrMore>,
    /// Only count what there is, and change nothing.
    #[serde(default)]
    pub(super) dry_run: bool,
}

/// One status or a list of them.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(untagged)]
enum OneOrMore {
    /// One.
    One(Wanted),
    /// A list, not empty.
    More(#[schemars(with = "Vec<Wanted>")] BTreeSet<Wanted>),
}

impl Input {
    /// The recovery of this endpoint that is asked for.
    ///
    /// # Errors
    /// 422 with the field that cannot be taken.
    pub(super) fn recovery(self, endpoint: &Endpoint, now: UnixMs) -> Result<Recovery, Problem> {
        let missing = "`since` is missing: from when on, for example `2024-03-15T14:30:00Z`";
        let since = time("/since", self.since)?.ok_or_else(|| Problem::invalid("/since", missing))?;
        let until = time("/until", self.until)?.unwrap_or(now).min(now);
        if since >= now {
            return Err(Problem::invalid("/since", "`since` is not in the past: nothing has come since"));
        }
        if since >= until {
            return Err(Problem::invalid("/until", "`until` must be after `since`"));
        }
        let wanted = match self.status {
            None => BTreeSet::from([Wanted::Failed]),
            Some(OneOrMore::One(one)) => BTreeSet::from([one]),
            Some(OneOrMore::More(more)) => more,
        };
        if wanted.is_empty() {
            return Err(Problem::invalid("/status", "`status` names at least one of the states"));
        }
        Ok(Recovery {
            id: RecoveryId::new(now, rand::random()),
            endpoint: endpoint.id,
            tenant: endpoint.tenant.clone(),
            since,
            until,
            wanted,
            created_at: now,
            state: RecoveryState::Running,
            ended_at: None,
            place: Recovery::start(since),
            scanned: 0,
            resent: 0,
        })
    }
}

fn time(pointer: &str, text: Option<String>) -> Result<Option<UnixMs>, Problem> {
    let Some(text) = text else { return Ok(None) };
    let at = text.parse::<jiff::Timestamp>().ok().and_then(|at| u64::try_from(at.as_millisecond()).ok());
    let wrong =
        "this is no time as in RFC 3339, from 1970 to the year 9999, for example `2024-03-15T14:30:00Z`";
    at.map(|ms| Some(UnixMs(ms))).ok_or_else(|| Problem::invalid(pointer, wrong))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::parse;
    use crate::model::{EndpointId, TenantId};

    const NOW: UnixMs = UnixMs(1_710_513_000_000);

    fn recovery(json: &str) -> Result<Recovery, Problem> {
        let url = "https://example.com/".parse().unwrap();
        let endpoint = Endpoint::new(EndpointId::new(NOW, 1), TenantId::default(), url, NOW);
        parse::<Input>(json).and_then(|input| input.recovery(&endpoint, NOW))
    }

    #[test]
    fn what_is_left_out_is_all_that_failed_until_now() {
        let asked = recovery(r#"{"since": "2024-03-15T14:00:00Z"}"#).unwrap();
        assert_eq!(asked.wanted, BTreeSet::from([Wanted::Failed]));
        assert_eq!((asked.since, asked.until), (UnixMs(1_710_511_200_000), NOW));
        let asked =
            recovery(r#"{"since": "2024-03-15T14:00:00Z", "until": "2030-01-01T00:00:00Z"}"#).unwrap();
        assert_eq!(asked.until, NOW, "what is to come is not recovered");
        for status in [r#""missed""#, r#"["missed"]"#] {
            let asked = recovery(&format!(r#"{{"since": "1970-01-01T00:00:00Z", "status": {status}}}"#));
            assert_eq!(asked.unwrap().wanted, BTreeSet::from([Wanted::Missed]));
        }
    }

    #[test]
    fn a_range_that_is_none_is_refused_by_its_field() {
        let cases = [
            ("{}", "/since"),
            (r#"{"since": "yesterday"}"#, "/since"),
            (r#"{"since": "1969-01-01T00:00:00Z"}"#, "/since"),
            (r#"{"since": "2030-01-01T00:00:00Z"}"#, "/since"),
            (r#"{"since": "2024-03-15T14:00:00Z", "until": "2024-03-15T14:00:00Z"}"#, "/until"),
            (r#"{"since": "2024-03-15T14:00:00Z", "until": "2024-03-15T13:00:00Z"}"#, "/until"),
            (r#"{"since": "2024-03-15T14:00:00Z", "status": []}"#, "/status"),
            (r#"{"since": "2024-03-15T14:00:00Z", "status": "pending"}"#, "/status"),
            (r#"{"since": "2024-03-15T14:00:00Z", "typo": 1}"#, "/typo"),
        ];
        for (json, pointer) in cases {
            let problem = recovery(json).expect_err(json);
            assert_eq!((problem.status().as_u16(), problem.pointer()), (422, Some(pointer)), "{json}");
        }
    }
}
