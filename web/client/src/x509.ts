/**
 * Certificates: reading what the client needs of one.
 *
 * @remarks Reading is not trusting. Paths, revocation and dates are judged by the server against its trust
 * anchors; here a certificate is only understood, and its key imported.
 */

import { type Bytes, equal, hex } from "./bytes.js";
import * as der from "./der.js";
import { form, reading, Refused, require } from "./errors.js";
import { digest } from "./sha256.js";

/** One attribute of a name: its type in dotted form and its value. */
export interface Attribute {
  readonly type: string;
  readonly value: string;
}

/** Names of the bits of the KeyUsage extension, in order (RFC 5280 section 4.2.1.3). */
const USAGES = [
  "digitalSignature",
  "nonRepudiation",
  "keyEncipherment",
  "dataEncipherment",
  "keyAgreement",
  "keyCertSign",
  "cRLSign",
  "encipherOnly",
  "decipherOnly",
] as const;

export type KeyUsage = (typeof USAGES)[number];

/** The kinds of key we work with; an issuer may have an `other`, which only the server looks at. */
export type KeyKind = "P-256" | "P-384" | "RSA" | "other";

/** A certificate as far as we read it. */
export interface Certificate {
  /** The whole certificate, DER. */
  readonly der: Bytes;
  /** Lower-case hex, without leading zeros beyond a whole byte. */
  readonly serial: string;
  readonly subject: readonly Attribute[];
  readonly issuer: readonly Attribute[];
  readonly subjectDer: Bytes;
  readonly issuerDer: Bytes;
  readonly serialDer: Bytes;
  readonly notBefore: Date;
  readonly notAfter: Date;
  /** Empty when the certificate has no such extension. */
  readonly keyUsage: ReadonlySet<KeyUsage>;
  readonly isAuthority: boolean;
  readonly keyKind: KeyKind;
  /** SubjectPublicKeyInfo, DER: what `crypto.subtle.importKey("spki", …)` takes. */
  readonly spki: Bytes;
  /** The subjectKeyIdentifier extension, if there is one. */
  readonly keyId: Bytes | null;
}

const LIMIT = 16 * 1024;
const NAME = { commonName: "2.5.4.3", serialNumber: "2.5.4.5", organization: "2.5.4.10", organizationIdentifier: "2.5.4.97" };

/** The public key of a certificate on P-256, as an uncompressed point of 65 bytes; `weak_key` for another. */
export async function pointOf({ keyKind, spki }: Certificate): Promise<Bytes> {
  require(keyKind === "P-256", "weak_key", "the certificate's key is not on P-256");
  try {
    const key = await crypto.subtle.importKey("spki", spki, { name: "ECDH", namedCurve: "P-256" }, true, []);
    return new Uint8Array(await crypto.subtle.exportKey("raw", key));
  } catch (error) {
    throw new Refused("weak_key", "the key in the certificate is no point of P-256", "Ask your CA for another certificate.", error);
  }
}

/** Read one DER certificate of at most 16 KiB; `malformed_certificate` if it is not one. */
export function readCertificate(bytes: Bytes): Certificate {
  return reading("malformed_certificate", "certificate", () => {
    form(bytes.length <= LIMIT, "larger than 16 KiB");
    const whole = der.children(der.read(bytes), der.TAG.sequence);
    form(whole.length === 3, "three members are expected");
    const fields = der.children(whole[0], der.TAG.sequence);
    if (fields[0]?.tag === der.context(0)) form(der.smallInteger(der.inner(fields.shift())) === 2, "another version than 3");
    const [serial, algorithm, issuer, validity, subject, spki, ...rest] = fields;
    algorithmOf(algorithm);
    form(equal(der.expect(algorithm).raw, der.expect(whole[1]).raw), "two signature algorithms");
    der.bitString(whole[2]);
    const order = rest.map(({ tag }) => [0x81, 0x82, der.context(3)].indexOf(tag));
    form(order.every((place, i) => place > (order[i - 1] ?? -1)), "a field that certificates do not have");
    const number = der.expect(serial, der.TAG.integer).body;
    form(number.some((byte) => byte !== 0) && number[0]! < 0x80, "its serial number is not positive");
    const [notBefore, notAfter, ...after] = der.children(validity, der.TAG.sequence);
    form(after.length === 0, "a validity of more than two moments");
    const extensions = readExtensions(rest.find((field) => field.tag === der.context(3)));
    return {
      der: bytes,
      serial: hex(trimmed(number)),
      subject: readName(subject),
      issuer: readName(issuer),
      subjectDer: der.expect(subject).raw,
      issuerDer: der.expect(issuer).raw,
      serialDer: der.expect(serial).raw,
      notBefore: der.time(notBefore),
      notAfter: der.time(notAfter),
      keyUsage: readKeyUsage(extensions.get("2.5.29.15")),
      isAuthority: readIsAuthority(extensions.get("2.5.29.19")),
      keyKind: readKeyKind(spki),
      spki: der.expect(spki).raw,
      keyId: extensions.has("2.5.29.14") ? der.octets(der.read(extensions.get("2.5.29.14")!)) : null,
    };
  });
}

/** Algorithms without parameters, or with a NULL: ECDSA, RSA as in PKCS#1 v1.5, and the digests SHA-256 to SHA-512. */
const BARE = /^(?:1\.2\.840\.10045\.4\.3\.[1-4]|1\.2\.840\.113549\.1\.1\.(?:[45]|1[1-4])|2\.16\.840\.1\.101\.3\.4\.2\.[1-3])$/;

/** The identifier of an AlgorithmIdentifier (RFC 5280 section 4.1.1.2). */
export function algorithmOf(element: der.Element | undefined): string {
  const [id, parameters, ...rest] = der.children(element, der.TAG.sequence);
  const name = der.oid(id);
  form(rest.length === 0 && (parameters === undefined || !BARE.test(name) || parameters.tag === der.TAG.null), "an algorithm with strange parameters");
  return name;
}

/** Read the certificates of a PEM text, in order. */
export function readPem(pem: string): Certificate[] {
  const blocks = pem.matchAll(/-----BEGIN CERTIFICATE-----([A-Za-z0-9+/=\s]+)-----END CERTIFICATE-----/g);
  return [...blocks].map(([, body]) =>
    readCertificate(Uint8Array.from(atob(body!.replace(/\s/g, "")), (char) => char.charCodeAt(0))),
  );
}

/** SHA-256 of the whole certificate: how headers and statements name it. */
export function fingerprint(certificate: Certificate): Bytes {
  return digest(certificate.der);
}

/** The number of the organisation a certificate speaks for: organizationIdentifier, else serialNumber; null if none. */
export function organisation(certificate: Certificate): string | null {
  return attribute(certificate, "organizationIdentifier") ?? attribute(certificate, "serialNumber");
}

/** The same, refusing as `no_identity` a certificate without: it is how the hall names a bidder. */
export function bidderId(certificate: Certificate): string {
  const id = organisation(certificate);
  require(
    id !== null,
    "no_identity",
    "the certificate names no organisation by number",
    "Ask your CA for a certificate with your unified social credit code.",
  );
  return id;
}

/** The organisation's name, else the common name, else its number: how a bidder is listed. */
export function bidderName(certificate: Certificate): string {
  return attribute(certificate, "organization") ?? attribute(certificate, "commonName") ?? bidderId(certificate);
}

/** The first value of a subject attribute, or null. */
export function attribute(certificate: Certificate, name: keyof typeof NAME): string | null {
  return certificate.subject.find(({ type }) => type === NAME[name])?.value ?? null;
}

/** Whether the certificate is for signing, and for nothing that encrypts. */
export function canSign({ keyUsage }: Certificate): boolean {
  return (keyUsage.has("digitalSignature") || keyUsage.has("nonRepudiation")) && !hasEncryption(keyUsage);
}

/** Whether the certificate is for encrypting to, and for nothing that signs. */
export function canEncrypt({ keyUsage }: Certificate): boolean {
  return hasEncryption(keyUsage) && !keyUsage.has("digitalSignature") && !keyUsage.has("nonRepudiation");
}

function hasEncryption(usage: ReadonlySet<KeyUsage>): boolean {
  return usage.has("keyEncipherment") || usage.has("dataEncipherment") || usage.has("keyAgreement");
}

/** The attributes of a name, in order. */
export function readName(element: der.Element | undefined): Attribute[] {
  return der.children(element, der.TAG.sequence).flatMap((set) =>
    der.children(set, der.TAG.set).map((pair) => {
      const [type, value] = der.children(pair, der.TAG.sequence);
      return { type: der.oid(type), value: der.text(value) };
    }),
  );
}

function readExtensions(field: der.Element | undefined): Map<string, Bytes> {
  const found = new Map<string, Bytes>();
  if (field === undefined) return found;
  const extensions = der.children(der.inner(field), der.TAG.sequence);
  form(extensions.length > 0, "no extension where some are announced");
  for (const extension of extensions) {
    const [name, ...parts] = der.children(extension, der.TAG.sequence);
    const id = der.oid(name);
    form(!found.has(id), "an extension given twice");
    const critical = parts.length === 2 ? der.expect(parts.shift(), der.TAG.boolean).body[0] : 0xff; // false is left out
    form(critical === 0xff && parts.length === 1, "an extension of another form");
    const value = der.octets(parts[0]);
    const tags = LISTS.test(id) ? der.children(der.read(value), der.TAG.sequence).map(({ tag }) => tag) : [];
    const named = INSIDE.get(id);
    form(named === undefined || tags.every((tag) => named.includes(tag)), "an extension of another form");
    form(id !== "2.5.29.35" || tags.includes(0xa1) === tags.includes(0x82), "half an issuer and number"); // section 4.2.1.1
    found.set(id, value);
  }
  return found;
}

/** Extensions that are a SEQUENCE; of these the ones whose members can only have certain tags. */
const LISTS = /^(?:2\.5\.29\.(?:17|18|19|30|31|32|33|35|36|37|46)|1\.3\.6\.1\.5\.5\.7\.1\.1)$/;
const NAMES: readonly number[] = [0xa0, 0x81, 0x82, 0xa3, 0xa4, 0xa5, 0x86, 0x87, 0x88];
const INSIDE: ReadonlyMap<string, readonly number[]> = new Map([
  ["2.5.29.17", NAMES],
  ["2.5.29.18", NAMES],
  ["2.5.29.30", [0xa0, 0xa1]],
  ["2.5.29.31", [der.TAG.sequence]],
  ["2.5.29.35", [0x80, 0xa1, 0x82]],
  ["2.5.29.37", [der.TAG.oid]],
  ["2.5.29.46", [der.TAG.sequence]],
]);

function readKeyUsage(extension: Bytes | undefined): ReadonlySet<KeyUsage> {
  if (extension === undefined) return new Set();
  const [, ...bits] = der.expect(der.read(extension), der.TAG.bits).body;
  return new Set(USAGES.filter((_, i) => ((bits[i >> 3] ?? 0) & (0x80 >> (i & 7))) !== 0));
}

function readIsAuthority(extension: Bytes | undefined): boolean {
  if (extension === undefined) return false;
  const parts = der.children(der.read(extension), der.TAG.sequence);
  const flag = parts[0]?.tag === der.TAG.boolean ? parts.shift()!.body[0] === 0xff : null;
  if (parts[0]?.tag === der.TAG.integer) der.smallInteger(parts.shift());
  form(parts.length === 0 && flag !== false, "basic constraints of another form"); // false is left out
  return flag === true;
}

function readKeyKind(spki: der.Element | undefined): KeyKind {
  const [algorithm, key, ...rest] = der.children(spki, der.TAG.sequence);
  form(rest.length === 0, "a key with something behind it");
  der.bitString(key);
  const [, parameters] = der.children(algorithm, der.TAG.sequence);
  switch (algorithmOf(algorithm)) {
    case "1.2.840.113549.1.1.1": {
      const [modulus] = der.children(der.read(der.bitString(key)), der.TAG.sequence);
      const size = trimmed(der.expect(modulus, der.TAG.integer).body).length * 8;
      return size >= 2048 && size <= 8192 ? "RSA" : "other";
    }
    case "1.2.840.10045.2.1":
      switch (der.oid(parameters)) {
        case "1.2.840.10045.3.1.7":
          return "P-256";
        case "1.3.132.0.34":
          return "P-384";
      }
  }
  return "other";
}

function trimmed(number: Bytes): Bytes {
  return number.length > 1 && number[0] === 0 ? number.subarray(1) : number;
}
