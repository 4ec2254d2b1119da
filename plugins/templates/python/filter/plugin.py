"""Drops events whose total is below a minimum."""

from dataclasses import dataclass

from wit_world.exports.filter import Verdict, Verdict_Deliver, Verdict_Drop
from wit_world.imports.types import Endpoint, Event

import hookway


@dataclass
class Config:
    """The `config` of the binding: {"minimum": 100}."""

    minimum: float


class Lifecycle:
    def init(self, config: str) -> None:
        """Once per instance: compile and parse here."""
        global configured
        configured = hookway.read_config(Config, config)


class Filter:
    def filter(self, event: Event, to: Endpoint) -> Verdict:
        # Looked up in the gateway: nothing is parsed here.
        total = hookway.get(event, "/total")
        if isinstance(total, float) and total >= configured.minimum:
            return Verdict_Deliver()
        return Verdict_Drop(f"the total is below {configured.minimum:g}")
