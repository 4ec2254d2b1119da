//! What is said of metrics.

use http::StatusCode;

use crate::metrics::Format;
use crate::openapi::{Access, Operation, Tag, text};

const EXAMPLE: &str = "# HELP hookway_plugin_calls_total Calls of the live version by what came of them.\n\
                       # TYPE hookway_plugin_calls_total counter\n\
                       hookway_plugin_calls_total{plugin=\"cel-filter\",version=\"9f86d081884c7d65\",outcome=\"passed\"} 1200\n";

pub(in crate::api) fn show() -> Operation {
    let forms = [Format::Prometheus, Format::OpenMetrics].map(|format| text(format.media_type(), EXAMPLE));
    Operation::new("get_metrics", Tag::Gateway, Access::Metrics, "Get what the gateway counts")
        .describe(
            "The text of Prometheus, or OpenMetrics for whoever asks for it with `Accept`. No label names a tenant, an endpoint \
             or an event.",
        )
        .answer(StatusCode::OK, "The metrics", forms)
}
