"""What schemathesis does not know by itself: bodies of these types are texts and are sent as they are."""

import schemathesis

schemathesis.serializer.alias(["application/x-ndjson", "application/toml"], "text/plain")
