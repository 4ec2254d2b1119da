//! What one route does, takes and answers.

use http::{Method, StatusCode};
use schemars::{JsonSchema, SchemaGenerator};
use serde_json::{Map, Value, json};

use super::content::{Content, SchemaOf};
use super::parameter::{Parameter, of_query};
use super::refusal::{self, Refusal};
use super::response::{Answer, contents, problems};

/// The name of the one security scheme: an API key as a bearer token.
pub(super) const API_KEY: &str = "api_key";

/// A route with what is said of it.
#[derive(Debug)]
pub struct Described {
    /// The method.
    pub method: Method,
    /// The path, with parameters in braces.
    pub path: &'static str,
    /// The rest.
    pub operation: Operation,
}

/// What stands together in the reference, in this order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tag {
    /// Events in, and what became of them.
    Events,
    /// The delivery log.
    Deliveries,
    /// Endpoints.
    Endpoints,
    /// Their signing secrets.
    Secrets,
    /// The catalogue of topics.
    Topics,
    /// Plugins.
    Plugins,
    /// API keys and tenants.
    Access,
    /// The audit log.
    Audit,
    /// For supervisors and load balancers, and this reference.
    Gateway,
}

/// Which keys open a route.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    /// None is needed.
    Anyone,
    /// Every key.
    AnyKey,
    /// `admin`, `events:write`, `events:write:NAME`.
    Producer,
    /// `admin`, `tenant:NAME`.
    Manager,
    /// `admin`, `metrics:read`.
    Metrics,
    /// `admin`.
    Admin,
}

/// What one route does, takes and answers.
#[derive(Debug, Clone)]
pub struct Operation {
    pub(super) id: &'static str,
    tag: Tag,
    access: Access,
    summary: &'static str,
    description: &'static str,
    pub(super) path: Vec<Parameter>,
    query: Option<SchemaOf>,
    headers: Vec<Parameter>,
    body: Vec<Content>,
    is_body_required: bool,
    answers: Vec<Answer>,
    pub(super) refusals: Vec<Refusal>,
}

impl Operation {
    /// An operation with this id (`create_endpoint`: the name of its function in generated clients), opened by these keys,
    /// and what it does in a few words.
    #[must_use]
    pub fn new(id: &'static str, tag: Tag, access: Access, summary: &'static str) -> Self {
        let mut refusals = vec![refusal::MALFORMED, refusal::TOO_MANY_HEADERS];
        if access != Access::Anyone {
            refusals.extend([
                refusal::UNAUTHORIZED,
                refusal::INTERNAL,
                refusal::DAMAGED,
                refusal::UNAVAILABLE,
            ]);
        }
        if !matches!(access, Access::Anyone | Access::AnyKey) {
            refusals.push(refusal::FORBIDDEN);
        }
        Self {
            id,
            tag,
            access,
            summary,
            description: "",
            path: Vec::new(),
            query: None,
            headers: Vec::new(),
            body: Vec::new(),
            is_body_required: true,
            answers: Vec::new(),
            refusals,
        }
    }

    /// With a paragraph or more about it; `` `code` `` is the only markup.
    #[must_use]
    pub const fn describe(mut self, description: &'static str) -> Self {
        self.description = description;
        self
    }

    /// With a parameter in its path.
    #[must_use]
    pub fn path<T: JsonSchema>(mut self, name: &'static str, description: &'static str) -> Self {
        self.path.push(Parameter { is_required: true, ..Parameter::of::<T>(name, description) });
        self.refuse(&[refusal::NOT_FOUND])
    }

    /// With the fields of `T` in its query.
    #[must_use]
    pub fn query<T: JsonSchema>(mut self) -> Self {
        self.query = Some(|generator| T::json_schema(generator));
        self.refuse(&[refusal::INVALID_QUERY])
    }

    /// With a header that may be sent.
    #[must_use]
    pub fn header<T: JsonSchema>(mut self, name: &'static str, description: &'static str) -> Self {
        self.headers.push(Parameter::of::<T>(name, description));
        self
    }

    /// With a body; each further call adds another form that is read too.
    #[must_use]
    pub fn body(mut self, content: Content) -> Self {
        self.body.push(content);
        self.refuse(&[
            refusal::TOO_DEEP,
            refusal::TIMEOUT,
            refusal::TOO_LARGE,
            refusal::UNSUPPORTED_MEDIA_TYPE,
            refusal::INVALID_FIELD,
        ])
    }

    /// With a body that is no JSON, in any of these forms.
    #[must_use]
    pub fn upload(mut self, forms: impl IntoIterator<Item = Content>) -> Self {
        self.body.extend(forms);
        self.refuse(&[refusal::TIMEOUT, refusal::TOO_LARGE, refusal::UNSUPPORTED_MEDIA_TYPE])
    }

    /// The body may be left out.
    #[must_use]
    pub const fn optional_body(mut self) -> Self {
        self.is_body_required = false;
        self
    }

    /// Answers with this status and these contents; none for an empty body.
    #[must_use]
    pub fn answer(
        mut self,
        status: StatusCode,
        description: &'static str,
        content: impl IntoIterator<Item = Content>,
    ) -> Self {
        let content = content.into_iter().collect();
        self.answers.push(Answer { status, description, content, location: None });
        self
    }

    /// The last answer has the header `Location`.
    #[must_use]
    pub fn with_location(mut self, description: &'static str) -> Self {
        if let Some(answer) = self.answers.last_mut() {
            answer.location = Some(description);
        }
        self
    }

    /// Refuses with these, besides what its parts bring along.
    #[must_use]
    pub fn refuse(mut self, refusals: &[Refusal]) -> Self {
        self.refusals.extend_from_slice(refusals);
        self
    }

    /// The Operation Object of OpenAPI. What comes in and what goes out has a generator of its own, as serde may read
    /// more than it writes.
    pub(super) fn document(&self, input: &mut SchemaGenerator, output: &mut SchemaGenerator) -> Value {
        let mut parameters: Vec<_> = self.path.iter().map(|one| one.document("path", input)).collect();
        parameters.extend(self.query.into_iter().flat_map(|query| of_query(query, input)));
        parameters.extend(self.headers.iter().map(|one| one.document("header", input)));
        let mut responses = problems(&self.refusals);
        let answers = self.answers.iter();
        responses.extend(answers.map(|answer| (answer.status.as_u16().to_string(), answer.document(output))));
        let mut operation = json!({
            "operationId": self.id,
            "tags": [self.tag.name()],
            "summary": self.summary,
            "parameters": parameters,
            "responses": responses,
            "security": self.access.document(),
        });
        if !self.description.is_empty() {
            operation["description"] = self.description.into();
        }
        if !self.body.is_empty() {
            let content = contents(&self.body, input);
            operation["requestBody"] = json!({ "required": self.is_body_required, "content": content });
        }
        operation
    }
}

impl Access {
    /// The scopes of which one is enough.
    #[must_use]
    pub const fn scopes(self) -> &'static [&'static str] {
        match self {
            Self::Anyone => &[],
            Self::AnyKey => &["admin", "tenant:NAME", "events:write", "events:write:NAME", "metrics:read"],
            Self::Producer => &["admin", "events:write", "events:write:NAME"],
            Self::Manager => &["admin", "tenant:NAME"],
            Self::Metrics => &["admin", "metrics:read"],
            Self::Admin => &["admin"],
        }
    }

    /// The Security Requirement Objects: one of them is enough.
    fn document(self) -> Value {
        let one = |scope: &&str| Value::from(Map::from_iter([(API_KEY.to_owned(), json!([scope]))]));
        self.scopes().iter().map(one).collect::<Vec<_>>().into()
    }
}

impl Tag {
    /// All of them, in the order of the reference.
    pub(super) const ALL: [Self; 9] = [
        Self::Events,
        Self::Deliveries,
        Self::Endpoints,
        Self::Secrets,
        Self::Topics,
        Self::Plugins,
        Self::Access,
        Self::Audit,
        Self::Gateway,
    ];

    /// What it is called.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Events => "Events",
            Self::Deliveries => "Deliveries",
            Self::Endpoints => "Endpoints",
            Self::Secrets => "Secrets",
            Self::Topics => "Topics",
            Self::Plugins => "Plugins",
            Self::Access => "Keys and tenants",
            Self::Audit => "Audit log",
            Self::Gateway => "Gateway",
        }
    }

    /// What it is about.
    pub(super) const fn description(self) -> &'static str {
        match self {
            Self::Events => "What happened on the platform: how it comes in, and what became of it.",
            Self::Deliveries => {
                "The log: one row for each event on its way to an endpoint, with every attempt."
            }
            Self::Endpoints => {
                "Where events are sent: one URL of a tenant, its topics, limits, filter and plugins."
            }
            Self::Secrets => "What an endpoint's deliveries are signed with.",
            Self::Topics => "The catalogue of what can happen, with schemas that events must satisfy.",
            Self::Plugins => "WebAssembly components that filter, transform and match.",
            Self::Access => "Who may call the API.",
            Self::Audit => "Who changed what, in a chain that shows tampering.",
            Self::Gateway => {
                "For supervisors, load balancers and Prometheus, and this reference itself. Only metrics need a key."
            }
        }
    }
}
