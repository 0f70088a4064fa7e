// The second verifier on files: on stdin paths of bundles and what somebody kept beside them (of the log, and a
// receipt in base64), on stdout the reports.

import { readFileSync } from "node:fs";

import { audit } from "../../static/js/audit/audit.js";

const reports = [];
const { paths, kept, receipt } = JSON.parse(readFileSync(0, "utf8"));
const beside = typeof receipt === "string" ? new Uint8Array(Buffer.from(receipt, "base64")) : null;
for (const path of paths) {
  const begun = performance.now();
  const { ok, checks, verdict } = await audit(new Uint8Array(readFileSync(path)), undefined, kept, beside);
  reports.push({ ok, ms: performance.now() - begun, checks, verdict });
}
process.stdout.write(JSON.stringify(reports));
