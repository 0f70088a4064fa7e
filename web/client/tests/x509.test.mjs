import assert from "node:assert/strict";
import { test } from "node:test";

import { base64, concat } from "../../static/js/bytes.js";
import * as der from "../../static/js/der.js";
import { signedBy } from "../../static/js/signing.js";
import { sealSlot } from "../../static/js/slots.js";
import { attribute, bidderId, canEncrypt, canSign, readCertificate, readPem } from "../../static/js/x509.js";
import { aPair, edited, refusal } from "./support.mjs";

test("a certificate tells who it speaks for and what its key is for", async () => {
  const { certificate } = await aPair("sign", { bidder: "91330100MA27XXXX1A" });
  assert.equal(bidderId(certificate), "91330100MA27XXXX1A");
  assert.equal(attribute(certificate, "organization"), "公司 91330100MA27XXXX1A");
  assert.equal(attribute(certificate, "serialNumber"), null);
  assert.deepEqual([...certificate.keyUsage], ["digitalSignature", "nonRepudiation"]);
  assert.equal(certificate.keyKind, "P-256");
  assert.equal(certificate.notAfter.toISOString(), "2051-01-01T00:00:00.000Z");
  assert.ok(canSign(certificate) && !canEncrypt(certificate));
});

test("a certificate that names no organisation by number is refused as an identity", async () => {
  const { certificate } = await aPair("sign");
  const name = der.sequence(der.setOf(der.sequence(der.objectId("2.5.4.3"), der.write(0x0c, Uint8Array.of(65)))));
  assert.throws(() => bidderId(readCertificate(edited(certificate.der, [0, 5], () => name))), refusal("no_identity"));
});

test("an encryption certificate does not sign", async () => {
  for (const kind of ["P-256", "RSA"]) {
    const { certificate } = await aPair("encrypt", { kind });
    assert.ok(canEncrypt(certificate) && !canSign(certificate));
    assert.equal(certificate.keyKind, kind);
  }
});

test("a certificate for both purposes is good for neither", async () => {
  const { certificate } = await aPair("sign", { usage: Uint8Array.of(5, 0xa0) });
  assert.ok(!canSign(certificate) && !canEncrypt(certificate));
});

test("PEM text gives its certificates in order", async () => {
  const [a, b] = [(await aPair("sign")).certificate, (await aPair("encrypt")).certificate];
  const pem = [a, b].map(({ der }) => `-----BEGIN CERTIFICATE-----\n${base64(der)}\n-----END CERTIFICATE-----\n`).join("text\n");
  assert.deepEqual(readPem(pem).map(({ serial }) => serial), [a.serial, b.serial]);
});

test("bytes that are no certificate are refused", async () => {
  const { der } = (await aPair("sign")).certificate;
  for (const wrong of [new Uint8Array(0), der.slice(0, -1), concat(der, Uint8Array.of(0)), new Uint8Array(16_385)]) {
    assert.throws(() => readCertificate(wrong), refusal("malformed_certificate"));
  }
});

// In Certificate { tbs { [0] version, serial, algorithm, issuer, validity, subject, key, [3] extensions }, algorithm, signature }.
const inside = (element) => der.children(der.read(element)).map(({ raw }) => raw);
for (const [why, path, change] of [
  ["a member too many", [], (whole) => der.write(0x30, ...inside(whole), der.nothing())],
  ["a serial number of zero", [0, 1], () => der.integer(0)],
  ["a negative serial number", [0, 1], () => der.write(2, Uint8Array.of(0x80))],
  ["version 1 that it states", [0, 0, 0], () => der.integer(0)],
  ["another algorithm under its signature", [0, 2], () => der.sequence(der.objectId("1.3.101.112"))],
  ["something behind its moments", [0, 4], (validity) => der.write(0x30, ...inside(validity), der.nothing())],
  ["a name that is no text", [0, 5], () => der.sequence(der.setOf(der.sequence(der.objectId("2.5.4.3"), der.octetString(Uint8Array.of(65)))))],
  ["a star in a PrintableString", [0, 5], () => der.sequence(der.setOf(der.sequence(der.objectId("2.5.4.3"), der.write(0x13, Uint8Array.of(42)))))],
  ["a key of broken bytes", [0, 6, 1], () => der.write(3, Uint8Array.of(1, 4, 2))],
  ["a signature of broken bytes", [2], () => der.write(3, Uint8Array.of(1, 2))],
  ["a month of 13 characters", [0, 4, 0], () => der.write(0x17, new Uint8Array(13))],
  ["an extension twice", [0, 7, 0], (list) => der.write(0x30, ...inside(list), ...inside(list))],
  ["a signature over 16 KiB", [2], () => der.bitStringOf(new Uint8Array(16_384))],
]) {
  test(`a certificate with ${why} is refused`, async () => {
    const { certificate } = await aPair("sign");
    assert.throws(() => readCertificate(edited(certificate.der, path, change)), refusal("malformed_certificate"));
  });
}

for (const [why, modulus] of [["1024", 128], ["8200", 1025]]) {
  test(`an RSA key of ${why} bits is read but not used`, async () => {
    const { certificate } = await aPair("encrypt", { kind: "RSA" });
    const key = der.sequence(der.integer(new Uint8Array(modulus).fill(0xff)), der.integer(65_537));
    const weak = readCertificate(edited(certificate.der, [0, 6, 1], () => der.bitStringOf(key)));
    assert.equal(weak.keyKind, "other");
    await assert.rejects(sealSlot(new Uint8Array(32), weak), refusal("weak_key"));
    await assert.rejects(async () => signedBy(weak, new Uint8Array(64), new Uint8Array(1)), refusal("weak_key"));
  });
}

test("a point that is not on its curve is not used", async () => {
  const { certificate } = await aPair("encrypt");
  const point = der.bitStringOf(Uint8Array.of(4, ...new Uint8Array(63), 1));
  const off = readCertificate(edited(certificate.der, [0, 6, 1], () => point));
  await assert.rejects(sealSlot(new Uint8Array(32), off), refusal("weak_key"));
});
