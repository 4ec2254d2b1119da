//! A plan for people and for scripts. Values of headers are never shown: they may be credentials.

use std::collections::BTreeMap;

use serde_json::value::RawValue;
use serde_json::{Value, json};

use super::plan::{Action, Change, Plan, Step, Subject, Work};
use super::raw::raw;
use super::steps::Made;
use crate::client::diff::diff;
use crate::client::line::{Line, Tone};
use crate::client::pretty::{on_one_line, pretty};

/// Values up to here are shown on the line of their field.
const MAX_SHORT: usize = 60;
const SECRETS: &str = "secrets";
const HIDDEN: &str = "[hidden]";
const HIDDEN_ANOTHER: &str = "[hidden, another]";

/// All steps of a plan with their changes.
pub(super) fn lines(plan: &Plan) -> Vec<Line> {
    plan.steps.iter().flat_map(step).collect()
}

/// `2 to create, 1 to change`.
pub(super) fn summary(plan: &Plan) -> String {
    let counted =
        [(Action::Create, "to create"), (Action::Change, "to change"), (Action::Delete, "to delete")];
    let count = |(action, words): (Action, &str)| {
        let count = plan.steps.iter().filter(|step| step.action == action).count();
        (count > 0).then(|| format!("{count} {words}"))
    };
    counted.into_iter().filter_map(count).collect::<Vec<_>>().join(", ")
}

/// A step on a line, as it is or as it was done.
pub(super) fn title(step: &Step, words: [&str; 3]) -> Line {
    let (sign, tone, word) = match step.action {
        Action::Create => ("+", Tone::Good, words[0]),
        Action::Change => ("~", Tone::Warning, words[1]),
        Action::Delete => ("-", Tone::Bad, words[2]),
    };
    Line::new(tone, format!("{sign} {word} ")).and(Tone::Plain, step.subject.name())
}

/// A step for scripts.
pub(super) fn for_scripts(step: &Step, is_done: bool, secrets: Option<&[Made]>) -> String {
    let action = match step.action {
        Action::Create => "create",
        Action::Change => "change",
        Action::Delete => "delete",
    };
    let changes: BTreeMap<_, _> = step
        .changes
        .iter()
        .map(|change| {
            let (old, new) = visible(change);
            (&change.name, BTreeMap::from([("old", old), ("new", new)]))
        })
        .collect();
    let mut object = match &step.subject {
        Subject::Tenant(tenant) => json!({ "kind": "tenant", "tenant": tenant }),
        Subject::Topic(topic) => json!({ "kind": "topic", "topic": topic }),
        Subject::Endpoint { tenant, url, id } => {
            json!({ "kind": "endpoint", "tenant": tenant, "url": url, "endpoint_id": id })
        }
    };
    object["action"] = action.into();
    object["done"] = is_done.into();
    if let Some(secrets) = secrets {
        object["secrets"] = json!(secrets);
    }
    // Put in as text, so that no number of a change loses a digit.
    let changes = raw(&changes);
    let object = object.to_string();
    let rest = object.strip_prefix('{').unwrap_or_default();
    format!("{{\"changes\":{},{rest}", changes.get())
}

fn step(step: &Step) -> Vec<Line> {
    let mut all = vec![title(step, ["create", "change", "delete"])];
    let names = step.changes.iter().map(|change| change.name.as_str()).chain(Some(SECRETS));
    let width = names.map(str::len).max().unwrap_or(0);
    all.extend(
        step.changes.iter().flat_map(|change| field(change, width)).map(|line| line.indented().indented()),
    );
    if let Work::CreateEndpoint { made, .. } = &step.work {
        let by_gateway = made.iter().filter(|made| **made).count();
        let given = made.len() - by_gateway;
        let secrets = match (by_gateway, given) {
            (0, given) => format!("{given} given"),
            (made, 0) => format!("{made} made by the gateway, shown once"),
            (made, given) => format!("{given} given, {made} made by the gateway, shown once"),
        };
        let line = Line::new(Tone::Faint, format!("{SECRETS:width$}  ")).and(Tone::Plain, secrets);
        all.push(line.indented().indented());
    }
    all
}

fn field(change: &Change, width: usize) -> Vec<Line> {
    let (old, new) = visible(change);
    let text =
        |value: &Option<Box<RawValue>>| value.as_ref().map_or("-".to_owned(), |raw| on_one_line(raw.get()));
    let (short_old, short_new) = (text(&old), text(&new));
    let name = Line::new(Tone::Faint, format!("{:width$}  ", change.name));
    if short_old.len() <= MAX_SHORT && short_new.len() <= MAX_SHORT {
        return vec![match &old {
            None => name.and(Tone::Plain, short_new),
            Some(_) => name.and(Tone::Bad, short_old).and(Tone::Faint, " -> ").and(Tone::Good, short_new),
        }];
    }
    let text =
        |value: &Option<Box<RawValue>>| value.as_ref().map_or(String::new(), |raw| pretty(raw.get()) + "\n");
    let mut all = vec![name];
    all.extend(diff(&text(&old), &text(&new)).into_iter().map(Line::indented));
    all
}

/// Both sides of a change without what may be a credential.
fn visible(change: &Change) -> (Option<Box<RawValue>>, Option<Box<RawValue>>) {
    if change.name != "headers" {
        return (change.old.clone(), change.new.clone());
    }
    let read = |side: &Option<Box<RawValue>>| {
        let headers =
            side.as_ref().and_then(|raw| serde_json::from_str::<BTreeMap<String, Value>>(raw.get()).ok());
        headers.unwrap_or_default()
    };
    let (old, new) = (read(&change.old), read(&change.new));
    let hide = |name: &String, value: &Value| {
        let is_another = old.get(name).is_some_and(|old| old != value);
        (name.clone(), if is_another { HIDDEN_ANOTHER } else { HIDDEN })
    };
    let shown = |side: &BTreeMap<String, Value>| {
        side.iter().map(|(name, value)| hide(name, value)).collect::<BTreeMap<_, _>>()
    };
    (change.old.as_ref().map(|_| raw(&shown(&old))), change.new.as_ref().map(|_| raw(&shown(&new))))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn change(name: &str, old: Option<&str>, new: Option<&str>) -> Change {
        let value = |text: &str| RawValue::from_string(text.to_owned()).unwrap();
        Change { name: name.to_owned(), old: old.map(value), new: new.map(value) }
    }

    fn shown(action: Action, changes: Vec<Change>) -> String {
        let subject = Subject::Endpoint {
            tenant: Some("acme".to_owned()),
            url: "https://a.example/".to_owned(),
            id: None,
        };
        let work = Work::ChangeEndpoint { body: None, state: None };
        let step = Step { action, subject, changes, work };
        let script: Value = serde_json::from_str(&for_scripts(&step, false, None)).unwrap();
        assert_eq!((&script["tenant"], &script["done"]), (&json!("acme"), &json!(false)));
        assert!(!script.to_string().contains("s3cret"), "{script}");
        let plan = Plan { steps: vec![step], left: Vec::new() };
        lines(&plan).iter().map(|line| line.render(false) + "\n").collect()
    }

    #[test]
    fn a_change_is_shown_field_by_field() {
        let long = format!(r#"{{"data":{{"a":"{}","b":1}}}}"#, "x".repeat(80));
        let page = shown(
            Action::Change,
            vec![
                change("rate_limit", Some("10"), Some("20")),
                change("filter", Some(&long), Some(&long.replace(":1", ":2"))),
                change("topics", Some(r#"["a"]"#), None),
            ],
        );
        assert!(
            page.starts_with("~ change the endpoint https://a.example/ of acme\n    rate_limit  10 -> 20\n"),
            "{page}"
        );
        assert!(page.contains("      -     \"b\": 1\n      +     \"b\": 2\n"), "{page}");
        assert!(page.ends_with("    topics      [\"a\"] -> -\n"), "{page}");
    }

    #[test]
    fn the_values_of_headers_are_hidden() {
        let old = Some(r#"{"a":"s3cret","b":"s3cret","d":"s3cret"}"#);
        let new = Some(r#"{"a":"s3cret","b":"s3cret2","c":"s3cret"}"#);
        let page = shown(Action::Change, vec![change("headers", old, new)]);
        assert!(!page.contains("s3cret"), "{page}");
        let old = r#"{"a":"[hidden]","b":"[hidden]","d":"[hidden]"}"#;
        let new = r#"{"a":"[hidden]","b":"[hidden, another]","c":"[hidden]"}"#;
        assert!(page.contains(&format!("    headers  {old} -> {new}\n")), "{page}");
    }
}
