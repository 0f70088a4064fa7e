import assert from "node:assert/strict";
import { test } from "node:test";

import { base64, base64url } from "../../static/js/bytes.js";
import { sealBid } from "../../static/js/envelope.js";
import { assembleHeld, checkHeld, openHeld } from "../../static/js/held.js";
import { signStatement } from "../../static/js/jws.js";
import { contextOf } from "../../static/js/keys.js";
import { assemble, lockKey, openShare, readLocks, readSplitRelease, sharesFor } from "../../static/js/locks.js";
import { openSealed } from "../../static/js/officer.js";
import { readQuorum } from "../../static/js/quorum.js";
import { collect } from "../../static/js/chunked.js";
import { checkSealed, openGroup, openOwn, readSealed, unlockGroup } from "../../static/js/sealed.js";
import { blobSink } from "../../static/js/sinks.js";
import { hex, utf8 } from "../../static/js/bytes.js";
import { anIdentity, aPair, refusal, someBytes } from "./support.mjs";

const NONCE = new Uint8Array(32).fill(0x5a);
const officers = await Promise.all([aPair("encrypt"), aPair("encrypt"), aPair("encrypt"), aPair("encrypt")]);
const said = (pair, encode = base64url) => ({ account: "a", name: "n", certificate: encode(pair.certificate.der) });
const LOCKS = readLocks([
  { id: "host", title: {}, threshold: 2, officers: officers.slice(0, 3).map((each) => said(each)) },
  { id: "supervisor", threshold: 1, officers: [said(officers[3], base64)] },
]);
const identity = await anIdentity();

async function aBid(holders = {}) {
  const file = { name: "a.pdf", content: new Blob(["method"]), group: "A" };
  const request = { tender: "T", lot: "1", deadline: "2026-12-01T01:30:00Z", groups: ["A"], quote: { total: "1" }, files: [file] };
  const bid = await sealBid({ ...request, ...holders, identity, sink: blobSink() });
  return readSealed(bid.file);
}

async function released({ header, headerSha256 }, change = () => {}) {
  const where = { session: "S-1", group: "A", headerSha256, nonce: NONCE };
  const key = await unlockGroup(header, "A", identity.encrypt);
  const payload = {
    v: 2,
    session: "S-1",
    group: "A",
    header_sha256: hex(headerSha256),
    nonce: hex(NONCE),
    kcb: hex(header.groups[0].kcb),
    shares: await lockKey(key, LOCKS, where, await contextOf(header, "A")),
  };
  change(payload);
  return { key, where, token: await signStatement("release", payload, identity.sign) };
}

test("enough officers of every lock have the key, and nobody before", async () => {
  const bid = await aBid();
  const { key, where, token } = await released(bid);
  const shares = await readSplitRelease(token, identity.sign.certificate, bid.header, where, LOCKS);
  const opened = [];
  for (const officer of [officers[2], officers[0], officers[3]]) {
    await assert.rejects(assemble(bid.header, "A", shares, opened), refusal("too_few_shares"));
    const [own] = await sharesFor(shares, officer.certificate);
    opened.push({ lock: own.place.where, index: own.place.index, value: await openShare(own, officer) });
  }
  assert.deepEqual(await assemble(bid.header, "A", shares, opened), key);
  const lie = { ...opened[1], value: someBytes(32) };
  await assert.rejects(assemble(bid.header, "A", shares, [opened[0], lie, opened[2]]), (error) => {
    assert.deepEqual([error.code, error.where, error.index], ["share_mismatch", "host", 1]);
    return true;
  });
  await assert.rejects(assemble(bid.header, "A", shares, [...opened, { ...opened[0], lock: "notary" }]), refusal("malformed_shares"));
});

test("an officer opens what the hall hands over, from a release and from a slot", async () => {
  const quorum = readQuorum({ threshold: 1, officers: [said(officers[0])] });
  const bid = await aBid({ tenderer: quorum, escrow: quorum });
  const { where, token } = await released(bid);
  const context = await contextOf(bid.header, "A");
  const [share] = await readSplitRelease(token, identity.sign.certificate, bid.header, where, LOCKS);
  const handed = { ...share.place, where, lock: "host", context, hpke: share.hpke };
  assert.deepEqual(await openSealed(handed, officers[0]), await openShare(share, officers[0]));
  await assert.rejects(openSealed({ ...handed, lock: "supervisor" }, officers[0]), refusal("not_decryptable"));
  await assert.rejects(openSealed({ ...handed, where: { ...where, session: "S-2" } }, officers[0]), refusal("not_decryptable"));
  await assert.rejects(openSealed({ ...handed, context: someBytes(32) }, officers[0]), refusal("share_mismatch"));
  await assert.rejects(openSealed(handed, officers[1]), refusal("not_decryptable"));
  for (const role of ["tenderer", "escrow"]) {
    const { place, data } = bid.header.groups[0].slots.find((each) => each.role === role);
    const slot = { ...place, lock: role, context, slot: data };
    assert.deepEqual(await openSealed(slot, officers[0]), (await openHeld(bid.header, "A", role, officers[0])).value);
    await assert.rejects(openSealed(slot, officers[1]), refusal("wrong_recipient"));
    await assert.rejects(openSealed({ ...slot, kcs: someBytes(32) }, officers[0]), refusal("share_mismatch"));
  }
});

test("a share opens with its officer's key only", async () => {
  const bid = await aBid();
  const { where, token } = await released(bid);
  const [share] = await readSplitRelease(token, identity.sign.certificate, bid.header, where, LOCKS);
  await assert.rejects(openShare(share, officers[1]), refusal("wrong_recipient"));
  await assert.rejects(openShare(share, { ...officers[0], key: officers[1].key }), refusal("not_decryptable"));
});

test("a release to the server is not taken for one in shares", async () => {
  const bid = await aBid();
  const { where, token } = await released(bid, (payload) => (payload.v = 1));
  await assert.rejects(readSplitRelease(token, identity.sign.certificate, bid.header, where, LOCKS), refusal("wrong_release_mode"));
});

test("a bid with a tenderer's key opens with both keys, and its holders can try their shares", async () => {
  const tenderer = readQuorum({ threshold: 2, officers: officers.slice(0, 2).map((each) => said(each)) });
  const rsa = await aPair("encrypt", { kind: "RSA" });
  const escrow = readQuorum({ threshold: 1, trustees: [said(rsa)] }, "trustees");
  const bid = await aBid({ tenderer, escrow });
  const { certificates } = await checkSealed(bid);
  assert.equal(certificates.length, 5);
  await assert.rejects(openOwn(bid, "A", identity.encrypt), refusal("second_key_missing"));
  const key = await unlockGroup(bid.header, "A", identity.encrypt);
  const shares = await Promise.all(officers.slice(0, 2).map((each) => openHeld(bid.header, "A", "tenderer", each)));
  const second = await assembleHeld(bid.header, "A", "tenderer", shares);
  const { quote, files } = await openGroup(bid, "A", key, second);
  assert.deepEqual(quote, { total: "1" });
  assert.deepEqual(await collect(files[0].content()), utf8("method"));
  await assert.rejects(openGroup(bid, "A", key, key), refusal("commitment_mismatch"));
  await assert.rejects(assembleHeld(bid.header, "A", "tenderer", shares.slice(1)), refusal("too_few_shares"));
  const place = await checkHeld(bid.header, "A", "escrow", rsa);
  assert.deepEqual([place.index, place.threshold, place.count], [1, 1, 1]);
  await assert.rejects(checkHeld(bid.header, "A", "escrow", officers[0]), refusal("wrong_recipient"));
  assert.deepEqual(await assembleHeld(bid.header, "A", "escrow", [await openHeld(bid.header, "A", "escrow", rsa)]), key);
});

test("a bid without a tenderer's key takes none", async () => {
  const bid = await aBid();
  const key = await unlockGroup(bid.header, "A", identity.encrypt);
  await assert.rejects(openGroup(bid, "A", key, key), refusal("commitment_mismatch"));
});

const signs = await aPair("sign");
for (const [why, code, locks] of [
  ["no lock", "malformed_tender", []],
  ["an id in capitals", "malformed_tender", [{ id: "HOST", threshold: 1, officers: [said(officers[0])] }]],
  ["a certificate that is none", "malformed_certificate", [{ id: "host", threshold: 1, officers: [{ certificate: "AAAA" }] }]],
  ["more needed than there are", "malformed_shares", [{ id: "host", threshold: 2, officers: [said(officers[0])] }]],
  ["one officer twice", "malformed_shares", [{ id: "host", threshold: 1, officers: [said(officers[0]), said(officers[0])] }]],
  ["one officer behind two", "malformed_shares", ["a", "b"].map((id) => ({ id, threshold: 1, officers: [said(officers[0])] }))],
  ["one name twice", "malformed_shares", [0, 1].map((i) => ({ id: "a", threshold: 1, officers: [said(officers[i])] }))],
  ["a signing certificate", "wrong_key_usage", [{ id: "host", threshold: 1, officers: [said(signs)] }]],
  ["an RSA key", "weak_key", [{ id: "host", threshold: 1, officers: [said(await aPair("encrypt", { kind: "RSA" }))] }]],
]) {
  test(`locks with ${why} are refused`, () => assert.throws(() => readLocks(locks), refusal(code)));
}
