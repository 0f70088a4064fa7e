// The golden vectors every language runs (tests/vectors/crypto).

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";

import { base64url, concat, fromBase64, fromBase64url, fromHex, fromUtf8, hex, utf8 } from "../../static/js/bytes.js";
import { canonical, canonicalText, parseCanonical, parseStrict } from "../../static/js/canonical.js";
import { collect, open, plainLength, seal, streamKey } from "../../static/js/chunked.js";
import { assembleHeld, openHeld } from "../../static/js/held.js";
import { hpkeOpen } from "../../static/js/hpke.js";
import { identityOf } from "../../static/js/identity.js";
import { readHallKey, verifyByCertificate, verifyByHall } from "../../static/js/jws.js";
import { sha256 } from "../../static/js/kdf.js";
import { contextOf, keyCommitment } from "../../static/js/keys.js";
import { assemble, openShare, readSplitRelease } from "../../static/js/locks.js";
import { includes, leafHash, treeRoot } from "../../static/js/merkle.js";
import { openPkcs12 } from "../../static/js/pkcs12.js";
import { logLeaf, trackerCode, verifyReceipt, verifySlip } from "../../static/js/receipt.js";
import { checkSealed, openGroup, readSealed, unlockGroup } from "../../static/js/sealed.js";
import { combine } from "../../static/js/shares.js";
import { openSlot } from "../../static/js/slots.js";
import { readPem } from "../../static/js/x509.js";
import { refusal } from "./support.mjs";

const FOLDER = new URL("../../../tests/vectors/crypto/", import.meta.url);
const vectors = (name) => JSON.parse(readFileSync(new URL(`${name}.json`, FOLDER), "utf8"));
const pattern = (length) => Uint8Array.from({ length }, (_, i) => i % 251);
const pemBody = (pem) => fromBase64(pem.replace(/-----[A-Z ]+-----|\s/g, ""));
const shaHex = async (bytes) => hex(await sha256(bytes));

async function holder({ key, certificate }) {
  const [read] = readPem(certificate);
  const [algorithm, usages] =
    read.keyKind === "RSA"
      ? [{ name: "RSA-OAEP", hash: "SHA-256" }, ["unwrapKey"]]
      : [{ name: "ECDH", namedCurve: "P-256" }, ["deriveBits"]];
  const imported = await crypto.subtle.importKey("pkcs8", pemBody(key), algorithm, false, usages);
  return { purpose: "encrypt", certificate: read, key: imported };
}

const { accepted, refused, not_canonical: notCanonical } = vectors("canonical");
for (const { json, canonical: expected } of accepted) {
  test(`canonical: ${json}`, () => {
    assert.equal(hex(canonical(parseStrict(utf8(json), 65_536))), expected);
  });
}
for (const { name, hex: bytes, code } of refused) {
  test(`strict JSON refuses: ${name}`, () => {
    assert.throws(() => parseStrict(fromHex(bytes), 65_536), refusal(code));
  });
}
for (const bytes of notCanonical) {
  test(`not canonical: ${bytes}`, () => {
    assert.throws(() => parseCanonical(fromHex(bytes), 65_536), refusal("not_canonical"));
  });
}

for (const vector of vectors("chunked").cases) {
  test(`chunked: ${vector.plain_len} bytes`, async () => {
    const key = await streamKey(fromHex(vector.input_key), fromHex(vector.context), fromHex(vector.salt));
    assert.equal(hex(key.nonce), vector.base_nonce);
    assert.equal(hex(key.commitment), vector.commitment);
    const stream = await collect(seal(key, new Blob([pattern(vector.plain_len)])));
    assert.equal(stream.length, vector.stream_len);
    assert.equal(await shaHex(stream), vector.stream_sha256);
    if (vector.stream !== null) assert.equal(base64url(stream), vector.stream);
    assert.equal(plainLength(stream.length), vector.plain_len);
    assert.equal(await shaHex(await collect(open(key, new Blob([stream])))), vector.plain_sha256);
  });
}

for (const name of ["sealed-ec", "sealed-rsa", "sealed-two", "sealed-layers"]) {
  test(`sealed bid: ${name}`, async () => {
    const vector = vectors(name);
    const { credentials } = vector;
    const files = [credentials.sign_p12, credentials.encrypt_p12].map(fromBase64url);
    const opened = await Promise.all(files.map((file) => openPkcs12(file, credentials.p12_password)));
    const identity = identityOf(opened.flat());
    const sealed = await readSealed(new Blob([fromBase64url(vector.file)]));
    const { header } = sealed;
    assert.equal(sealed.file.size, vector.length);
    assert.equal(sealed.declarationAt, vector.total_len);
    assert.equal(hex(sealed.headerSha256), vector.header_sha256);
    assert.equal(await shaHex(sealed.declaration), vector.declaration_sha256);
    const declaration = await checkSealed(sealed);
    assert.equal(hex(declaration.root), vector.root);
    assert.equal(await shaHex(declaration.signer.der), vector.signer_sha256);
    assert.equal(header.bidder, credentials.bidder);
    for (const [id, group] of Object.entries(vector.groups)) {
      const context = await contextOf(header, id);
      const key = await unlockGroup(header, id, identity.encrypt);
      assert.equal(hex(key), group.K_b);
      assert.equal(hex(context), group.ctx);
      assert.equal(hex(await keyCommitment(key, context)), group.kcb);
      const opened = await openGroup(sealed, id, key, group.K_t === undefined ? null : fromHex(group.K_t));
      if (opened.quote !== null) assert.deepEqual(opened.quote, vector.quote);
      assert.deepEqual(Object.fromEntries(opened.files.map((file) => [file.id, file.name])), group.names);
      for (const file of opened.files) {
        assert.equal(hex(await collect(file.content())), vector.parts[file.id].plain);
      }
    }
    // The quote can be shown to the public alone: its key opens it and nothing else.
    const part = header.parts.find(({ id }) => id === "quote");
    const own = await streamKey(fromHex(vector.parts.quote.key), fromHex(vector.parts.quote.context), part.salt);
    const at = sealed.partsAt + part.offset;
    const plain = await collect(open(own, sealed.file.slice(at, at + part.length)));
    assert.equal(hex(plain), vector.parts.quote.plain);
    assert.deepEqual(JSON.parse(fromUtf8(plain)), vector.quote);
  });
}

const slots = vectors("slots");
for (const { name, slot, holder: of, content } of slots.opened) {
  test(`slot opens: ${name}`, async () => {
    assert.equal(hex(await openSlot(fromBase64url(slot), await holder(slots.holders[of]))), content);
  });
}
for (const { name, slot, holder: of, code } of slots.refused) {
  test(`slot refused: ${name}`, async () => {
    await assert.rejects(openSlot(fromBase64url(slot), await holder(slots.holders[of])), refusal(code));
  });
}

for (const vector of [...vectors("malformed").cases, ...vectors("sealed-layers").refused]) {
  test(`sealed bid refused: ${vector.name}`, async () => {
    let bytes = fromBase64url(vector.file ?? vectors(vector.base).file);
    for (const [start, end, replacement] of vector.splices ?? []) {
      bytes = concat(bytes.slice(0, start), fromHex(replacement), bytes.slice(end));
    }
    const check = async () => {
      const sealed = await readSealed(new Blob([bytes]));
      await checkSealed(sealed);
      return sealed;
    };
    if (vector.code !== undefined) return assert.rejects(check(), refusal(vector.code));
    const sealed = await check();
    return assert.rejects(async () => {
      const { files } = await openGroup(sealed, sealed.header.groups.at(-1).id, fromHex(vector.K_b));
      for (const file of files) await collect(file.content());
    }, refusal(vector.opens_with));
  });
}

const statements = vectors("statements");
test("statement by the hall", async () => {
  const hall = await readHallKey(statements.hall);
  assert.deepEqual(await verifyByHall(statements.by_hall, statements.kind, hall), statements.payload);
});
for (const { alg, certificate, token } of statements.by_certificate) {
  test(`statement by a certificate: ${alg}`, async () => {
    const [read] = readPem(certificate);
    assert.deepEqual(await verifyByCertificate(token, statements.kind, read), statements.payload);
  });
}
for (const { name, token, code } of statements.refused) {
  test(`statement refused: ${name}`, async () => {
    const hall = await readHallKey(statements.hall);
    await assert.rejects(verifyByHall(token, statements.kind, hall), refusal(code));
  });
}
test("receipt and slip", async () => {
  const hall = await readHallKey(statements.hall);
  const { receipt, slip } = statements;
  assert.equal((await verifyReceipt(receipt.token, hall)).tracker, receipt.tracker);
  assert.equal(hex(await logLeaf(receipt.payload, receipt.payload.leaf_salt)), receipt.log_leaf);
  const refusedSlip = await verifySlip(slip.token, hall);
  assert.equal(refusedSlip.tracker, slip.tracker);
  assert.equal(await trackerCode(slip.payload), slip.tracker);
  assert.equal(refusedSlip.code, slip.payload.code);
});

test("release", async () => {
  const vector = vectors("release");
  const bid = vectors(vector.bid);
  const [signer] = readPem(bid.credentials.sign.certificate);
  const payload = await verifyByCertificate(vector.token, "release", signer);
  const point = fromBase64url(vector.session_public);
  const curve = { name: "ECDH", namedCurve: "P-256" };
  const keys = {
    publicKey: await crypto.subtle.importKey("raw", point, curve, true, []),
    privateKey: await crypto.subtle.importKey("pkcs8", pemBody(vector.session_private), curve, false, ["deriveBits"]),
  };
  assert.equal(hex(await hpkeOpen(keys, fromHex(vector.info), fromBase64url(payload.hpke))), vector.K_b);
});

for (const { secret, shares, t, n } of vectors("shares").sharings) {
  test(`shares: any ${t} of ${n}`, () => {
    const dealt = shares.map((value, i) => ({ index: i + 1, value: fromHex(value) }));
    for (let first = 0; first + t <= n; first++) assert.equal(hex(combine(dealt.slice(first, first + t), t)), secret);
    assert.equal(hex(combine(dealt.toReversed(), t)), secret);
  });
}
for (const { name, shares, t, code } of vectors("shares").refused) {
  test(`shares refused: ${name}`, () => {
    const dealt = shares.map(([index, value]) => ({ index, value: fromHex(value) }));
    assert.throws(() => combine(dealt, t), refusal(code));
  });
}

const layered = vectors("sealed-layers");
for (const [group, role] of ["A", "B"].flatMap((id) => [[id, "tenderer"], [id, "escrow"]])) {
  test(`shares of role ${role} in group ${group} open to the recorded key`, async () => {
    const { header } = await readSealed(new Blob([fromBase64url(layered.file)]));
    const holders = await Promise.all(layered[role].map(holder));
    const shares = await Promise.all(holders.map((each) => openHeld(header, group, role, each)));
    assert.deepEqual(shares.map(({ value }) => hex(value)), layered.shares[group][role]);
    const key = await assembleHeld(header, group, role, shares.slice(-2));
    assert.equal(hex(key), layered.groups[group][role === "tenderer" ? "K_t" : "K_b"]);
  });
}

/** Everything of a recorded split release: checked, opened by every officer, put together. */
async function openSplitRelease(token) {
  const vector = vectors("split-release");
  const bid = vectors(vector.bid);
  const { header, headerSha256 } = await readSealed(new Blob([fromBase64url(bid.file)]));
  const officers = await Promise.all(vector.locks.flatMap((lock) => lock.officers).map(holder));
  const [signer] = readPem(bid.credentials.sign.certificate);
  const locks = vector.locks.map(({ id, threshold, officers: own }) => ({
    id,
    threshold,
    certificates: own.map(({ certificate }) => readPem(certificate)[0]),
  }));
  const where = { session: vector.session, group: vector.group, headerSha256, nonce: fromHex(vector.nonce) };
  const shares = await readSplitRelease(token, signer, header, where, locks);
  assert.deepEqual(shares.map(({ info }) => hex(info)), vector.infos);
  const opened = [];
  for (const [i, share] of shares.entries()) {
    const { where: lock, index } = share.place;
    opened.push({ lock, index, value: await openShare(share, officers[i]) });
  }
  return { opened, key: await assemble(header, vector.group, shares, opened) };
}
test("release in shares", async () => {
  const vector = vectors("split-release");
  const { opened, key } = await openSplitRelease(vector.token);
  assert.deepEqual(opened.map(({ value }) => hex(value)), vector.shares);
  assert.equal(hex(key), vector.K_b);
});
for (const { name, token, code } of [...vectors("split-release").refused, ...vectors("split-release").refused_late]) {
  test(`release in shares refused: ${name}`, async () => {
    await assert.rejects(openSplitRelease(token), refusal(code));
  });
}

test("two prices in one ciphertext: AES-GCM takes both keys, the commitments take one", async () => {
  const { nonce, ciphertext, keys, contains } = vectors("two-prices");
  const { header } = await readSealed(new Blob([fromBase64url(vectors("sealed-ec").file)]));
  const context = await contextOf(header, "A");
  const [one, two] = keys.map((key) => fromHex(key));
  for (const [i, key] of [one, two].entries()) {
    const aes = await crypto.subtle.importKey("raw", key, "AES-GCM", false, ["decrypt"]);
    const plain = await crypto.subtle.decrypt({ name: "AES-GCM", iv: fromHex(nonce) }, aes, fromHex(ciphertext));
    assert.ok(Buffer.from(plain).includes(contains[i]));
  }
  assert.notDeepEqual(await keyCommitment(one, context), await keyCommitment(two, context));
  const streams = await Promise.all([one, two].map((key) => streamKey(key, context, new Uint8Array(24))));
  assert.notDeepEqual(streams[0].commitment, streams[1].commitment);
});

test("event digests, private values and tree", async () => {
  const { cores, digests, private: hidden, tree } = vectors("chain");
  for (const [i, core] of cores.entries()) {
    assert.equal(await shaHex(canonical(core)), digests[i]);
    assert.equal(core.prev, i === 0 ? "00".repeat(32) : digests[i - 1]);
  }
  const { salt, value, commitment } = hidden;
  assert.equal(await shaHex(utf8(canonicalText({ salt, value }))), commitment);
  const leaves = await Promise.all([...Array(11).keys()].map((i) => leafHash(Uint8Array.of(i))));
  for (const [size, root] of tree.roots.entries()) assert.equal(hex(await treeRoot(leaves.slice(0, size))), root);
  for (const { index, size, proof } of tree.inclusion) {
    assert.ok(await includes(leaves[index], index, size, proof.map(fromHex), fromHex(tree.roots[size])));
  }
});
