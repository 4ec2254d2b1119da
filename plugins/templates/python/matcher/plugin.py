"""The entry point. What the plugin does is in the module that the contract names after its interface: `topic_matcher`."""

from topic_matcher import Matcher  # noqa: F401
