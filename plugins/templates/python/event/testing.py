"""Events and endpoints for tests, as the gateway gives them."""

import datetime
import json

from wit_world.imports import types

import hookway

# There is no gateway that keeps lines of the log.
hookway.contract.log = lambda level, message: print(f"{level.name}: {message}")


class Event:
    """An event with this topic and data, which is a value, or a text that holds JSON."""

    def __init__(self, topic, data, *, id="evt_test", tenant="default", timestamp_ms=0, body=None):
        self._topic, self._id, self._tenant, self._timestamp_ms = topic, id, tenant, timestamp_ms
        self._data = data if isinstance(data, str) else json.dumps(data)
        self._body = body

    def id(self):
        return self._id

    def topic(self):
        return self._topic

    def tenant(self):
        return self._tenant

    def timestamp_ms(self):
        return self._timestamp_ms

    def data(self):
        return self._data.encode()

    def get(self, pointer):
        found = at(json.loads(self._data), pointer)
        if found is NOTHING:
            return None
        if found is None:
            return types.Value_Null()
        if isinstance(found, bool):
            return types.Value_Boolean(found)
        if isinstance(found, (int, float)):
            return types.Value_Number(float(found))
        return types.Value_Text(found) if isinstance(found, str) else types.Value_Json(json.dumps(found))

    def body(self):
        if self._body is not None:
            return self._body
        time = datetime.datetime.fromtimestamp(self._timestamp_ms / 1000, datetime.timezone.utc)
        head = {"event": self._topic, "event_id": self._id, "timestamp": time.strftime("%Y-%m-%dT%H:%M:%SZ")}
        return f'{json.dumps(head)[:-1]}, "data": {self._data}}}'.encode()


class Endpoint:
    """An endpoint with this metadata."""

    def __init__(self, *, id="ep_test", url="https://receiver.example/hook", metadata=None):
        self._id, self._url, self._metadata = id, url, metadata or {}

    def id(self):
        return self._id

    def url(self):
        return self._url

    def metadata(self, name):
        return self._metadata.get(name)


NOTHING = object()


def at(value, pointer):
    """RFC 6901."""
    if pointer == "":
        return value
    if not pointer.startswith("/"):
        return NOTHING
    for name in (name.replace("~1", "/").replace("~0", "~") for name in pointer[1:].split("/")):
        if isinstance(value, dict) and name in value:
            value = value[name]
        elif isinstance(value, list) and name.isdecimal() and int(name) < len(value):
            value = value[int(name)]
        else:
            return NOTHING
    return value
