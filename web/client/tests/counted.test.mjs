// A bidder's receipt against the log of receipts that was closed at the opening time.

import assert from "node:assert/strict";
import { createHash, generateKeyPairSync, sign } from "node:crypto";
import { test } from "node:test";

import { leafOf, nodeOf, Tree } from "../../static/js/audit/tree.js";
import { base64, base64url, concat, hex, utf8 } from "../../static/js/bytes.js";
import { canonical } from "../../static/js/canonical.js";
import { readHallKey } from "../../static/js/jws.js";
import { bundlePath, counted, evidenceFile } from "../../static/js/log/counted.js";
import { logLeaf } from "../../static/js/receipt.js";
import { refusal } from "./support.mjs";

const SESSION = "zb-1";
const sha = (...parts) => createHash("sha256").update(concat(...parts)).digest();
const { publicKey, privateKey } = generateKeyPairSync("ed25519");
const raw = new Uint8Array(publicKey.export({ format: "der", type: "spki" }).subarray(-32));
const document = { v: 1, alg: "Ed25519", kid: base64url(sha(raw).subarray(0, 16)), x: base64url(raw) };
const hall = await readHallKey(document);

function receiptOf(changes = {}) {
  const digest = "ab".repeat(32);
  const payload = {
    v: 1, session: SESSION, tender: "t", lot: "1", bidder: "91330100MA0000000A", header_sha256: digest, root: digest,
    declaration_sha256: digest, leaf_salt: digest, length: 1000, received_at: "2026-11-22T00:00:00.000Z", ...changes,
  };
  const head = { alg: "Ed25519", kid: hall.kid, typ: "kaibiao-receipt+jws" };
  const text = `${base64url(canonical(head))}.${base64url(canonical(payload))}`;
  return { payload, token: `${text}.${base64url(sign(null, utf8(text), privateKey))}` };
}

const mine = receiptOf();
const leaf = await logLeaf(mine.payload, mine.payload.leaf_salt);
const decoys = Array.from({ length: 600 }, (_, i) => sha(utf8(`decoy ${i}`)));
const AT = 300;
const entries = decoys.map((decoy, i) => (i === AT ? leaf : new Uint8Array(decoy)));
const without = decoys.map((decoy) => new Uint8Array(decoy));

const rootOver = (all) => all.reduce((tree, each) => (tree.add(each), tree), new Tree()).root();
const split = (n) => 2 ** Math.floor(Math.log2(n - 1));
const over = (leaves) => (leaves.length === 1 ? leaves[0] : nodeOf(over(leaves.slice(0, split(leaves.length))), over(leaves.slice(split(leaves.length)))));
const lines = (hashes) => hashes.map((each) => `${base64(each)}\n`).join("");

function way(m, leaves) {
  if (leaves.length === 1) return [];
  const k = split(leaves.length);
  return m < k ? [...way(m, leaves.slice(0, k)), over(leaves.slice(k))] : [...way(m - k, leaves.slice(k)), over(leaves.slice(0, k))];
}

function growth(m, leaves, whole = true) {
  if (m === leaves.length) return whole ? [] : [over(leaves)];
  const k = split(leaves.length);
  return m <= k ? [...growth(m, leaves.slice(0, k), whole), over(leaves.slice(k))] : [...growth(m - k, leaves.slice(k), false), over(leaves.slice(0, k))];
}

function fileOf(all, index, { session = SESSION } = {}) {
  const origin = `hall.example/s/${session}/intake`;
  const text = `${origin}\n${all.length}\n${base64(rootOver(all))}\n`;
  const id = sha(utf8(`${origin}\n`), Uint8Array.of(1), raw).subarray(0, 4);
  const note = `${text}\n— ${origin} ${base64(concat(id, sign(null, utf8(text), privateKey)))}\n`;
  const proof = `c2sp.org/tlog-proof@v1\nindex ${index}\n${lines(way(index, all.map(leafOf)))}\n${note}`;
  return JSON.stringify({ v: 1, receipt: mine.token, hall_key: document, proof, stamps: [] });
}

/** A hall that closed the log `closed`, and gives `file` and the entries of `shown`. */
function aHall(closed, { file = null, shown = closed, cut = false } = {}) {
  const frozen = { n: 5, type: "SetFrozen", data: { intake_log_size: closed.length, intake_log_root: hex(rootOver(closed)) } };
  const answer = (path, said) => (cut ? Promise.reject(new Error(`no answer for ${path}`)) : Promise.resolve(said));
  return {
    history: [{ n: 1, type: "OpeningAnnounced", data: {} }, frozen],
    text: (path) => {
      const [, old, next] = /old=(\d+)&new=(\d+)/.exec(path) ?? [];
      if (old === undefined) return answer(path, file);
      const all = shown.slice(0, Number(next)).map(leafOf);
      return answer(path, Number(next) > shown.length ? null : lines(growth(Number(old), all)));
    },
    bytes: (path) => {
      const [, name, width] = /entries\/(\d{3})(?:\.p\/(\d+))?$/.exec(path);
      const found = shown.slice(256 * Number(name), 256 * Number(name) + Number(width ?? 256));
      return answer(path, found.length === 0 ? null : concat(...found.flatMap((each) => [Uint8Array.of(0, 32), each])));
    },
  };
}

const look = (where, kept = null) => counted(mine.token, hall, where.history, where, kept);

test("a receipt whose proof leads to the closed log, or to its beginning, counts", async () => {
  for (const size of [600, 512, 301]) {
    assert.equal(await look(aHall(entries, { file: fileOf(entries.slice(0, size), AT) })), "in", `proof at ${size}`);
  }
});

test("a receipt without a proof is looked for in the log itself", async () => {
  assert.equal(await look(aHall(entries)), "in");
  const early = JSON.stringify({ v: 1, receipt: mine.token, hall_key: document, proof: null, stamps: [] });
  assert.equal(await look(aHall(entries, { file: early })), "in");
});

test("a closed log without the receipt contradicts it, and the evidence says what was fixed", async () => {
  const hall_ = aHall(without);
  await assert.rejects(look(hall_), refusal("not_logged"));
  const error = await look(hall_).catch((caught) => caught);
  const file = JSON.parse(evidenceFile(SESSION, new Date(0), error.code, error.evidence));
  assert.deepEqual([file.code, file.receipt, file.set_frozen], ["not_logged", mine.token, hall_.history[1]]);
});

test("a proof in another log than the closed one contradicts it", async () => {
  const file = fileOf(entries.slice(0, 512), AT);
  await assert.rejects(look(aHall(without, { file })), refusal("wrong_log"));
  await assert.rejects(look(aHall(without, { file: fileOf(entries, AT) })), refusal("wrong_log"));
  const late = [...without, leaf];
  await assert.rejects(look(aHall(without, { file: fileOf(late, 600), shown: late })), refusal("wrong_log"));
});

test("a proof in the log of another session is none", async () => {
  const file = fileOf(entries, AT, { session: "zb-2" });
  assert.equal(await look(aHall(entries, { file })), "in"); // read from the log itself
  await assert.rejects(look(aHall(without, { file })), refusal("not_logged"));
});

test("no answer, too little of one, or bytes that nobody signed convict nobody", async () => {
  assert.equal(await look(aHall(entries, { cut: true })), "unknown");
  assert.equal(await look(aHall(without, { shown: [] })), "unknown");
  assert.equal(await look(aHall(entries, { shown: without })), "unknown");
  assert.equal(await look(aHall(without, { shown: without.slice(0, 500) })), "unknown");
  assert.equal(await look({ ...aHall(entries), history: [] }), "unknown");
});

test("an opening announced without a log of receipts has none to look in", async () => {
  const frozen = { n: 5, type: "SetFrozen", data: { intake_log_size: null, intake_log_root: null } };
  assert.equal(await look({ ...aHall(entries), history: [frozen] }), "without");
});

test("a newer receipt that this browser kept contradicts an older bid, and nothing else does", async () => {
  const { token: newer } = receiptOf({ received_at: "2026-11-22T00:00:01.000Z" });
  const { token: older } = receiptOf({ received_at: "2026-11-21T00:00:00.000Z" });
  const { token: strange } = receiptOf({ received_at: "2026-11-22T00:00:01.000Z", session: "zb-2" });
  const damaged = `${newer.slice(0, -20)}${newer.at(-20) === "A" ? "B" : "A"}${newer.slice(-19)}`;
  await assert.rejects(look(aHall(entries), newer), refusal("older_bid"));
  for (const kept of [mine.token, older, strange, damaged, ""]) assert.equal(await look(aHall(entries), kept), "in");
});

test("bundles are asked for by their C2SP names", () => {
  assert.deepEqual([[0, 256], [7, 12], [1234, 256], [1234567, 1]].map(([i, w]) => bundlePath(i, w)), [
    "entries/000", "entries/007.p/12", "entries/x001/234", "entries/x001/x234/567.p/1",
  ]);
});
