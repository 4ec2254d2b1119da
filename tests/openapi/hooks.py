"""What schemathesis does not know by itself: bodies of these types are texts or bytes and are sent as they are."""

import schemathesis

schemathesis.serializer.alias(["application/x-ndjson", "application/toml"], "text/plain")
schemathesis.serializer.alias("application/wasm", "application/octet-stream")
