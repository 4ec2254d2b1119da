//! The steps of a plan, done one after another. Each is told when it is done, so that what stops in the middle has said how
//! far it came; doing all of it again goes on from there.

use serde::Serialize;
use serde_json::value::RawValue;

use super::current::Current;
use super::endpoint::State;
use super::plan::{Plan, Step, Subject, Work, import_body};
use super::secrets::SecretsFile;
use super::show;
use crate::client::error::Error;
use crate::client::line::{Line, Tone};
use crate::client::output::{hint, not_understood};
use crate::client::session::Session;

/// A secret that the gateway made: the only time that anybody sees it.
#[derive(Debug, Serialize)]
pub(super) struct Made {
    tenant: String,
    url: String,
    endpoint_id: String,
    pub(super) secret_id: String,
    #[serde(rename = "type")]
    kind: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    value: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    public_key: Option<String>,
}

/// Does all of them.
///
/// # Errors
/// The first that fails; the ones before it are done, the ones after it are not.
pub(super) fn perform(plan: Plan, mut file: Option<SecretsFile>, session: &mut Session) -> Result<(), Error> {
    let total = plan.steps.len();
    let (topics, rest): (Vec<_>, Vec<_>) =
        plan.steps.into_iter().partition(|step| matches!(step.work, Work::WriteTopic(_)));
    let mut waiting = vec![topics];
    waiting.extend(rest.into_iter().map(|step| vec![step]));
    let mut waiting = waiting.into_iter().filter(|steps| !steps.is_empty());
    let mut done = 0;
    while let Some(mut steps) = waiting.next() {
        let result =
            together(&mut steps, session).and_then(|made| tell(&steps, &made, file.as_mut(), session));
        if let Err(error) = result {
            stopped(&steps, done, total);
            if session.out.json {
                let mut rest = steps.into_iter().chain(waiting.flatten());
                rest.try_for_each(|step| session.out.json(&show::for_scripts(&step, false, None)))?;
            }
            return Err(error);
        }
        done += steps.len();
    }
    Ok(())
}

/// Does one step, or all that write topics.
fn together(steps: &mut [Step], session: &Session) -> Result<Vec<Made>, Error> {
    let topics: Vec<&RawValue> = steps
        .iter()
        .filter_map(|step| if let Work::WriteTopic(body) = &step.work { Some(body.as_ref()) } else { None })
        .collect();
    if !topics.is_empty() {
        session.api.put(&session.api.at(&["topics"]), import_body(&topics))?;
        return Ok(Vec::new());
    }
    let mut made = Vec::new();
    for step in steps {
        made.extend(one(step, session)?);
    }
    Ok(made)
}

fn one(step: &mut Step, session: &Session) -> Result<Vec<Made>, Error> {
    match (&mut step.subject, &step.work) {
        (Subject::Tenant(tenant), Work::ChangeTenant(body)) => {
            session.api.patch(&session.api.at(&["tenants", tenant]), body.clone())?;
        }
        (Subject::Topic(topic), _) => {
            session.api.delete(&session.api.at(&["topics", topic]))?;
        }
        (Subject::Endpoint { id, .. }, Work::CreateEndpoint { body, made, state }) => {
            let answer = session.api.post(&session.api.at(&["endpoints"]), Some(body.clone()))?;
            let new: Current = serde_json::from_str(&answer).map_err(|error| not_understood(&error))?;
            *id = Some(new.id.clone());
            let secrets = secrets(&new, made);
            if let Some(state) = state {
                // The secrets are shown whatever comes of this: the endpoint is there.
                if let Err(error) = set_state(&new.id, *state, session) {
                    hint(&format!("it was created, but is not {} yet: {error}", state.name()));
                }
            }
            return Ok(secrets);
        }
        (Subject::Endpoint { id: Some(id), .. }, Work::ChangeEndpoint { body, state }) => {
            if let Some(body) = body {
                session.api.put(&session.api.at(&["endpoints", id]), body.clone())?;
            }
            if let Some(state) = state {
                set_state(id, *state, session)?;
            }
        }
        (Subject::Endpoint { id: Some(id), .. }, Work::DeleteEndpoint) => {
            session.api.delete(&session.api.at(&["endpoints", id]))?;
        }
        (Subject::Tenant(_) | Subject::Endpoint { .. }, _) => {}
    }
    Ok(Vec::new())
}

fn set_state(id: &str, state: State, session: &Session) -> Result<(), Error> {
    let verb = match state {
        State::Active => "activate",
        State::Inactive => "deactivate",
    };
    session.api.post(&session.api.at(&["endpoints", id, verb]), None).map(drop)
}

fn secrets(new: &Current, made: &[bool]) -> Vec<Made> {
    let by_gateway = new.secrets.iter().zip(made).filter(|(_, made)| **made);
    let secret = by_gateway.map(|(secret, _)| Made {
        tenant: new.tenant.clone(),
        url: new.url.clone(),
        endpoint_id: new.id.clone(),
        secret_id: secret.id.clone(),
        kind: secret.kind.clone(),
        value: secret.value.clone(),
        public_key: secret.public_key.clone(),
    });
    secret.collect()
}

fn tell(
    steps: &[Step],
    made: &[Made],
    file: Option<&mut SecretsFile>,
    session: &mut Session,
) -> Result<(), Error> {
    let is_in_file = file.is_some();
    if let Some(file) = file {
        made.iter().try_for_each(|secret| file.add(secret))?;
    }
    for step in steps {
        if session.out.json {
            let secrets = (!made.is_empty() && !is_in_file).then_some(made);
            session.out.json(&show::for_scripts(step, true, secrets))?;
            continue;
        }
        session.out.line(show::title(step, ["created", "changed", "deleted"]))?;
        for secret in made.iter().filter(|_| !is_in_file) {
            session.out.line(secret.line())?;
        }
    }
    Ok(())
}

fn stopped(steps: &[Step], done: usize, total: usize) {
    let at = steps.first().map(|step| step.subject.name()).unwrap_or_default();
    hint(&format!(
        "stopped at {at}: {done} of {total} changes are done, what came after it was not tried. Run it again to go on."
    ));
}

impl Made {
    fn line(&self) -> Line {
        let (what, text) = match (&self.value, &self.public_key) {
            (Some(value), _) => ("its secret, shown this once: ", value.as_str()),
            (None, Some(key)) => ("its public key: ", key.as_str()),
            (None, None) => ("its secret: ", self.secret_id.as_str()),
        };
        Line::new(Tone::Faint, what).and(Tone::Strong, text).indented().indented()
    }
}
