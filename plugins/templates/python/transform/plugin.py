"""Sends the bare data of an event, with its topic in a header."""

from dataclasses import dataclass

from wit_world.exports.transform import Header, Outcome, Outcome_Replace, Request
from wit_world.imports.types import Endpoint, Event

import hookway


@dataclass
class Config:
    """The `config` of the binding: {"header": "x-topic"}."""

    header: str


class Lifecycle:
    def init(self, config: str) -> None:
        """Once per instance: compile and parse here."""
        global configured
        configured = hookway.read_config(Config, config)


class Transform:
    def transform(self, event: Event, to: Endpoint) -> Outcome:
        """`event.body()` is what the transforms before this one made; `event.data()` is what the producer sent."""
        hookway.log("debug", f"{event.id()} goes to {to.id()}")
        return Outcome_Replace(
            Request(
                body=event.data(),
                content_type=None,  # stays application/json
                set_headers=[Header(configured.header, event.topic().encode())],
                remove_headers=[],
            )
        )
