//! An event as the API gives it.

use serde::Deserialize;
use serde_json::value::RawValue;

use crate::client::delivery::Delivery;
use crate::client::error::{Error, Problem};

/// An event with its deliveries.
#[derive(Debug, Deserialize)]
pub(in crate::client) struct Event {
    pub(super) event_id: String,
    pub(super) topic: String,
    pub(super) tenant: String,
    timestamp: String,
    pub(super) accepted_at: String,
    data: Box<RawValue>,
    pub(super) status: String,
    pub(super) deliveries: Vec<Delivery>,
}

impl Event {
    /// Its `data`, as it was posted.
    pub(in crate::client) fn data(&self) -> &str {
        self.data.get()
    }

    /// The body that is sent unless a transform makes another.
    pub(in crate::client) fn envelope(&self) -> String {
        let Self { topic, event_id, timestamp, data, .. } = self;
        format!(r#"{{"event":"{topic}","event_id":"{event_id}","timestamp":"{timestamp}","data":{data}}}"#)
    }

    /// Whether it was matched to the endpoints already.
    pub(super) fn is_dispatched(&self) -> bool {
        self.status == "dispatched"
    }
}

/// An event that is not there is an answer, too: the API's sentence in the words of this command.
pub(super) fn explain_absence(error: Error, id: &str, tenant: Option<&str>) -> Error {
    let Error::Problem(problem) = error else { return error };
    if problem.status != 404 {
        return Error::Problem(problem);
    }
    let whose = match tenant {
        Some(tenant) => format!("the tenant `{tenant}` has no event `{id}`"),
        None => format!(
            "there is no event `{id}`; if it is of another tenant than the key's or `default`, say --tenant"
        ),
    };
    let hint = "It was never accepted under this id: look for its answer in the log of the producer";
    Error::Problem(Problem { detail: format!("{whose}. {hint}"), ..problem })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_that_is_not_there_leads_to_the_producer() {
        let problem =
            Problem { status: 404, detail: "none".to_owned(), pointer: None, line: None, request_id: None };
        let told = |tenant| explain_absence(Error::Problem(problem.clone()), "order-42", tenant);
        assert!(told(Some("acme")).to_string().starts_with("the tenant `acme` has no event `order-42`."));
        assert!(told(None).to_string().contains("--tenant") && told(None).to_string().contains("producer"));
        assert_eq!(told(None).exit_code(), 3);
    }
}
