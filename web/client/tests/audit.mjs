// The second verifier on files: paths of bundles as a JSON array on stdin, a JSON array of reports on stdout.

import { readFileSync } from "node:fs";

import { audit } from "../../static/js/audit/audit.js";

const reports = [];
for (const path of JSON.parse(readFileSync(0, "utf8"))) {
  const begun = performance.now();
  const { ok, checks } = await audit(new Uint8Array(readFileSync(path)));
  reports.push({ ok, ms: performance.now() - begun, checks });
}
process.stdout.write(JSON.stringify(reports));
