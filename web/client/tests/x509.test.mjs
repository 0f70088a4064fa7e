import assert from "node:assert/strict";
import { test } from "node:test";

import { base64, concat } from "../../static/js/bytes.js";
import { attribute, bidderId, canEncrypt, canSign, readCertificate, readPem } from "../../static/js/x509.js";
import { aPair, refusal } from "./support.mjs";

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
