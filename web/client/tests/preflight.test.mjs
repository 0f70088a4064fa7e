import assert from "node:assert/strict";
import { test } from "node:test";

import { preflight as checkUp } from "../../static/js/preflight.js";
import { anIdentity } from "./support.mjs";

const SPEECH = { language: "en", words: { "ui.network": "The server cannot be reached." } };
const T0 = Date.parse("2026-11-21T01:00:00Z");
const clock = (offset, reached = true) => ({ measure: async () => reached, offset: () => offset });
const GOOD = { ahead: 180, uncertainty: 21 };

const DEVICE = { send: async () => 100, missing: () => [], stores: async () => true };
const preflight = (clock, identity, t0, speech, device = DEVICE) => checkUp(clock, identity, t0, speech, device);

const values = (findings) => Object.fromEntries(Object.entries(findings).map(([name, { value }]) => [name, value]));

test("a device that is ready passes every check", async () => {
  const findings = await preflight(clock(GOOD), await anIdentity(), T0, SPEECH);
  assert.deepEqual(new Set(Object.values(values(findings))), new Set(["pass"]));
  assert.equal(findings.link.detail, "42 ms");
  assert.equal(findings.clock.detail, "+0.18 s");
});

test("without keys what needs them is not checked, and is not said to be well", async () => {
  const found = values(await preflight(clock(GOOD), null, T0, SPEECH));
  assert.deepEqual(found, {
    clock: "pass", speed: "pass", features: "pass", storage: "pass", link: "pass", sign: "skip", open: "skip", expiry: "skip",
  });
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

const only = async (device) => values(await preflight(clock(GOOD), null, T0, SPEECH, { ...DEVICE, ...device }));

test("a line on which a release would crawl fails, and one that cannot be measured is not judged", async () => {
  assert.equal((await only({ send: async () => 60_000 })).speed, "fail");
  assert.equal((await only({ send: async () => Promise.reject(new Error("429")) })).speed, "skip");
});

test("a browser that lacks something is told what", async () => {
  const found = await preflight(clock(GOOD), null, T0, SPEECH, { ...DEVICE, missing: () => ["WebCrypto"] });
  assert.deepEqual(found.features, { value: "fail", detail: "WebCrypto" });
});

test("a browser that keeps nothing fails", async () => {
  assert.equal((await only({ stores: async () => false })).storage, "fail");
});
