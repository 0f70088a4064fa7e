// Receipt files and log proofs, by the golden vectors that every language runs (tests/vectors/crypto).

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";

import { hex, utf8 } from "../../static/js/bytes.js";
import { readHallKey } from "../../static/js/jws.js";
import { logLeaf, readReceiptFile, trackerCode, verifyLogged, verifyReceipt } from "../../static/js/receipt.js";
import { openCheckpoint, readProof, verifyProof } from "../../static/js/tlog.js";
import { refusal } from "./support.mjs";

const vectors = (name) =>
  JSON.parse(readFileSync(new URL(`../../../tests/vectors/crypto/${name}.json`, import.meta.url), "utf8"));
const receipts = vectors("receipt-file");
const logs = vectors("tlog");

test("a receipt file leads to the checkpoint in which its receipt stands", async () => {
  const file = await readReceiptFile(utf8(receipts.file));
  const checkpoint = await verifyLogged(file);
  assert.deepEqual([checkpoint.origin, checkpoint.size, hex(checkpoint.root)], [receipts.origin, receipts.size, receipts.root]);
  assert.equal((await verifyReceipt(file.token, file.hall)).tracker, receipts.receipt.tracker);
  assert.equal(await trackerCode(receipts.receipt.payload), receipts.receipt.tracker);
  assert.equal(hex(await logLeaf(receipts.receipt.payload, receipts.receipt.payload.leaf_salt)), receipts.receipt.entry);
});

test("a receipt file without a proof leads nowhere yet", async () => {
  assert.equal(await verifyLogged(await readReceiptFile(utf8(receipts.early))), null);
});

for (const { name, file, code } of receipts.refused) {
  test(`receipt file refused: ${name}`, async () => {
    await assert.rejects((async () => verifyLogged(await readReceiptFile(utf8(file))))(), refusal(code));
  });
}

test("a proof leads an entry to its checkpoint", async () => {
  const hall = await readHallKey(logs.hall);
  const { entry, text, index } = logs.proof;
  const proof = readProof(text);
  assert.equal(proof.index, index);
  const checkpoint = await verifyProof(proof, Uint8Array.from(Buffer.from(entry, "hex")), hall);
  assert.equal(checkpoint.size, logs.checkpoint.size);
  assert.equal(readProof(logs.proof_with_extra.text).index, index);
  await assert.rejects(verifyProof(proof, new Uint8Array(32), hall), refusal("wrong_proof"));
});

for (const { name, text } of logs.refused_proofs) {
  test(`proof refused: ${name}`, () => {
    assert.throws(() => readProof(text), refusal("malformed_proof"));
  });
}

for (const { name, note, code } of logs.refused_notes.filter(({ code }) => code.startsWith("malformed_"))) {
  test(`note refused: ${name}`, async () => {
    await assert.rejects(openCheckpoint(note, await readHallKey(logs.hall)), refusal(code));
  });
}
