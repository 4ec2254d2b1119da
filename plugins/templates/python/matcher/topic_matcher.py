"""A language for topics in which a pattern accepts every topic that begins with it."""

from typing import List

from componentize_py_types import Err
from wit_world.exports import topic_matcher


class Matcher(topic_matcher.Matcher):
    """The patterns of one endpoint."""

    def __init__(self, beginnings: List[str]) -> None:
        self.beginnings = tuple(beginnings)

    @classmethod
    def compile(cls, patterns: List[str]) -> "Matcher":
        """Once for the patterns of an endpoint: compile and parse here."""
        if "" in patterns:
            number = patterns.index("") + 1
            raise Err(f"pattern {number} is empty: write how topics begin, such as `orders/`")
        return cls(patterns)

    def matches(self, topic: str) -> bool:
        """The same answer for the same topic, always: the gateway keeps it."""
        return topic.startswith(self.beginnings)
