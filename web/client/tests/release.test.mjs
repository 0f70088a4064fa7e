import assert from "node:assert/strict";
import { test } from "node:test";

import { base64url, concat, fromBase64url, fromHex, hex, lv, utf8 } from "../../static/js/bytes.js";
import { canonical } from "../../static/js/canonical.js";
import { sealBid } from "../../static/js/envelope.js";
import { hpkeOpen } from "../../static/js/hpke.js";
import { readHallKey, verifyByCertificate } from "../../static/js/jws.js";
import { sha256 } from "../../static/js/kdf.js";
import { leafHash, treeRoot } from "../../static/js/merkle.js";
import { readTrackerCode, trackerCode, verifyReceipt } from "../../static/js/receipt.js";
import { answer, readChallenge } from "../../static/js/release.js";
import { readSealed, unlockGroup } from "../../static/js/sealed.js";
import { blobSink } from "../../static/js/sinks.js";
import { anIdentity, flipped, refusal, someBytes } from "./support.mjs";

const T0 = "2026-12-01T01:30:00Z";

/** A hall that received one bid among three and asks for its key. */
async function anOpening(change = (header) => header) {
  const identity = await anIdentity();
  const request = { tender: "T-1", lot: "1", deadline: T0, groups: ["A"], quote: { total: "1" }, files: [], identity, sink: blobSink() };
  const bid = await sealBid(request);
  const sealed = await readSealed(bid.file);
  const ed = await crypto.subtle.generateKey("Ed25519", false, ["sign", "verify"]);
  const raw = new Uint8Array(await crypto.subtle.exportKey("raw", ed.publicKey));
  const kid = base64url((await sha256(raw)).slice(0, 16));
  const hall = await readHallKey({ v: 1, alg: "Ed25519", kid, x: base64url(raw) });
  const sign = async (payload) => {
    const head = canonical({ alg: "Ed25519", kid, typ: "kaibiao-receipt+jws" });
    const text = `${base64url(head)}.${base64url(canonical(payload))}`;
    return `${text}.${base64url(new Uint8Array(await crypto.subtle.sign("Ed25519", ed.privateKey, utf8(text))))}`;
  };
  const session = await crypto.subtle.generateKey({ name: "ECDH", namedCurve: "P-256" }, false, ["deriveBits"]);
  const point = new Uint8Array(await crypto.subtle.exportKey("raw", session.publicKey));
  const length = new DataView(await bid.file.slice(8, 12).arrayBuffer()).getUint32(0);
  const sealedHeader = JSON.parse(await bid.file.slice(16, 16 + length).text());
  const header = canonical(change(sealedHeader));
  const headerSha256 = hex(await sha256(header));
  const payload = {
    v: 1,
    session: "S-1",
    tender: "T-1",
    lot: "1",
    bidder: sealed.header.bidder,
    header_sha256: headerSha256,
    root: bid.root,
    length: bid.length,
    declaration_sha256: bid.declarationSha256,
    received_at: "2026-11-30T12:00:00.123Z",
    leaf_salt: hex(someBytes(32)),
  };
  const headers = [someBytes(32), fromHex(headerSha256), flipped(someBytes(32), 3)];
  const root = await treeRoot(await Promise.all(headers.map(leafHash)));
  const challenge = {
    session: "S-1",
    group: "A",
    header_sha256: headerSha256,
    header: base64url(header),
    slots: [],
    nonce: "5a".repeat(32),
    session_key: base64url(point),
    headers: headers.map(hex),
    root: hex(root),
    receipt: await sign(payload),
    due: "2026-12-01T02:00:00.000Z",
  };
  const expected = {
    session: "S-1",
    hall,
    root: hex(root),
    sessionKey: base64url(point),
    t0: new Date(T0),
    now: new Date("2026-12-01T01:31:00Z"),
  };
  return { identity, sealed, session, challenge, expected, payload, sign };
}

test("a release opens for the session and carries the sealed key", async () => {
  const { identity, sealed, session, challenge, expected } = await anOpening();
  const token = await answer(readChallenge(challenge), identity, expected);
  const { hpke, ...rest } = await verifyByCertificate(token, "release", identity.sign.certificate);
  const { session: id, group, header_sha256, nonce } = challenge;
  assert.deepEqual(rest, { v: 1, session: id, group, header_sha256, nonce, kcb: hex(sealed.header.groups[0].kcb) });
  const info = concat(utf8("SBID1/release"), lv(id), lv(group), lv(fromHex(header_sha256)), lv(fromHex(nonce)));
  const key = await hpkeOpen(session, info, fromBase64url(hpke));
  assert.deepEqual(key, await unlockGroup(sealed.header, "A", identity.encrypt));
});

for (const [code, why, change] of [
  ["too_early", "before the opening time", ({ expected }) => (expected.now = new Date("2026-12-01T01:29:59.999Z"))],
  ["too_early", "before the deadline it was sealed under", ({ expected }) => Object.assign(expected, { t0: new Date(0), now: new Date(1) })],
  ["too_early", "when the opening was postponed", ({ expected }) => (expected.t0 = new Date("2026-12-08T01:30:00Z"))],
  ["wrong_session", "for another session", ({ expected }) => (expected.session = "S-2")],
  ["wrong_session_key", "to a key the public record does not name", ({ expected }) => (expected.sessionKey = base64url(someBytes(65)))],
  ["wrong_header", "for a header of another digest", ({ challenge }) => (challenge.header_sha256 = challenge.headers[0])],
  ["wrong_receipt", "without its own receipt", async ({ challenge, payload, sign }) => (challenge.receipt = await sign({ ...payload, header_sha256: challenge.headers[0] }))],
  ["wrong_receipt", "on another bidder's receipt", async ({ challenge, payload, sign }) => (challenge.receipt = await sign({ ...payload, bidder: "X" }))],
  ["bad_signature", "on a receipt the hall did not sign", ({ challenge }) => (challenge.receipt = `${challenge.receipt.slice(0, -4)}AAAA`)],
  ["not_in_set", "when the bid was dropped from the set", ({ challenge }) => challenge.headers.splice(1, 1)],
  ["wrong_root", "when the set is not the one of the root", ({ challenge }) => challenge.headers.push("00".repeat(32))],
  ["wrong_root", "when the public record has another root", ({ expected }) => (expected.root = "00".repeat(32))],
  ["malformed_challenge", "to a challenge without a nonce", ({ challenge }) => delete challenge.nonce],
  ["malformed_challenge", "for a group that does not exist", ({ challenge }) => (challenge.group = "C")],
  ["malformed_challenge", "to something else than a challenge", (opening) => (opening.challenge = [])],
]) {
  test(`no key is released ${why}`, async () => {
    const opening = await anOpening();
    await change(opening);
    const { challenge, identity, expected } = opening;
    await assert.rejects(async () => answer(readChallenge(challenge), identity, expected), refusal(code));
  });
}

test("no key leaves when it does not reproduce the commitment made before the deadline", async () => {
  const { challenge, identity, expected } = await anOpening((header) => {
    header.groups[0].kcb = "00".repeat(32);
    return header;
  });
  await assert.rejects(answer(readChallenge(challenge), identity, expected), refusal("commitment_mismatch"));
});

test("another bidder does not answer for this bid", async () => {
  const { challenge, expected } = await anOpening();
  const other = await anIdentity({ bidder: "91330100MA0000000Z" });
  await assert.rejects(answer(readChallenge(challenge), other, expected), refusal("not_my_bid"));
});

test("a receipt is read member by member and has its tracker code", async () => {
  const { challenge, expected, payload, sign } = await anOpening();
  const receipt = await verifyReceipt(challenge.receipt, expected.hall);
  assert.equal(receipt.headerSha256, payload.header_sha256);
  assert.equal(receipt.receivedAt, "2026-11-30T12:00:00.123Z");
  assert.match(receipt.tracker, /^[0-9A-HJKMNP-TV-Z]{4}(-[0-9A-HJKMNP-TV-Z]{4}){2}-[0-9A-HJKMNP-TV-Z]{2}$/);
  assert.equal(receipt.tracker, await trackerCode(payload));
  for (const wrong of [{ ...payload, received_at: "2026-02-30T12:00:00.123Z" }, { ...payload, extra: 1 }, { ...payload, length: -1 }, { ...payload, v: 2 }]) {
    await assert.rejects(verifyReceipt(await sign(wrong), expected.hall), refusal("malformed_token"));
  }
});

test("a tracker code is read as people type it", () => {
  assert.equal(readTrackerCode(" k7f2 9qwm-3trda i "), "K7F2-9QWM-3TRD-A1");
  assert.equal(readTrackerCode("OOOO-LLLL-IIII-00"), "0000-1111-1111-00");
  assert.equal(readTrackerCode("K7F2-9QWM-3TRD"), null);
  assert.equal(readTrackerCode("K7F2-9QWM-3TRD-AU"), null);
});
