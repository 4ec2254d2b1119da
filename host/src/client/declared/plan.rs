//! What has to change so that a gateway is as the files say: worked out together with the gateway, which is asked what
//! each entry would become and changes nothing.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::value::RawValue;

use super::current::{self, Current};
use super::endpoint::{Endpoint, State};
use super::file::Declared;
use super::raw::raw;
use super::tenant::Tenant;
use super::topic::Topic;
use super::{Fields, is_default};
use crate::client::error::{Error, Problem};
use crate::client::fields::InOrder;
use crate::client::output::not_understood;
use crate::client::same_json::is_same;
use crate::client::session::Session;

/// What the API shows of a tenant and people say.
const SAID_OF_TENANTS: [&str; 2] = ["description", "plugins"];

/// All steps, in their order.
#[derive(Debug, Default)]
pub(super) struct Plan {
    pub(super) steps: Vec<Step>,
    /// What is there and in no file, and stays.
    pub(super) left: Vec<String>,
}

/// One thing that changes.
#[derive(Debug)]
pub(super) struct Step {
    pub(super) action: Action,
    pub(super) subject: Subject,
    pub(super) changes: Vec<Change>,
    pub(super) work: Work,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Action {
    Create,
    Change,
    Delete,
}

/// What changes.
#[derive(Debug)]
pub(super) enum Subject {
    Tenant(String),
    Topic(String),
    Endpoint {
        /// `None` = that of the key.
        tenant: Option<String>,
        url: String,
        /// `None` = it is not there yet.
        id: Option<String>,
    },
}

/// A field before and after.
#[derive(Debug)]
pub(super) struct Change {
    pub(super) name: String,
    pub(super) old: Option<Box<RawValue>>,
    pub(super) new: Option<Box<RawValue>>,
}

/// The requests of a step.
#[derive(Debug)]
pub(super) enum Work {
    ChangeTenant(String),
    /// All of these go into one request, so that all or none are written.
    WriteTopic(Box<RawValue>),
    DeleteTopic,
    CreateEndpoint {
        body: String,
        state: Option<State>,
        /// Whether the gateway makes the secret at this position.
        made: Vec<bool>,
    },
    ChangeEndpoint {
        body: Option<String>,
        state: Option<State>,
    },
    DeleteEndpoint,
}

/// How people call a tenant.
pub(super) fn tenant_name(tenant: &str) -> String {
    format!("the tenant {tenant}")
}

/// How people call an endpoint.
pub(super) fn endpoint_name(tenant: Option<&str>, url: &str) -> String {
    let of = tenant.map(|tenant| format!(" of {tenant}")).unwrap_or_default();
    format!("the endpoint {url}{of}")
}

impl Subject {
    /// How people call it.
    pub(super) fn name(&self) -> String {
        match self {
            Self::Tenant(tenant) => tenant_name(tenant),
            Self::Topic(topic) => format!("the topic {topic}"),
            Self::Endpoint { tenant, url, .. } => endpoint_name(tenant.as_deref(), url),
        }
    }
}

/// The plan for what the files declare. Entries without a tenant are of `tenant`, or else of the key's, or `default`.
///
/// # Errors
/// Mistakes in the files, all that can be found; no answer, or a key that may not.
pub(super) fn make(
    declared: Declared,
    tenant: Option<&str>,
    prune: bool,
    session: &Session,
) -> Result<Plan, Error> {
    let Declared { tenants, settings, topics, endpoints, mistakes } = declared;
    let mut planner = Planner { session, prune, plan: Plan::default(), mistakes };
    let mut deletions = Vec::new();
    if let Some(topics) = topics {
        deletions = planner.topics(topics)?;
    }
    planner.settings(settings)?;
    planner.endpoints(tenants, tenant, endpoints)?;
    planner.plan.steps.extend(deletions);
    match planner.mistakes.as_slice() {
        [] => Ok(planner.plan),
        mistakes => Err(Error::Failed(format!("nothing was changed:\n{}", mistakes.join("\n")))),
    }
}

struct Planner<'a> {
    session: &'a Session,
    prune: bool,
    plan: Plan,
    mistakes: Vec<String>,
}

impl Planner<'_> {
    /// Steps for the catalogue; returns those that delete, which come last.
    fn topics(&mut self, declared: Vec<Topic>) -> Result<Vec<Step>, Error> {
        let mut there = current::topics(self.session)?;
        let mut tried = Vec::new();
        for Topic { place, topic, fields, .. } in declared {
            let before = there.remove(&topic).map(|fields| fields.into_iter().collect::<Fields>());
            let changes = changes(before.as_ref(), &fields);
            if before.is_some() && changes.is_empty() {
                continue;
            }
            let action = if before.is_some() { Action::Change } else { Action::Create };
            let body = raw(&fields);
            tried.push((format!("{place} ({topic})"), body.clone()));
            let work = Work::WriteTopic(body);
            self.plan.steps.push(Step { action, subject: Subject::Topic(topic), changes, work });
        }
        self.try_topics(&tried)?;
        let undeclared = there.into_keys().map(Subject::Topic);
        if !self.prune {
            self.plan.left.extend(undeclared.map(|topic| topic.name()));
            return Ok(Vec::new());
        }
        let delete =
            |subject| Step { action: Action::Delete, subject, changes: Vec::new(), work: Work::DeleteTopic };
        Ok(undeclared.map(delete).collect())
    }

    /// All together, as they will be written; if that is refused, one by one, so that each mistake is found.
    fn try_topics(&mut self, topics: &[(String, Box<RawValue>)]) -> Result<(), Error> {
        let bodies: Vec<_> = topics.iter().map(|(_, body)| body.as_ref()).collect();
        if bodies.is_empty() || self.tried("the topics", self.import(&bodies))?.is_some() {
            return Ok(());
        }
        let together = self.mistakes.pop();
        let before = self.mistakes.len();
        for (place, body) in topics {
            self.tried(place, self.import(&[body]))?;
        }
        if self.mistakes.len() == before {
            self.mistakes.extend(together);
        }
        Ok(())
    }

    fn import(&self, topics: &[&RawValue]) -> Result<String, Error> {
        let route = self.session.api.at(&["topics"]).with("dry_run", Some(true));
        self.session.api.put(&route, import_body(topics))
    }

    /// Steps for what goes for all endpoints of a tenant; before those for its endpoints, so that none is without.
    fn settings(&mut self, declared: Vec<Tenant>) -> Result<(), Error> {
        let there: BTreeMap<_, _> = match declared.as_slice() {
            [] => return Ok(()),
            _ => current::tenants(self.session)?.into_iter().collect(),
        };
        for tenant in declared {
            let body = tenant.body();
            let route = self.session.api.at(&["tenants", &tenant.tenant]).with("dry_run", Some(true));
            let place = format!("{} ({})", tenant.place, tenant.tenant);
            let Some(answer) = self.tried(&place, self.session.api.patch(&route, body.clone()))? else {
                continue;
            };
            let InOrder(after) = serde_json::from_str(&answer).map_err(|error| not_understood(&error))?;
            let said = |fields: &[(String, Box<RawValue>)]| {
                let said = fields.iter().filter(|(name, _)| SAID_OF_TENANTS.contains(&name.as_str()));
                said.cloned().collect::<Fields>()
            };
            let before = there.get(&tenant.tenant).map(|fields| said(fields));
            let changes = changes(before.as_ref(), &said(&after));
            if !changes.is_empty() {
                let (subject, work) = (Subject::Tenant(tenant.tenant), Work::ChangeTenant(body));
                self.plan.steps.push(Step { action: Action::Change, subject, changes, work });
            }
        }
        Ok(())
    }

    fn endpoints(
        &mut self,
        tenants: Option<BTreeSet<String>>,
        tenant: Option<&str>,
        declared: Vec<Endpoint>,
    ) -> Result<(), Error> {
        let named = || declared.iter().filter_map(|endpoint| endpoint.tenant.clone());
        if declared.is_empty() && tenants.as_ref().is_none_or(BTreeSet::is_empty) {
            return Ok(());
        }
        let unnamed = match tenant {
            Some(tenant) => Some(tenant.to_owned()),
            None if current::is_admin(self.session)? => Some("default".to_owned()),
            // Whatever a tenant's key sees is of its own tenant.
            None => named().next().or(current::endpoints(None, self.session)?.pop().map(|one| one.tenant)),
        };
        let tenant_of = |endpoint: &Endpoint| endpoint.tenant.clone().or_else(|| unnamed.clone());
        let scope: BTreeSet<_> = match tenants {
            Some(tenants) => tenants.into_iter().map(Some).collect(),
            None => declared.iter().map(tenant_of).collect(),
        };
        let mut there = self.there(scope.iter().cloned().chain(declared.iter().map(tenant_of)).collect())?;
        for endpoint in declared {
            let tenant = tenant_of(&endpoint);
            match there.remove(&(tenant.clone(), endpoint.url.to_string())) {
                None => self.creation(endpoint, tenant)?,
                Some(now) => self.change(&endpoint, &now)?,
            }
        }
        for ((tenant, url), now) in there {
            if !scope.contains(&tenant) {
                continue;
            }
            let subject = Subject::Endpoint { tenant, url, id: Some(now.id) };
            if self.prune {
                let (action, changes, work) = (Action::Delete, Vec::new(), Work::DeleteEndpoint);
                self.plan.steps.push(Step { action, subject, changes, work });
            } else {
                self.plan.left.push(subject.name());
            }
        }
        Ok(())
    }

    /// The endpoints of these tenants, by tenant and URL.
    fn there(
        &self,
        tenants: BTreeSet<Option<String>>,
    ) -> Result<BTreeMap<(Option<String>, String), Current>, Error> {
        let mut all = BTreeMap::new();
        for tenant in tenants {
            for endpoint in current::endpoints(tenant.as_deref(), self.session)? {
                all.insert((tenant.clone(), endpoint.url.clone()), endpoint);
            }
        }
        Ok(all)
    }

    fn creation(&mut self, endpoint: Endpoint, tenant: Option<String>) -> Result<(), Error> {
        let Some(body) = self.meant(endpoint.creation(tenant.as_deref())) else { return Ok(()) };
        let route = self.session.api.at(&["endpoints"]).with("dry_run", Some(true));
        let place = format!("{} ({})", endpoint.place, endpoint.url);
        let Some(answer) = self.tried(&place, self.session.api.post(&route, Some(body.clone())))? else {
            return Ok(());
        };
        let made = read(&answer)?;
        let mut changes = changes(None, &made.by_name());
        changes.extend(state_change(State::Active, endpoint.state));
        let subject = Subject::Endpoint { tenant, url: endpoint.url.to_string(), id: None };
        let state = endpoint.state.filter(|state| *state == State::Inactive);
        let made = (0..made.secrets.len()).map(|secret| endpoint.is_made_by_gateway(secret)).collect();
        let work = Work::CreateEndpoint { body, state, made };
        self.plan.steps.push(Step { action: Action::Create, subject, changes, work });
        Ok(())
    }

    fn change(&mut self, endpoint: &Endpoint, now: &Current) -> Result<(), Error> {
        let Some(body) = self.meant(endpoint.replacement(&now.headers())) else { return Ok(()) };
        let route = self.session.api.at(&["endpoints", &now.id]).with("dry_run", Some(true));
        let place = format!("{} ({})", endpoint.place, endpoint.url);
        let Some(answer) = self.tried(&place, self.session.api.put(&route, body.clone()))? else {
            return Ok(());
        };
        let mut changes = changes(Some(&now.by_name()), &read(&answer)?.by_name());
        let body = (!changes.is_empty()).then_some(body);
        let state = state_change(now.state, endpoint.state);
        let work = Work::ChangeEndpoint { body, state: endpoint.state.filter(|_| state.is_some()) };
        changes.extend(state);
        if !changes.is_empty() {
            let (tenant, url, id) = (now.tenant.clone(), now.url.clone(), now.id.clone());
            let subject = Subject::Endpoint { tenant: Some(tenant), url, id: Some(id) };
            self.plan.steps.push(Step { action: Action::Change, subject, changes, work });
        }
        Ok(())
    }

    fn meant(&mut self, body: Result<String, String>) -> Option<String> {
        body.map_err(|mistake| self.mistakes.push(mistake)).ok()
    }

    /// What the gateway said to a trial; `None` if it found a mistake in what was sent.
    fn tried(&mut self, place: &str, answer: Result<String, Error>) -> Result<Option<String>, Error> {
        match answer {
            Ok(answer) => Ok(Some(answer)),
            Err(Error::Problem(problem)) if problem.is_about_content() => {
                self.mistakes.push(format!("{place}: {problem}"));
                Ok(None)
            }
            Err(Error::Problem(problem)) => {
                Err(Error::Problem(Problem { detail: format!("{place}: {}", problem.detail), ..problem }))
            }
            Err(error) => Err(error),
        }
    }
}

/// The body of an import of topics.
pub(super) fn import_body(topics: &[&RawValue]) -> String {
    raw(&BTreeMap::from([("topics", topics)])).get().to_owned()
}

fn read(answer: &str) -> Result<Current, Error> {
    serde_json::from_str(answer).map_err(|error| not_understood(&error))
}

fn state_change(now: State, declared: Option<State>) -> Option<Change> {
    let declared = declared.filter(|declared| *declared != now)?;
    let (old, new) = (Some(raw(&now.name())), Some(raw(&declared.name())));
    Some(Change { name: "state".to_owned(), old, new })
}

/// The fields that differ. What is absent and what is a default say the same.
fn changes(before: Option<&Fields>, after: &Fields) -> Vec<Change> {
    let none = Fields::new();
    let before = before.unwrap_or(&none);
    let said =
        |fields: &Fields, name: &str| fields.get(name).filter(|value| !is_default(name, value)).cloned();
    let names: BTreeSet<_> = before.keys().chain(after.keys()).filter(|name| *name != "topic").collect();
    let change = |name: &String| {
        let (old, new) = (said(before, name), said(after, name));
        let is_changed = match (&old, &new) {
            (Some(old), Some(new)) => !is_same(old, new),
            (None, None) => false,
            _ => true,
        };
        is_changed.then(|| Change { name: name.clone(), old, new })
    };
    names.into_iter().filter_map(change).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fields(json: &str) -> Fields {
        serde_json::from_str(json).unwrap()
    }

    fn changed(before: Option<&str>, after: &str) -> Vec<String> {
        let shown =
            |value: &Option<Box<RawValue>>| value.as_ref().map_or("-".to_owned(), |raw| raw.get().to_owned());
        let all = changes(before.map(fields).as_ref(), &fields(after));
        all.iter()
            .map(|change| format!("{} {} {}", change.name, shown(&change.old), shown(&change.new)))
            .collect()
    }

    #[test]
    fn only_what_says_something_else_is_a_change() {
        let before =
            r#"{"a": 1, "b": {"y": 1.0, "x": [ ]}, "c": "", "d": null, "ordering": "none", "f": [1]}"#;
        assert_eq!(changed(Some(before), r#"{"a": 1, "b": {"x":[],"y":1.0}, "f": [1]}"#), [""; 0]);
        assert_eq!(
            changed(Some(before), r#"{"a": 2, "b": {"y": 1.00, "x": []}, "ordering": "fifo", "g": true}"#),
            [
                "a 1 2",
                r#"b {"y": 1.0, "x": [ ]} {"y": 1.00, "x": []}"#,
                "f [1] -",
                "g - true",
                r#"ordering - "fifo""#
            ]
        );
        assert_eq!(
            changed(None, r#"{"topic": "a", "schema": null, "description": "x"}"#),
            [r#"description - "x""#]
        );
    }

    #[test]
    fn a_state_that_is_not_declared_stays() {
        assert!(state_change(State::Inactive, None).is_none());
        assert!(state_change(State::Inactive, Some(State::Inactive)).is_none());
        assert_eq!(
            state_change(State::Active, Some(State::Inactive)).unwrap().new.unwrap().get(),
            r#""inactive""#
        );
    }
}
