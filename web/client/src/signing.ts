/** Signatures by the key of a certificate: which algorithm each kind of key uses, in JOSE and in CMS. */

import type { Bytes } from "./bytes.js";
import * as der from "./der.js";
import { Refused, require } from "./errors.js";
import type { Certificate, KeyKind } from "./x509.js";

interface Scheme {
  /** The name in a JWS header (RFC 7518 section 3). */
  readonly alg: "ES256" | "ES384" | "PS256";
  readonly digest: "SHA-256" | "SHA-384";
  readonly importAs: RsaHashedImportParams | EcKeyImportParams;
  readonly signWith: RsaPssParams | EcdsaParams;
}

const SCHEMES: Readonly<Record<Exclude<KeyKind, "other">, Scheme>> = {
  "P-256": {
    alg: "ES256",
    digest: "SHA-256",
    importAs: { name: "ECDSA", namedCurve: "P-256" },
    signWith: { name: "ECDSA", hash: "SHA-256" },
  },
  "P-384": {
    alg: "ES384",
    digest: "SHA-384",
    importAs: { name: "ECDSA", namedCurve: "P-384" },
    signWith: { name: "ECDSA", hash: "SHA-384" },
  },
  RSA: {
    alg: "PS256",
    digest: "SHA-256",
    importAs: { name: "RSA-PSS", hash: "SHA-256" },
    signWith: { name: "RSA-PSS", saltLength: 32 },
  },
};

/** How keys of this kind sign; `weak_key` if we do not take signatures by them. */
export function schemeOf(kind: KeyKind): Scheme {
  require(
    kind !== "other",
    "weak_key",
    "keys on P-256 or P-384 and RSA keys of 2048 to 8192 bits are accepted",
    "Ask your CA for a certificate of one of these kinds.",
  );
  return SCHEMES[kind];
}

/** Sign `data`: `r | s` for elliptic curves, as JOSE has it, and the bare number for RSA. */
export async function signRaw(kind: KeyKind, key: CryptoKey, data: Bytes): Promise<Bytes> {
  return new Uint8Array(await crypto.subtle.sign(schemeOf(kind).signWith, key, data));
}

/** Whether `signature` over `data` is by the key in `certificate`. A malformed signature is just not by it. */
export async function signedBy(certificate: Certificate, signature: Bytes, data: Bytes): Promise<boolean> {
  const { importAs, signWith } = schemeOf(certificate.keyKind);
  const key = VERIFYING.get(certificate) ?? publicKey(certificate, importAs, ["verify"]);
  VERIFYING.set(certificate, key);
  return crypto.subtle.verify(signWith, await key, signature, data);
}

/** The keys brought in by {@link signedBy}: a bidder signs again and again. */
const VERIFYING = new WeakMap<Certificate, Promise<CryptoKey>>();

/** The public key of a certificate; `weak_key` where WebCrypto refuses it, as it does a point off its curve. */
export async function publicKey(
  certificate: Certificate,
  importAs: RsaHashedImportParams | EcKeyImportParams,
  usages: ("verify" | "wrapKey")[],
): Promise<CryptoKey> {
  try {
    return await crypto.subtle.importKey("spki", certificate.spki, importAs, false, usages);
  } catch (error) {
    throw new Refused("weak_key", "the key in the certificate is not one", "Ask your CA for another certificate.", error);
  }
}

const SHA256 = der.sequence(der.objectId("2.16.840.1.101.3.4.2.1"));
const SHA256_NULL = der.sequence(der.objectId("2.16.840.1.101.3.4.2.1"), der.nothing());
const SHA384 = der.sequence(der.objectId("2.16.840.1.101.3.4.2.2"));

/** The AlgorithmIdentifier of the digest, parameters absent (RFC 5754 section 2). */
export function digestIdentifier(kind: KeyKind): Bytes {
  return kind === "P-384" ? SHA384 : SHA256;
}

/** The AlgorithmIdentifier of the signature (RFC 5754 section 3.3, RFC 4056 section 3). */
export function signatureIdentifier(kind: KeyKind): Bytes {
  switch (kind) {
    case "P-256":
      return der.sequence(der.objectId("1.2.840.10045.4.3.2"));
    case "P-384":
      return der.sequence(der.objectId("1.2.840.10045.4.3.3"));
    case "RSA": {
      const mgf1 = der.sequence(der.objectId("1.2.840.113549.1.1.8"), SHA256_NULL);
      const parameters = der.sequence(
        der.write(der.context(0), SHA256_NULL),
        der.write(der.context(1), mgf1),
        der.write(der.context(2), der.integer(32)),
      );
      return der.sequence(der.objectId("1.2.840.113549.1.1.10"), parameters);
    }
    case "other":
      throw new Refused("weak_key", "no signatures by keys of this kind");
  }
}

/** `signature` as CMS carries it: `ECDSA-Sig-Value` instead of `r | s` (RFC 5753 section 7.2). */
export function cmsSignature(kind: KeyKind, signature: Bytes): Bytes {
  if (kind === "RSA") return signature;
  const half = signature.length / 2;
  return der.sequence(der.integer(signature.subarray(0, half)), der.integer(signature.subarray(half)));
}

/** The reverse of {@link cmsSignature}. */
export function rawSignature(kind: KeyKind, signature: Bytes): Bytes {
  if (kind === "RSA") return signature;
  const size = kind === "P-256" ? 32 : 48;
  const raw = new Uint8Array(2 * size);
  const numbers = der.children(der.read(signature), der.TAG.sequence);
  numbers.forEach((number, i) => {
    const digits = der.expect(number, der.TAG.integer).body;
    const bare = digits[0] === 0 ? digits.subarray(1) : digits;
    if (bare.length <= size && i < 2) raw.set(bare, (i + 1) * size - bare.length);
  });
  return raw;
}
