//! Where a condition looks: a root of the event and the steps from there.

use std::borrow::Cow;
use std::fmt::Write as _;

use super::{Reason, View, Work};
use crate::json::{MAX_STEPS, Value, escape};

/// The roots, for sentences.
pub(super) const ROOTS: &str = "`data`, `event`, `event_id`, `tenant`, `timestamp` or `metadata`";

/// A place in an event.
#[derive(Debug, Clone)]
pub(super) struct Place {
    root: Root,
    steps: Vec<Step>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Root {
    Data,
    Topic,
    EventId,
    Tenant,
    Timestamp,
    Metadata,
}

/// One step further in.
#[derive(Debug, Clone)]
pub(super) enum Step {
    /// A member of an object, or of the objects in an array.
    Key(Box<str>),
    /// A token of a JSON pointer: a member of an object or an element of an array.
    Token(Box<str>),
}

/// A time as a text whose order is the order in time: always with nine digits after the point.
pub(super) fn sortable(time: jiff::Timestamp) -> String {
    format!("{time:.9}")
}

impl Place {
    /// A root by its name.
    pub(super) fn of_root(name: &str) -> Result<Self, Reason> {
        let root = match name {
            "data" => Root::Data,
            "event" => Root::Topic,
            "event_id" => Root::EventId,
            "tenant" => Root::Tenant,
            "timestamp" => Root::Timestamp,
            "metadata" => Root::Metadata,
            _ => return Err(Reason::UnknownRoot(name.to_owned())),
        };
        Ok(Self { root, steps: Vec::new() })
    }

    /// The place one step further in.
    pub(super) fn step(mut self, step: Step) -> Result<Self, Reason> {
        if self.is_text() {
            return Err(Reason::NothingInside(self.to_string().into()));
        }
        if self.steps.len() == MAX_STEPS {
            return Err(Reason::TooManySteps);
        }
        self.steps.push(step);
        Ok(self)
    }

    /// Whether there is always a text here, or nothing.
    pub(super) fn is_text(&self) -> bool {
        match self.root {
            Root::Data => false,
            Root::Metadata => !self.steps.is_empty(),
            Root::Topic | Root::EventId | Root::Tenant | Root::Timestamp => true,
        }
    }

    /// Whether there is always a time here.
    pub(super) fn is_time(&self) -> bool {
        self.root == Root::Timestamp
    }

    /// Whether it is all of the endpoint's metadata.
    pub(super) fn is_whole_metadata(&self) -> bool {
        self.root == Root::Metadata && self.steps.is_empty()
    }

    /// Whether one of the values here is as wanted. There may be none, and behind an array many.
    pub(super) fn any<'a>(&self, view: &View<'a>, wanted: &mut impl FnMut(&Value<'a>) -> bool) -> bool {
        match self.origin(view) {
            Some(Value::Text(text)) if self.root == Root::Metadata => wanted(&Value::Text(text)),
            Some(value) => any_behind(value, &self.steps, &view.work, wanted),
            None => false,
        }
    }

    /// Where the steps begin; for metadata, where they end.
    fn origin<'a>(&self, view: &View<'a>) -> Option<Value<'a>> {
        let event = view.subject.event();
        let text = |text: &'a str| Some(Value::Text(Cow::Borrowed(text)));
        match self.root {
            Root::Data => view.subject.data().value(),
            Root::Topic => text(event.topic.as_str()),
            Root::EventId => text(event.id.as_str()),
            Root::Tenant => text(event.tenant.as_str()),
            Root::Timestamp => Some(Value::Text(Cow::Owned(sortable(event.timestamp)))),
            Root::Metadata => text(view.metadata.get(self.steps.first()?.name())?),
        }
    }
}

fn any_behind<'a>(
    value: Value<'a>,
    steps: &[Step],
    work: &Work,
    wanted: &mut impl FnMut(&Value<'a>) -> bool,
) -> bool {
    let Some((step, rest)) = steps.split_first() else { return wanted(&value) };
    match (step, value) {
        (Step::Key(key), Value::Array(inside)) => inside
            .elements()
            .take_while(|_| work.spend(1))
            .filter(|element| matches!(element, Value::Object(_)))
            .filter_map(|element| element.step(key))
            .any(|member| any_behind(member, rest, work, wanted)),
        (Step::Key(name) | Step::Token(name), value) => {
            value.step(name).is_some_and(|inner| any_behind(inner, rest, work, wanted))
        }
    }
}

impl Step {
    fn name(&self) -> &str {
        match self {
            Self::Key(name) | Self::Token(name) => name,
        }
    }
}

impl Root {
    const fn name(self) -> &'static str {
        match self {
            Self::Data => "data",
            Self::Topic => "event",
            Self::EventId => "event_id",
            Self::Tenant => "tenant",
            Self::Timestamp => "timestamp",
            Self::Metadata => "metadata",
        }
    }
}

/// `data.order.total`; as a pointer where a name is not a plain word.
impl std::fmt::Display for Place {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let is_plain = |name: &str| {
            !name.is_empty() && name.chars().all(|c| c.is_alphanumeric() || c == '_' || c == '-')
        };
        let root = self.root.name();
        if self.steps.iter().all(|step| is_plain(step.name())) {
            f.write_str(root)?;
            return self.steps.iter().try_for_each(|step| write!(f, ".{}", step.name()));
        }
        write!(f, "/{root}")?;
        self.steps.iter().try_for_each(|step| {
            f.write_char('/')?;
            f.write_str(&escape(step.name()))
        })
    }
}
