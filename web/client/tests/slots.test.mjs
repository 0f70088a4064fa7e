import assert from "node:assert/strict";
import { test } from "node:test";

import { concat } from "../../static/js/bytes.js";
import { openSlot, readSlot, sealSlot } from "../../static/js/slots.js";
import { aPair, flipped, refusal, someBytes } from "./support.mjs";

const CONTENT = someBytes(32);

for (const kind of ["P-256", "RSA"]) {
  test(`a slot for ${kind} opens with its key and no other`, async () => {
    const own = await aPair("encrypt", { kind });
    const slot = await sealSlot(CONTENT, own.certificate);
    assert.deepEqual(await openSlot(slot, own), CONTENT);
    await assert.rejects(openSlot(slot, await aPair("encrypt", { kind })), refusal("wrong_recipient"));
    const wrongKey = { ...own, key: (await aPair("encrypt", { kind })).key };
    await assert.rejects(openSlot(slot, wrongKey), refusal("slot_not_openable"));
  });

  test(`a changed bit of a slot for ${kind} is refused wherever it is`, async () => {
    const own = await aPair("encrypt", { kind });
    const slot = await sealSlot(CONTENT, own.certificate);
    for (let at = 0; at < slot.length; at += 3) {
      const codes = ["malformed_slot", "wrong_recipient", "slot_not_openable"];
      await assert.rejects(openSlot(flipped(slot, at), own), (error) => codes.includes(error.code));
    }
  });
}

test("content of another length than a key does not come out", async () => {
  const own = await aPair("encrypt");
  await assert.rejects(openSlot(await sealSlot(someBytes(31), own.certificate), own), refusal("malformed_slot"));
});

test("a slot with something after it, or over its limit, is malformed", async () => {
  const { certificate } = await aPair("encrypt");
  const slot = await sealSlot(CONTENT, certificate);
  assert.throws(() => readSlot(concat(slot, Uint8Array.of(0))), refusal("malformed_slot"));
  assert.throws(() => readSlot(concat(slot, new Uint8Array(8192))), refusal("malformed_slot"));
});

test("nothing is sealed to a key that cannot be unwrapped", async () => {
  const { certificate } = await aPair("sign", { kind: "P-384" });
  await assert.rejects(sealSlot(CONTENT, certificate), refusal("weak_key"));
});
