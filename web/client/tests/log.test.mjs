// The log in the public page: the chain of facts, consistency, what is kept between visits, and one row.

import assert from "node:assert/strict";
import { createHash, generateKeyPairSync, sign } from "node:crypto";
import { readdirSync, readFileSync } from "node:fs";
import { test } from "node:test";

import { leafOf, nodeOf, Tree } from "../../static/js/audit/tree.js";
import { base64, base64url, concat, hex, utf8 } from "../../static/js/bytes.js";
import { canonicalText } from "../../static/js/canonical.js";
import { Facts, rootOf, wholeChain } from "../../static/js/log/facts.js";
import { grew } from "../../static/js/log/grown.js";
import { compare, evidence, ForeignKey, keep, openNote, recall, stands } from "../../static/js/log/keep.js";
import { checkRow } from "../../static/js/log/row.js";

const WIRE = new URL("../../../tests/vectors/wire/", import.meta.url);
const SESSION = "zb-2026-001-1";
const public_ = JSON.parse(readFileSync(new URL("public.json", WIRE), "utf8")).messages;
const session = public_[0].data.plan.session;

// -- the chain

for (const file of readdirSync(WIRE)) {
  const { messages, audience } = JSON.parse(readFileSync(new URL(file, WIRE), "utf8"));
  if (messages === undefined) continue;
  test(`${file}: the facts that ${audience ?? "anybody"} gets are one chain, private parts included`, async () => {
    assert.equal(await wholeChain(messages[0].data.plan.session, messages), null);
  });
}

test("a fact that says something else than its digest is found", async () => {
  for (const changed of [{ actor: "nobody" }, { at: "2026-01-01T00:00:00.000Z" }, { type: "Other" }, { data: {} }]) {
    const facts = public_.map((fact) => (fact.n === 5 ? { ...fact, ...changed } : fact));
    assert.deepEqual(await wholeChain(session, facts), { n: 5, why: "digest" });
  }
});

test("the facts of another session are found", async () => {
  assert.deepEqual(await wholeChain("another", public_), { n: 1, why: "digest" });
});

test("a private part that was not committed to is found", async () => {
  const { messages } = JSON.parse(readFileSync(new URL("supervisor.json", WIRE), "utf8"));
  const { n } = messages.find((fact) => fact.private !== undefined);
  const facts = messages.map((fact) => (fact.n === n ? { ...fact, private: { ...fact.private, value: { x: 1 } } } : fact));
  assert.deepEqual(await wholeChain(session, facts), { n, why: "private" });
});

test("a fact that is left out is found in a whole chain", async () => {
  assert.deepEqual(await wholeChain(session, public_.filter(({ n }) => n !== 4)), { n: 4, why: "prev" });
});

test("a page that comes in late takes the facts in any order, and twice", () => {
  const facts = new Facts(session);
  assert.equal(facts.pin(10, public_[9].digest), null);
  for (const n of [12, 11, 13, 12]) assert.equal(facts.add(public_[n - 1]), null);
  assert.equal(facts.checked, 3);
});

test("a fact that was chained to another history is found, before or after its neighbour", () => {
  const anew = (fact, prev) => {
    const { n, at, type, actor, data } = fact;
    const core = { stream: `${session}/opening`, n, at, type, actor, data, private: fact.private_digest, prev };
    return { ...fact, prev, digest: createHash("sha256").update(canonicalText(core)).digest("hex") };
  };
  const other = anew(public_[10], "ab".repeat(32));
  const late = new Facts(session);
  assert.equal(late.pin(10, public_[9].digest), null);
  assert.deepEqual(late.add(other), { n: 11, why: "prev" });
  const early = new Facts(session);
  assert.equal(early.add(public_[11]), null);
  assert.deepEqual(early.add(other), { n: 11, why: "other" });
});

test("a view whose head is of another history is found", () => {
  const facts = new Facts(session);
  facts.add(public_[0]);
  assert.deepEqual(facts.pin(1, "ab".repeat(32)), { n: 1, why: "other" });
});

// -- consistency (the proofs are made by the definition in RFC 9162 section 2.1.4.1)

const entry = (i) => new Uint8Array(createHash("sha256").update(String(i)).digest());
const entries = Array.from({ length: 20 }, (_, i) => entry(i));
const split = (n) => 2 ** Math.floor(Math.log2(n - 1));
const rootOver = (all) => (all.length === 1 ? leafOf(all[0]) : nodeOf(rootOver(all.slice(0, split(all.length))), rootOver(all.slice(split(all.length)))));
const head = (size) => {
  const tree = new Tree();
  for (const each of entries.slice(0, size)) tree.add(each);
  return { size, root: tree.root() };
};
function proofOf(m, all, whole = true) {
  if (m === all.length) return whole ? [] : [rootOver(all)];
  const k = split(all.length);
  return m <= k ? [...proofOf(m, all.slice(0, k), whole), rootOver(all.slice(k))] : [...proofOf(m - k, all.slice(k), false), rootOver(all.slice(0, k))];
}

test("every size of a log is shown to continue every smaller one, and nothing else is", () => {
  for (let next = 1; next <= entries.length; next++) {
    for (let old = 1; old <= next; old++) {
      const path = proofOf(old, entries.slice(0, next));
      assert.ok(grew(head(old), head(next), path), `${old} to ${next}`);
      const forged = { size: old, root: entry("another") };
      assert.ok(!grew(forged, head(next), path), `forged ${old} to ${next}`);
      if (old === next) continue;
      assert.ok(!grew(head(old), { size: next, root: entry("another") }, path), `${old} to forged ${next}`);
      assert.ok(!grew(head(old), head(next), [...path, entry("more")]), `${old} to ${next}, a hash too many`);
      assert.ok(!grew(head(old), head(next), path.slice(0, -1)), `${old} to ${next}, a hash too few`);
    }
  }
});

test("a log never shrinks", () => assert.ok(!grew(head(5), head(3), [])));

// -- what is kept

const { publicKey, privateKey } = generateKeyPairSync("ed25519");
const raw = new Uint8Array(publicKey.export({ format: "der", type: "spki" }).subarray(-32));
const ORIGIN = `hall.example/s/${SESSION}`;
const pinned = { v: 1, origin: ORIGIN, kid: "k", key: base64url(raw), first: "0", witnesses: [], quorum: 0 };

function note({ size, root }, { origin = ORIGIN, key = privateKey, over = raw } = {}) {
  const text = `${origin}\n${size}\n${base64(root)}\n`;
  const id = createHash("sha256").update(concat(utf8(`${origin}\n`), Uint8Array.of(1), over)).digest().subarray(0, 4);
  return `${text}\n— ${origin} ${base64(concat(id, sign(null, utf8(text), key)))}\n`;
}

const opened = (of, how) => openNote(note(of, how), pinned);
const lines = (path) => path.map((each) => `${base64(each)}\n`).join("");
const honest = async (old, next) => lines(proofOf(old, entries.slice(0, next)));

test("a later checkpoint of the same log is a log that grew", async () => {
  assert.deepEqual(await compare(await opened(head(5)), await opened(head(9)), honest), { kind: "grown" });
  assert.deepEqual(await compare(await opened(head(9)), await opened(head(9)), honest), { kind: "same" });
  assert.deepEqual(await compare(await opened(head(9)), await opened(head(5)), honest), { kind: "older" });
});

test("the same size with another root is a split view", async () => {
  const other = { size: 9, root: entry("another") };
  assert.deepEqual(await compare(await opened(head(9)), await opened(other), honest), { kind: "split", why: "root", proof: "" });
});

test("a log that does not continue the kept one is a split view, whatever is offered as its proof", async () => {
  const other = { size: 9, root: entry("another") };
  const proof = await honest(5, 9);
  assert.deepEqual(await compare(await opened(head(5)), await opened(other), honest), { kind: "split", why: "path", proof });
  assert.equal((await compare(await opened(head(5)), await opened(other), async () => null)).why, "path");
  assert.equal((await compare(await opened(head(9)), await opened(head(5)), async () => null)).why, "short");
});

test("no network is no split view", async () => {
  const cut = () => Promise.reject(new Error("cut"));
  await assert.rejects(compare(await opened(head(5)), await opened(head(9)), cut), /cut/);
});

test("a checkpoint by another key, or of another log, is not the hall's", async () => {
  const other = generateKeyPairSync("ed25519");
  await assert.rejects(opened(head(5), { key: other.privateKey }), ForeignKey);
  await assert.rejects(opened(head(5), { origin: "hall.example/s/other" }), ForeignKey);
  const portal = openNote("<html>Please log in</html>", pinned);
  await assert.rejects(portal, (error) => !(error instanceof ForeignKey));
});

test("what is kept comes back, and what is damaged counts as nothing", () => {
  const held = new Map();
  const storage = { getItem: (name) => held.get(name) ?? null, setItem: (name, text) => held.set(name, text) };
  const kept = { ...pinned, note: note(head(5)), at: "2026-11-22T00:00:00.000Z" };
  assert.equal(recall(storage, SESSION), null);
  keep(storage, SESSION, kept);
  assert.deepEqual(recall(storage, SESSION), kept);
  for (const damaged of ["", "{", "[]", '{"v":2}', '{"v":1}']) {
    held.set(`kaibiao-log/${SESSION}`, damaged);
    assert.equal(recall(storage, SESSION), null);
  }
});

test("the file of a dispute has both notes to the letter", () => {
  const [one, two] = [note(head(5)), note({ size: 5, root: entry("another") })];
  const text = evidence(SESSION, { why: "root", at: "2026-11-22T00:00:00.000Z", held: one, shown: two, proof: "" });
  assert.ok(text.includes(one) && text.includes(two));
});

// -- a fact in the log

test("a fact stands in the log at its own place and at no other", async () => {
  const size = public_.length;
  const tree = { size, root: rootOf(public_, size) };
  const leaves = public_.map(({ digest }) => Uint8Array.from(Buffer.from(digest, "hex")));
  const pathTo = (m, all) => {
    if (all.length === 1) return [];
    const k = split(all.length);
    return m < k ? [...pathTo(m, all.slice(0, k)), rootOver(all.slice(k))] : [...pathTo(m - k, all.slice(k)), rootOver(all.slice(0, k))];
  };
  const proof = (n) => `c2sp.org/tlog-proof@v1\nindex ${n - 1}\n${lines(pathTo(n - 1, leaves))}\n${note(tree)}`;
  const open = (text) => openNote(text, pinned);
  for (const { n, digest } of public_) assert.ok((await stands(proof(n), n, digest, open)).holds, `fact ${n}`);
  assert.ok(!(await stands(proof(3), 4, public_[3].digest, open)).holds);
  assert.ok(!(await stands(proof(3), 3, public_[3].digest, open)).holds);
});

// -- a row

const outcomes = (found) => Object.fromEntries(found.map(({ id, outcome }) => [id, outcome]));

test("a row whose header is another bid's does not hold, and a root that is not the headers' neither", async () => {
  const { bidder, quote } = public_.find(({ type }) => type === "BidOpened").data;
  const frozen = public_.find(({ type }) => type === "SetFrozen");
  const published = { header: base64url(utf8("{}")), sealed: null, key: null };
  const found = outcomes(await checkRow(public_, 1, bidder, quote, published));
  assert.deepEqual([found.header, found.key, found.quote], ["no", "none", "none"]);
  const forged = public_.map((fact) => (fact === frozen ? { ...fact, data: { ...fact.data, root: hex(entry("another")) } } : fact));
  assert.equal(outcomes(await checkRow(forged, 1, bidder, quote, published)).root, "no");
});

test("without what the hall publishes of a bid nothing is said of it", async () => {
  const { bidder, quote } = public_.find(({ type }) => type === "BidOpened").data;
  const found = outcomes(await checkRow(public_, 1, bidder, quote, null));
  assert.deepEqual([found.header, found.key, found.quote], ["none", "none", "none"]);
});

test("a bid that was opened before the barrier is found", async () => {
  const { bidder, quote } = public_.find(({ type }) => type === "BidOpened").data;
  const early = public_.filter(({ type }) => type !== "BarrierPassed");
  assert.equal(outcomes(await checkRow(early, 1, bidder, quote, null)).order, "no");
});
