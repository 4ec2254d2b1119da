"""Verifies recorded requests with the `standardwebhooks` library of PyPI.

One request a line on stdin:
{"name", "headers": {...}, "body": base64, "verify": [secret, ...], "refuse": [secret, ...]}

Each secret of `verify` has to verify the request and each of `refuse` must not. The answer is one line of JSON on stdout,
{"verified": n, "refused": n, "failures": [sentence, ...]}, and exit code 1 if there is a failure.
"""

import base64
import json
import sys

from standardwebhooks import Webhook, WebhookVerificationError


def refusal(request, body, secret):
    """Why the library does not verify the request, or None. Any other exception is a fault of its own."""
    try:
        Webhook(secret).verify(body, request["headers"])
        return None
    except WebhookVerificationError as error:
        return str(error)


def main():
    verified, refused, failures = 0, 0, []
    for line in sys.stdin.buffer:
        request = json.loads(line)
        body = base64.b64decode(request["body"])
        for secret in request["verify"] + request["refuse"]:
            is_good = secret in request["verify"]
            try:
                reason = refusal(request, body, secret)
            except Exception as error:
                failures.append(f"{request['name']}: {error!r}")
                continue
            if is_good and reason is not None:
                failures.append(f"{request['name']}: refused: {reason}")
            elif not is_good and reason is None:
                failures.append(f"{request['name']}: verified, but should not be")
            elif is_good:
                verified += 1
            else:
                refused += 1
    print(json.dumps({"verified": verified, "refused": refused, "failures": failures}))
    return 1 if failures else 0


sys.exit(main())
