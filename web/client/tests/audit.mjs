// The second verifier on files: on stdin paths of bundles and what somebody kept beside them (of the log, and a
// receipt in base64), on stdout the reports. `twice`: with the later checks made ahead, as on the page.

import { readFileSync } from "node:fs";

import { ahead, audit } from "../../static/js/audit/audit.js";

const reports = [];
const { paths, kept, receipt, twice } = JSON.parse(readFileSync(0, "utf8"));
const beside = typeof receipt === "string" ? new Uint8Array(Buffer.from(receipt, "base64")) : null;
for (const path of paths) {
  const begun = performance.now();
  const bundle = new Uint8Array(readFileSync(path));
  const late = twice === true ? ahead(bundle) : null; // as a second worker makes it on the page
  const { ok, checks, verdict } = await audit(bundle, undefined, kept, beside, late);
  reports.push({ ok, ms: performance.now() - begun, checks, verdict });
}
process.stdout.write(JSON.stringify(reports));
