/** What an authority signed: a certificate or a list is `SEQUENCE { body, algorithm, signature }` (RFC 5280 section 4.1). */

import type { Bytes } from "../bytes.js";
import * as der from "../der.js";
import { algorithmOf, type Certificate } from "../x509.js";
import { demand } from "./report.js";

export interface Signed {
  readonly body: der.Element;
  readonly algorithm: der.Element;
  /** Whether `issuer` signed it; false also for an algorithm that is not known here. */
  by(issuer: Certificate): Promise<boolean>;
}

type Hash = "SHA-256" | "SHA-384" | "SHA-512";

const ECDSA: { readonly [oid: string]: Hash } = {
  "1.2.840.10045.4.3.2": "SHA-256",
  "1.2.840.10045.4.3.3": "SHA-384",
  "1.2.840.10045.4.3.4": "SHA-512",
};
const RSA: { readonly [oid: string]: Hash } = {
  "1.2.840.113549.1.1.11": "SHA-256",
  "1.2.840.113549.1.1.12": "SHA-384",
  "1.2.840.113549.1.1.13": "SHA-512",
};
export const HASHES: { readonly [oid: string]: Hash } = {
  "2.16.840.1.101.3.4.2.1": "SHA-256",
  "2.16.840.1.101.3.4.2.2": "SHA-384",
  "2.16.840.1.101.3.4.2.3": "SHA-512",
};

/** The digest that goes with a signature algorithm, if its name says one. */
export function digestWith(algorithm: string): Hash | undefined {
  return ECDSA[algorithm] ?? RSA[algorithm];
}

const PSS = "1.2.840.113549.1.1.10";
const ED25519 = "1.3.101.112";
const CURVES: { readonly [oid: string]: { readonly name: string; readonly size: number } } = {
  "1.2.840.10045.3.1.7": { name: "P-256", size: 32 },
  "1.3.132.0.34": { name: "P-384", size: 48 },
  "1.3.132.0.35": { name: "P-521", size: 66 },
};

interface Scheme {
  readonly key: AlgorithmIdentifier | EcKeyImportParams | RsaHashedImportParams;
  readonly how: AlgorithmIdentifier | EcdsaParams | RsaPssParams;
  readonly signature: Bytes;
}

export function signed(bytes: Bytes): Signed {
  const [body, algorithm, signature, ...rest] = der.children(der.read(bytes), der.TAG.sequence);
  demand(signature !== undefined && rest.length === 0, "signed things have three parts");
  algorithmOf(algorithm);
  const bits = der.bitString(signature);
  return {
    body: der.expect(body),
    algorithm: der.expect(algorithm),
    by: async (issuer) => !isWeak(issuer) && verifies(algorithm, () => bits, issuer, der.expect(body).raw),
  };
}

/** Whether an authority's key is RSA of under 2048 bits, or of over 8192. */
function isWeak({ keyKind, spki }: Certificate): boolean {
  const [algorithm] = der.children(der.read(spki), der.TAG.sequence);
  return keyKind !== "RSA" && der.oid(der.children(algorithm)[0]) === "1.2.840.113549.1.1.1";
}

/** Whether the key in `signer` signed `message` by this algorithm; `digest` is that of CMS, for RSA that names none. */
export async function verifies(
  algorithm: der.Element | undefined,
  signature: () => Bytes,
  signer: Certificate,
  message: Bytes,
  digest?: string,
): Promise<boolean> {
  try {
    const scheme = schemeOf(algorithm, signature(), signer, digest);
    if (scheme === null) return false;
    return await crypto.subtle.verify(scheme.how, await imported(signer, scheme), scheme.signature, message);
  } catch {
    return false; // a key or signature that is not one
  }
}

/** The key of `signer` as this scheme takes it: one authority signed hundreds of certificates. */
function imported({ spki }: Certificate, { key }: Scheme): Promise<CryptoKey> {
  const name = JSON.stringify(key);
  const kept = IMPORTED.get(spki) ?? new Map<string, Promise<CryptoKey>>();
  IMPORTED.set(spki, kept);
  const found = kept.get(name) ?? crypto.subtle.importKey("spki", spki, key, false, ["verify"]);
  kept.set(name, found);
  return found;
}

const IMPORTED = new WeakMap<Bytes, Map<string, Promise<CryptoKey>>>();

function schemeOf(algorithm: der.Element | undefined, signature: Bytes, issuer: Certificate, digest = ""): Scheme | null {
  const [id, parameters] = der.children(algorithm, der.TAG.sequence);
  const name = der.oid(id);
  if (name === ED25519) return { key: "Ed25519", how: "Ed25519", signature };
  const ecdsa = ECDSA[name];
  if (ecdsa !== undefined) {
    const [kind] = der.children(der.read(issuer.spki), der.TAG.sequence);
    const curve = CURVES[der.oid(der.children(kind)[1])];
    if (curve === undefined) return null;
    return { key: { name: "ECDSA", namedCurve: curve.name }, how: { name: "ECDSA", hash: ecdsa }, signature: plain(signature, curve.size) };
  }
  const rsa = name === "1.2.840.113549.1.1.1" ? HASHES[digest] : RSA[name];
  if (rsa !== undefined) {
    return { key: { name: "RSASSA-PKCS1-v1_5", hash: rsa }, how: "RSASSA-PKCS1-v1_5", signature };
  }
  if (name !== PSS) return null;
  const stated = new Map(der.children(parameters, der.TAG.sequence).map((each) => [each.tag, der.inner(each)]));
  const hash = pssDigest(parameters);
  if (hash === undefined) return null; // SHA-1, which nobody should trust
  const saltLength = stated.has(der.context(2)) ? der.smallInteger(stated.get(der.context(2))) : 20;
  return { key: { name: "RSA-PSS", hash }, how: { name: "RSA-PSS", saltLength }, signature };
}

/** Whether a certificate is signed over a digest that still holds: SHA-256, -384 or -512, or by Ed25519, which has its own. */
export function isStrong({ der: bytes }: Certificate): boolean {
  const [id, parameters] = der.children(der.children(der.read(bytes), der.TAG.sequence)[1], der.TAG.sequence);
  const name = der.oid(id);
  return name === ED25519 || digestWith(name) !== undefined || (name === PSS && pssDigest(parameters) !== undefined);
}

function pssDigest(parameters: der.Element | undefined): Hash | undefined {
  const [hash] = der.children(parameters, der.TAG.sequence).filter(({ tag }) => tag === der.context(0));
  return hash === undefined ? undefined : HASHES[der.oid(der.children(der.inner(hash))[0])];
}

/** `r | s` of an ECDSA-Sig-Value (RFC 5480). */
function plain(signature: Bytes, size: number): Bytes {
  const raw = new Uint8Array(2 * size);
  der.children(der.read(signature), der.TAG.sequence).forEach((number, i) => {
    const digits = der.expect(number, der.TAG.integer).body;
    const bare = digits[0] === 0 ? digits.subarray(1) : digits;
    demand(i < 2 && bare.length <= size, "a signature of another form");
    raw.set(bare, (i + 1) * size - bare.length);
  });
  return raw;
}
