import assert from "node:assert/strict";
import { test } from "node:test";

import { concat } from "../../static/js/bytes.js";
import * as der from "../../static/js/der.js";
import { openSlot, readSlot, sealSlot } from "../../static/js/slots.js";
import { aPair, edited, flipped, refusal, someBytes } from "./support.mjs";

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

// Where things are in ContentInfo { type, [0] { AuthEnvelopedData { version, { recipient }, content, mac } } }.
const [TYPE, VERSION, RECIPIENTS, ENCRYPTED, MAC] = [[0], [1, 0, 0], [1, 0, 1], [1, 0, 2], [1, 0, 3]];
const RECIPIENT = [...RECIPIENTS, 0];
const two = der.integer(2);
const data = der.objectId("1.2.840.113549.1.7.1");
const inside = (element) => der.children(der.read(element)).map(({ raw }) => raw);

for (const [why, kind, path, change] of [
  ["another type", "P-256", TYPE, () => data],
  ["another version", "P-256", VERSION, () => two],
  ["two recipients", "P-256", RECIPIENTS, (set) => der.setOf(...inside(set), ...inside(set))],
  ["attributes", "P-256", [1, 0], (whole) => der.write(0x30, ...inside(whole), der.write(0xa2))],
  ["a type of content that is not data", "P-256", [...ENCRYPTED, 0], () => two],
  ["AES-128", "P-256", [...ENCRYPTED, 1, 0], () => der.objectId("2.16.840.1.101.3.4.1.6")],
  ["a tag of 12 bytes", "P-256", [...ENCRYPTED, 1, 1, 1], () => der.integer(12)],
  ["a nonce of 16 bytes", "P-256", [...ENCRYPTED, 1, 1, 0], () => der.octetString(new Uint8Array(16))],
  ["31 bytes of content", "P-256", [...ENCRYPTED, 2], () => der.write(0x80, new Uint8Array(31))],
  ["a short tag", "P-256", MAC, () => der.octetString(new Uint8Array(15))],
  ["a recipient of another version", "P-256", [...RECIPIENT, 0], () => two],
  ["a recipient of another version", "RSA", [...RECIPIENT, 0], () => two],
  ["an originator on another curve", "P-256", [...RECIPIENT, 1, 0, 0], () => der.sequence(der.objectId("1.2.840.10045.2.1"), der.objectId("1.3.132.0.34"))],
  ["a compressed point", "P-256", [...RECIPIENT, 1, 0, 1], () => der.bitStringOf(Uint8Array.of(2, ...new Uint8Array(32)))],
  ["key derivation by SHA-1", "P-256", [...RECIPIENT, 2, 0], () => der.objectId("1.3.133.16.840.63.0.2")],
  ["another key wrap", "P-256", [...RECIPIENT, 2, 1], () => der.sequence(der.objectId("2.16.840.1.101.3.4.1.5"))],
  ["a wrapped key of another length", "P-256", [...RECIPIENT, 3, 0, 1], () => der.octetString(new Uint8Array(24))],
  ["PKCS#1 v1.5", "RSA", [...RECIPIENT, 2], () => der.sequence(der.objectId("1.2.840.113549.1.1.1"), der.nothing())],
  ["OAEP with a label", "RSA", [...RECIPIENT, 2, 1], (oaep) => der.write(0x30, ...inside(oaep), der.write(0xa2, two))],
  ["more than 8 KiB", "RSA", [...RECIPIENT, 3], () => der.octetString(new Uint8Array(8192))],
]) {
  test(`a slot for ${kind} with ${why} is malformed`, async () => {
    const own = await aPair("encrypt", { kind });
    const slot = edited(await sealSlot(CONTENT, own.certificate), path, change);
    assert.throws(() => readSlot(slot), refusal("malformed_slot"));
  });
}

test("nothing is sealed to a key that cannot be unwrapped", async () => {
  const { certificate } = await aPair("sign", { kind: "P-384" });
  await assert.rejects(sealSlot(CONTENT, certificate), refusal("weak_key"));
});
