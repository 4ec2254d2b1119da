"""What plugins in Python have in common: plain values, a configuration that is checked, lines of the log."""

import dataclasses
import json

from componentize_py_types import Err
from wit_world.imports import log as contract

WORDS = {float: "a number", int: "a whole number", str: "a text", bool: "`true` or `false`", list: "a list", dict: "an object"}


def get(event, pointer, default=None):
    """The value at a JSON pointer into the data of an event, as plain Python. Looked up in the gateway."""
    value = event.get(pointer)
    if value is None:
        return default
    if type(value).__name__ == "Value_Json":
        return json.loads(value.value)
    return getattr(value, "value", None)


def read_config(cls, text):
    """The configuration of a binding as the dataclass `cls`. What does not fit is refused with a sentence, for the person who set it."""
    given = json.loads(text or "null")
    given = {} if given is None else given
    if not isinstance(given, dict):
        raise Err(f"the config must be an object, not {json.dumps(given)}")
    fields = {field.name: field for field in dataclasses.fields(cls)}
    for name, value in given.items():
        if name not in fields:
            raise Err(f"unknown field `{name}`, expected " + ", ".join(f"`{known}`" for known in fields))
        if not fits(value, fields[name].type):
            raise Err(f"`{name}` must be {WORDS[fields[name].type]}, not {json.dumps(value)}")
    for name, field in fields.items():
        is_required = field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING
        if is_required and name not in given:
            raise Err(f"`{name}` is missing")
    return cls(**given)


def fits(value, kind):
    if isinstance(value, bool):
        return kind is bool
    return isinstance(value, (int, float) if kind is float else kind)


def log(level, message):
    """A line of the plugin's log: `trace`, `debug`, `info`, `warn` or `error`."""
    contract.log(contract.Level[level.upper()], message)
