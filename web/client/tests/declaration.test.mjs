import assert from "node:assert/strict";
import { test } from "node:test";

import { concat, fromUtf8, hex, utf8 } from "../../static/js/bytes.js";
import { canonical } from "../../static/js/canonical.js";
import { declare, readDeclaration, SEGMENT } from "../../static/js/declaration.js";
import * as der from "../../static/js/der.js";
import { sha256 } from "../../static/js/kdf.js";
import { cmsSignature, signRaw } from "../../static/js/signing.js";
import { anIdentity, aPair, edited, flipped, refusal, someBytes } from "./support.mjs";

// Where things are in ContentInfo { type, [0] { SignedData { version, digests, content, certificates, { SignerInfo } } } }.
const [TYPE, VERSION, DIGESTS, CONTENT, CERTIFICATES] = [[0], [1, 0, 0], [1, 0, 1], [1, 0, 2], [1, 0, 3]];
const SIGNER = [1, 0, 4, 0];
const [SIGNER_VERSION, SIGNER_ID, DIGEST, ATTRIBUTES, ALGORITHM, SIGNATURE] = [0, 1, 2, 3, 4, 5].map((i) => [...SIGNER, i]);

const DECLARED = { headerSha256: someBytes(32), root: flipped(someBytes(32), 0), segments: 3, totalLength: 9_000_000 };

async function aDeclaration(kind = "P-256") {
  const identity = await anIdentity({ sign: kind });
  const bytes = await declare(DECLARED, identity.sign, identity.encrypt.certificate);
  return { identity, bytes, signer: await sha256(identity.sign.certificate.der) };
}

/** The declaration with other content, signed again in earnest. */
async function resigned(bytes, { sign }, change) {
  let content;
  let signed = edited(bytes, [...CONTENT, 1, 0], (element) => {
    content = canonical(change(JSON.parse(fromUtf8(der.octets(der.read(element))))));
    return der.octetString(content);
  });
  const digest = der.octetString(await sha256(content));
  let attributes;
  signed = edited(signed, ATTRIBUTES, (element) => {
    const parts = der.children(der.read(element)).map(({ raw }) => (raw.length === 49 ? edited(raw, [1, 0], () => digest) : raw));
    attributes = der.setOf(...parts);
    return der.retagged(attributes, 0xa0);
  });
  const kind = sign.certificate.keyKind;
  const signature = cmsSignature(kind, await signRaw(kind, sign.key, attributes));
  return edited(signed, SIGNATURE, () => der.octetString(signature));
}

for (const kind of ["P-256", "P-384", "RSA"]) {
  test(`a declaration by ${kind} says what was declared`, async () => {
    const { bytes, signer, identity } = await aDeclaration(kind);
    const { certificates, signer: by, ...declared } = await readDeclaration(bytes, signer);
    assert.deepEqual(declared, DECLARED);
    assert.deepEqual(by, identity.sign.certificate);
    const carried = [identity.sign, identity.encrypt].map(({ certificate }) => certificate.serial);
    assert.deepEqual(certificates.map(({ serial }) => serial).sort(), carried.sort());
  });
}

const other = der.objectId("1.2.840.113549.1.7.5");
const two = der.integer(2);
const sha384 = der.sequence(der.objectId("2.16.840.1.101.3.4.2.2"));
const attributeOf = (type, value) => der.sequence(der.objectId(type), der.setOf(value));
const signingTime = attributeOf("1.2.840.113549.1.9.5", der.timeOf(new Date("2026-11-21T00:00:00Z")));
const inside = (element) => der.children(der.read(element)).map(({ raw }) => raw);

for (const [why, code, path, change] of [
  ["another type", "malformed_declaration", TYPE, () => other],
  ["another version", "malformed_declaration", VERSION, () => two],
  ["another digest algorithm", "malformed_declaration", DIGESTS, () => der.setOf(sha384)],
  ["a type of content that is not data", "malformed_declaration", [...CONTENT, 0], () => other],
  ["certificates in another order", "malformed_declaration", CERTIFICATES, (set) => der.write(0xa0, ...inside(set).reverse())],
  ["a certificate twice", "malformed_declaration", CERTIFICATES, (set) => der.write(0xa0, inside(set)[0], ...inside(set))],
  ["something that is no certificate", "malformed_declaration", CERTIFICATES, (set) => der.write(0xa0, der.sequence(two), ...inside(set))],
  ["no certificates", "wrong_certificate", CERTIFICATES, () => der.write(0xa0)],
  ["a signer of another version", "malformed_declaration", SIGNER_VERSION, () => two],
  ["a signer with another name", "wrong_certificate", SIGNER_ID, (id) => edited(id, [1], () => two)],
  ["a signer with another digest", "malformed_declaration", DIGEST, () => sha384],
  ["a signed time", "malformed_declaration", ATTRIBUTES, (set) => der.retagged(der.setOf(...inside(set), signingTime), 0xa0)],
  ["an attribute missing", "malformed_declaration", ATTRIBUTES, (set) => der.write(0xa0, ...inside(set).slice(0, 2))],
  ["attributes in another order", "bad_signature", ATTRIBUTES, (set) => der.write(0xa0, ...inside(set).reverse())],
  ["another certificate in its attributes", "wrong_certificate", ATTRIBUTES, (set) => edited(set, [2], (last) => flipped(last, last.length - 1))],
  ["another digest in its attributes", "bad_signature", ATTRIBUTES, (set) => edited(set, [1], (digest) => flipped(digest, digest.length - 1))],
  ["another signature algorithm", "malformed_declaration", ALGORITHM, () => der.sequence(der.objectId("1.2.840.10045.4.3.3"))],
  ["a changed signature", "bad_signature", SIGNATURE, (signature) => flipped(signature, signature.length - 1)],
  ["a signature that is no pair of numbers", "bad_signature", SIGNATURE, () => der.octetString(Uint8Array.of(1))],
  ["something more at its end", "malformed_declaration", [], (whole) => concat(whole, Uint8Array.of(0))],
  ["something more inside", "malformed_declaration", [], (whole) => der.write(0x30, ...inside(whole), two)],
  ["a member too many", "malformed_declaration", [1, 0], (signed) => der.write(0x30, ...inside(signed), der.setOf())],
  ["more than 64 KiB", "malformed_declaration", [...CONTENT, 1, 0], () => der.octetString(new Uint8Array(65_536))],
]) {
  test(`a declaration with ${why} is refused`, async () => {
    const { bytes, signer } = await aDeclaration();
    const changed = edited(bytes, path, change);
    assert.notDeepEqual(changed, bytes);
    await assert.rejects(readDeclaration(changed, signer), refusal(code));
  });
}

for (const [why, change] of [
  ["version", (content) => ({ ...content, v: 2 })],
  ["size of segments", (content) => ({ ...content, segments: { ...content.segments, size: SEGMENT / 2 } })],
  ["kind of tree", (content) => ({ ...content, segments: { ...content.segments, alg: "sha256" } })],
  ["member", (content) => ({ ...content, note: "" })],
  ["statement, an empty one", (content) => ({ ...content, statement: "" })],
  ["statement, one too long", (content) => ({ ...content, statement: "字".repeat(2001) })],
  ["number of bytes, a negative one", (content) => ({ ...content, total_len: -1 })],
]) {
  test(`a declaration signed over another ${why} is refused`, async () => {
    const { bytes, signer, identity } = await aDeclaration();
    const changed = await resigned(bytes, identity, change);
    await assert.rejects(readDeclaration(changed, signer), refusal("malformed_declaration"));
  });
}

test("a declaration signed again over its own content is accepted, so the refusals above are about the content", async () => {
  const { bytes, signer, identity } = await aDeclaration();
  const again = await resigned(bytes, identity, (content) => content);
  assert.equal(hex((await readDeclaration(again, signer)).root), hex(DECLARED.root));
});

test("another's certificate under a declaration is refused", async () => {
  const { bytes } = await aDeclaration();
  const stranger = await aPair("sign");
  await assert.rejects(readDeclaration(bytes, await sha256(stranger.certificate.der)), refusal("wrong_certificate"));
  await assert.rejects(readDeclaration(utf8("no"), await sha256(stranger.certificate.der)), refusal("malformed_declaration"));
});
