"""A filter that drops small orders, and a transform that sends the bare data with the topic in a header."""

import json

from componentize_py_types import Err
from wit_world.exports.filter import Verdict, Verdict_Deliver, Verdict_Drop
from wit_world.exports.transform import Header, Outcome, Outcome_Replace, Request
from wit_world.imports import log
from wit_world.imports.types import Endpoint, Event, Value_Number

minimum = 0.0


class Lifecycle:
    def init(self, config: str) -> None:
        """Once per instance, with the `config` of the binding: {"minimum": 100}."""
        global minimum
        wanted = (json.loads(config) or {}).get("minimum", 0)
        if not isinstance(wanted, (int, float)):
            raise Err("`minimum` must be a number")
        minimum = wanted


class Filter:
    def filter(self, event: Event, to: Endpoint) -> Verdict:
        # Looked up in the gateway: nothing is parsed here.
        total = event.get("/total")
        if isinstance(total, Value_Number) and total.value >= minimum:
            return Verdict_Deliver()
        return Verdict_Drop(f"the total is below {minimum}")


class Transform:
    def transform(self, event: Event, to: Endpoint) -> Outcome:
        log.log(log.Level.DEBUG, f"{event.id()} goes to {to.id()}")
        topic = Header("x-topic", event.topic().encode())
        return Outcome_Replace(
            Request(
                body=event.data(),
                content_type=None,  # stays application/json
                set_headers=[topic],
                remove_headers=[],
            )
        )
