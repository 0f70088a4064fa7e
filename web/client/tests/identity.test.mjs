import assert from "node:assert/strict";
import { test } from "node:test";

import { identityOf, rehearse } from "../../static/js/identity.js";
import { anIdentity, aPair, refusal } from "./support.mjs";

test("a pair to sign and a pair to encrypt make an identity, in any order", async () => {
  const { sign, encrypt } = await anIdentity();
  assert.deepEqual(identityOf([encrypt, sign]), { sign, encrypt });
});

test("certificates of two subjects, one alone, or two to sign make no identity", async () => {
  const [one, two] = [await anIdentity({ bidder: "91330100MA0000000A" }), await anIdentity({ bidder: "91330100MA0000000B" })];
  for (const pairs of [[one.sign, two.encrypt], [one.sign], [one.encrypt], [one.sign, two.sign, one.encrypt]]) {
    assert.throws(() => identityOf(pairs), refusal("pair_mismatch"));
  }
});

for (const [purpose, kind] of [["sign", "P-256"], ["sign", "P-384"], ["sign", "RSA"], ["encrypt", "P-256"], ["encrypt", "RSA"]]) {
  test(`a rehearsal to ${purpose} with ${kind} passes, and fails with another's key`, async () => {
    const pair = await aPair(purpose, { kind });
    await rehearse(pair);
    const other = await aPair(purpose, { kind });
    await assert.rejects(rehearse({ ...pair, key: other.key }), refusal("pair_mismatch"));
  });
}
