// The second verifier on files: on stdin paths of bundles and what somebody kept beside them, on stdout the reports.

import { readFileSync } from "node:fs";

import { audit } from "../../static/js/audit/audit.js";

const reports = [];
const { paths, kept } = JSON.parse(readFileSync(0, "utf8"));
for (const path of paths) {
  const begun = performance.now();
  const { ok, checks } = await audit(new Uint8Array(readFileSync(path)), undefined, kept);
  reports.push({ ok, ms: performance.now() - begun, checks });
}
process.stdout.write(JSON.stringify(reports));
