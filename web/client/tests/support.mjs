// Identities made on the spot: keys from WebCrypto, certificates written with the client's own DER writer.

import * as der from "../../static/js/der.js";
import { utf8 } from "../../static/js/bytes.js";
import { cmsSignature, signatureIdentifier, signRaw } from "../../static/js/signing.js";
import { readCertificate } from "../../static/js/x509.js";

const GENERATE = {
  "P-256": { sign: { name: "ECDSA", namedCurve: "P-256" }, encrypt: { name: "ECDH", namedCurve: "P-256" } },
  "P-384": { sign: { name: "ECDSA", namedCurve: "P-384" } },
  RSA: {
    sign: { name: "RSA-PSS", modulusLength: 2048, publicExponent: Uint8Array.of(1, 0, 1), hash: "SHA-256" },
    encrypt: { name: "RSA-OAEP", modulusLength: 2048, publicExponent: Uint8Array.of(1, 0, 1), hash: "SHA-256" },
  },
};
// The KeyUsage BIT STRING: unused bits, then digitalSignature + nonRepudiation, or one of the encrypting bits.
const USAGE = { sign: Uint8Array.of(6, 0xc0), RSA: Uint8Array.of(4, 0x30), "P-256": Uint8Array.of(3, 0x08) };

let serial = 1000;

const extension = (oid, value) => der.sequence(der.objectId(oid), der.octetString(value));
const attribute = (oid, value) => der.setOf(der.sequence(der.objectId(oid), der.write(0x0c, utf8(value))));

export function aName(bidder) {
  return der.sequence(attribute("2.5.4.10", `公司 ${bidder}`), attribute("2.5.4.97", bidder));
}

/** A key pair with its certificate; the certificate signs itself, which nothing here looks at. */
export async function aPair(purpose, { kind = "P-256", bidder = "91330100MA0000000A", usage } = {}) {
  const usages = purpose === "sign" ? ["sign", "verify"] : kind === "RSA" ? ["wrapKey", "unwrapKey"] : ["deriveBits"];
  const keys = await crypto.subtle.generateKey(GENERATE[kind][purpose], true, usages);
  const signer = await crypto.subtle.generateKey(GENERATE["P-256"].sign, false, ["sign"]);
  const tbs = der.sequence(
    der.write(0xa0, der.integer(2)),
    der.integer(++serial),
    signatureIdentifier("P-256"),
    der.sequence(attribute("2.5.4.3", "Test CA")),
    der.sequence(der.timeOf(new Date("2026-01-01T00:00:00Z")), der.timeOf(new Date("2051-01-01T00:00:00Z"))),
    aName(bidder),
    new Uint8Array(await crypto.subtle.exportKey("spki", keys.publicKey)),
    der.write(0xa3, der.sequence(extension("2.5.29.15", der.write(3, usage ?? USAGE[purpose === "sign" ? "sign" : kind])))),
  );
  const signature = cmsSignature("P-256", await signRaw("P-256", signer.privateKey, tbs));
  const certificate = readCertificate(der.sequence(tbs, signatureIdentifier("P-256"), der.bitStringOf(signature)));
  return { purpose, certificate, key: keys.privateKey };
}

/** A bidder's two pairs. */
export async function anIdentity({ bidder, sign = "P-256", encrypt = "P-256" } = {}) {
  return {
    sign: await aPair("sign", { kind: sign, bidder }),
    encrypt: await aPair("encrypt", { kind: encrypt, bidder }),
  };
}

/** For `assert.throws` and `assert.rejects`: a refusal with this code. */
export function refusal(code) {
  return (error) => {
    if (error?.code !== code || error.name === "Error") throw error;
    return true;
  };
}

/** `length` bytes that differ from place to place. */
export function someBytes(length) {
  const bytes = new Uint8Array(length);
  for (let i = 0; i < length; i++) bytes[i] = (i * 31 + (i >> 8) * 7) & 0xff;
  return bytes;
}

/** A copy with one bit changed. */
export function flipped(bytes, at) {
  const copy = Uint8Array.from(bytes);
  copy[at] ^= 1;
  return copy;
}

/** DER with the element at `path` (child numbers from the outside in) replaced by what `change` makes of it. */
export function edited(bytes, path, change) {
  if (path.length === 0) return change(bytes);
  const element = der.read(bytes);
  const parts = der.children(element).map(({ raw }) => raw);
  parts[path[0]] = edited(parts[path[0]], path.slice(1), change);
  return der.write(element.tag, ...parts);
}
