import assert from "node:assert/strict";
import { test } from "node:test";

import { identityOf, rehearse } from "../../static/js/identity.js";
import { anIdentity, aPair, refusal } from "./support.mjs";

test("two files make an identity, and so does one with both keys", async () => {
  const { sign, encrypt } = await anIdentity();
  assert.deepEqual(identityOf({ pairs: [encrypt], others: [] }, { pairs: [sign], others: [] }), { sign, encrypt, issuers: [] });
  assert.deepEqual(identityOf({ pairs: [sign, encrypt], others: [] }), { sign, encrypt, issuers: [] });
});

test("an issuer that came with both files is kept once", async () => {
  const { sign, encrypt } = await anIdentity();
  const authority = { ...(await aPair("sign")).certificate, isAuthority: true };
  const { issuers } = identityOf({ pairs: [sign], others: [authority] }, { pairs: [encrypt], others: [{ ...authority }] });
  assert.deepEqual(issuers, [authority]);
});

test("certificates of two subjects, one alone, or two to sign make no identity", async () => {
  const [one, two] = [await anIdentity({ bidder: "91330100MA0000000A" }), await anIdentity({ bidder: "91330100MA0000000B" })];
  for (const pairs of [[one.sign, two.encrypt], [one.sign], [one.encrypt], [one.sign, two.sign, one.encrypt]]) {
    assert.throws(() => identityOf({ pairs, others: [] }), refusal("pair_mismatch"));
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
