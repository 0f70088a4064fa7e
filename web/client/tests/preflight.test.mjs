import assert from "node:assert/strict";
import { test } from "node:test";

import { preflight } from "../../static/js/preflight.js";
import { anIdentity } from "./support.mjs";

const SPEECH = { language: "en", words: { "ui.network": "The server cannot be reached." } };
const T0 = Date.parse("2026-11-21T01:00:00Z");
const clock = (offset, reached = true) => ({ measure: async () => reached, offset: () => offset });
const GOOD = { ahead: 180, uncertainty: 21 };

const values = (findings) => Object.fromEntries(Object.entries(findings).map(([name, { value }]) => [name, value]));

test("a device that is ready passes every check", async () => {
  const findings = await preflight(clock(GOOD), await anIdentity(), T0, SPEECH);
  assert.deepEqual(new Set(Object.values(values(findings))), new Set(["pass"]));
  assert.equal(findings.link.detail, "42 ms");
  assert.equal(findings.clock.detail, "+0.18 s");
});

test("without keys what needs them is not checked, and is not said to be well", async () => {
  const found = values(await preflight(clock(GOOD), null, T0, SPEECH));
  assert.deepEqual(found, { clock: "pass", link: "pass", sign: "skip", open: "skip", expiry: "skip" });
});

test("a device whose clock is off is told so", async () => {
  assert.equal(values(await preflight(clock({ ahead: -3600_000, uncertainty: 5 }), null, T0, SPEECH)).clock, "fail");
});

test("a slow connection and none at all are told apart", async () => {
  assert.equal((await preflight(clock({ ahead: 0, uncertainty: 900 }), null, T0, SPEECH)).link.detail, "1800 ms");
  const gone = await preflight(clock(GOOD, false), null, T0, SPEECH);
  assert.deepEqual(gone.link, { value: "fail", detail: "The server cannot be reached." });
});

test("a key that is not its certificate's fails, and the other stands", async () => {
  const [mine, other] = [await anIdentity(), await anIdentity()];
  const mixed = { sign: mine.sign, encrypt: { ...mine.encrypt, key: other.encrypt.key } };
  const found = values(await preflight(clock(GOOD), mixed, T0, SPEECH));
  assert.deepEqual([found.sign, found.open], ["pass", "fail"]);
});

test("a certificate that ends on the day of the opening fails", async () => {
  const identity = await anIdentity();
  const end = identity.sign.certificate.notAfter.getTime();
  assert.equal(values(await preflight(clock(GOOD), identity, end - 3600_000, SPEECH)).expiry, "fail");
  assert.equal(values(await preflight(clock(GOOD), identity, end - 2 * 86_400_000, SPEECH)).expiry, "pass");
});
