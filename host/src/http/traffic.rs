//! What is counted of connections and requests. Labels are few: classes of routes and of statuses.

use http::{Method, StatusCode};
use tokio::time::Instant;

use crate::metrics::{Counter, DURATIONS, Gauge, Histogram, Labelled, Metrics};

/// The classes of routes: producers, those who manage, those who watch, and all else.
const ROUTES: [&str; 5] = ["events", "api", "health", "metrics", "other"];
/// The classes of statuses.
const STATUSES: [&str; 4] = ["2xx", "3xx", "4xx", "5xx"];

/// The counts of one listener. Clones share them.
#[derive(Debug, Clone)]
pub struct Traffic {
    requests: Labelled<Counter, 2>,
    seconds: Labelled<Histogram, 1>,
    open: Gauge,
    accepted: Counter,
}

/// A request that is not answered yet.
pub(super) struct Asked {
    traffic: Traffic,
    route: usize,
    at: Instant,
}

/// A connection that is open; dropped when it is closed.
pub(super) struct OpenConnection(Gauge);

impl Traffic {
    /// Has these metrics tell of them.
    pub fn count_in(&self, metrics: &Metrics) {
        metrics.register(
            "http_requests",
            "Requests that were answered, by class of route and status",
            self.requests.clone(),
        );
        metrics.register(
            "http_request_seconds",
            "From the head of a request to the head of its answer",
            self.seconds.clone(),
        );
        metrics.register("http_open_connections", "Connections of clients that are open", self.open.clone());
        metrics.register(
            "http_connections",
            "Connections of clients that were accepted",
            self.accepted.clone(),
        );
    }

    /// A connection was accepted.
    pub(super) fn connected(&self) -> OpenConnection {
        self.accepted.inc();
        self.open.inc();
        OpenConnection(self.open.clone())
    }

    /// A request came.
    pub(super) fn asked(&self, method: &Method, path: &str) -> Asked {
        Asked { traffic: self.clone(), route: route(method, path), at: Instant::now() }
    }
}

impl Default for Traffic {
    fn default() -> Self {
        let words =
            ROUTES.iter().flat_map(|route| STATUSES.map(|status| [("route", *route), ("status", status)]));
        Self {
            requests: Labelled::new(words, Counter::default),
            seconds: Labelled::by("route", &ROUTES, || Histogram::new(&DURATIONS)),
            open: Gauge::default(),
            accepted: Counter::default(),
        }
    }
}

impl Asked {
    /// The head of the answer is there.
    pub(super) fn answered(self, status: StatusCode) {
        let class = usize::from(status.as_u16() / 100).clamp(2, 5) - 2;
        self.traffic.requests.at(self.route * STATUSES.len() + class).inc();
        self.traffic.seconds.at(self.route).observe_duration(self.at.elapsed());
    }
}

impl Drop for OpenConnection {
    fn drop(&mut self) {
        self.0.dec();
    }
}

/// The place of the class of a route.
fn route(method: &Method, path: &str) -> usize {
    match path {
        "/v1/events" if *method == Method::POST => 0,
        "/healthz" | "/readyz" => 2,
        "/metrics" => 3,
        _ if path.starts_with("/v1/") => 1,
        _ => 4,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_route_is_of_one_class_and_no_path_of_a_client_becomes_a_label() {
        let class = |method, path| ROUTES[route(&method, path)];
        assert_eq!(class(Method::POST, "/v1/events"), "events");
        assert_eq!(class(Method::GET, "/v1/events"), "api");
        assert_eq!(class(Method::POST, "/v1/events/x"), "api");
        assert_eq!(class(Method::GET, "/readyz"), "health");
        assert_eq!(class(Method::GET, "/metrics"), "metrics");
        for path in ["/", "*", "/v1", "/%00", "/openapi.json"] {
            assert_eq!(class(Method::GET, path), "other", "{path}");
        }
    }

    #[test]
    fn an_answer_counts_in_the_class_of_its_status() {
        let metrics = Metrics::default();
        let traffic = Traffic::default();
        traffic.count_in(&metrics);
        for status in [101, 200, 304, 404, 503, 999] {
            traffic.asked(&Method::GET, "/v1/keys").answered(StatusCode::from_u16(status).unwrap());
        }
        let text = metrics.to_text(crate::metrics::Format::Prometheus);
        for (status, count) in [("2xx", 2), ("3xx", 1), ("4xx", 1), ("5xx", 2)] {
            let line = format!("hookway_http_requests_total{{route=\"api\",status=\"{status}\"}} {count}");
            assert!(text.lines().any(|one| one == line), "no {line}: {text}");
        }
    }
}
