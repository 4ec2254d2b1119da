// Verifies recorded requests with the `standardwebhooks` library of npm, from `node_modules` of the working directory.
//
// One request a line on stdin:
// {"name", "headers": {...}, "body": base64, "verify": [secret, ...], "refuse": [secret, ...]}
//
// Each secret of `verify` has to verify the request and each of `refuse` must not. The answer is one line of JSON on
// stdout, {"verified": n, "refused": n, "failures": [sentence, ...]}, and exit code 1 if there is a failure.

import { createRequire } from "node:module";
import { createInterface } from "node:readline";

const require = createRequire(`${process.cwd()}/`);
const { Webhook, WebhookVerificationError } = require("standardwebhooks");

// Why the library does not verify the request, or null. Any other exception is a fault of its own.
function refusal(request, body, secret) {
  try {
    new Webhook(secret).verify(body, request.headers);
    return null;
  } catch (error) {
    if (error instanceof WebhookVerificationError) return error.message;
    throw error;
  }
}

async function main() {
  const summary = { verified: 0, refused: 0, failures: [] };
  for await (const line of createInterface({ input: process.stdin, crlfDelay: Infinity })) {
    const request = JSON.parse(line);
    const body = Buffer.from(request.body, "base64");
    for (const secret of [...request.verify, ...request.refuse]) {
      const isGood = request.verify.includes(secret);
      try {
        const reason = refusal(request, body, secret);
        if (isGood && reason !== null) summary.failures.push(`${request.name}: refused: ${reason}`);
        else if (!isGood && reason === null) summary.failures.push(`${request.name}: verified, but should not be`);
        else if (isGood) summary.verified += 1;
        else summary.refused += 1;
      } catch (error) {
        summary.failures.push(`${request.name}: ${error}`);
      }
    }
  }
  console.log(JSON.stringify(summary));
  process.exitCode = summary.failures.length > 0 ? 1 : 0;
}

main();
