/**
 * Certificates: reading what the client needs of one.
 *
 * @remarks Reading is not trusting. Paths, revocation and dates are judged by the server against its trust
 * anchors; here a certificate is only understood, and its key imported.
 */

import { type Bytes, hex } from "./bytes.js";
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
    if (fields[0]?.tag === der.context(0)) fields.shift(); // version
    const [serial, , issuer, validity, subject, spki, ...rest] = fields;
    const number = der.expect(serial, der.TAG.integer).body;
    form(number.some((byte) => byte !== 0) && number[0]! < 0x80, "its serial number is not positive");
    const [notBefore, notAfter] = der.children(validity, der.TAG.sequence);
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

function readName(element: der.Element | undefined): Attribute[] {
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
  for (const extension of der.children(der.inner(field), der.TAG.sequence)) {
    const parts = der.children(extension, der.TAG.sequence); // identifier, perhaps "critical", value
    const id = der.oid(parts[0]);
    form(!found.has(id), "an extension given twice");
    found.set(id, der.octets(parts.at(-1)));
  }
  return found;
}

function readKeyUsage(extension: Bytes | undefined): ReadonlySet<KeyUsage> {
  if (extension === undefined) return new Set();
  const [, ...bits] = der.expect(der.read(extension), der.TAG.bits).body;
  return new Set(USAGES.filter((_, i) => ((bits[i >> 3] ?? 0) & (0x80 >> (i & 7))) !== 0));
}

function readIsAuthority(extension: Bytes | undefined): boolean {
  if (extension === undefined) return false;
  const [flag] = der.children(der.read(extension), der.TAG.sequence);
  return flag?.tag === der.TAG.boolean && flag.body[0] === 0xff;
}

function readKeyKind(spki: der.Element | undefined): KeyKind {
  const [algorithm, key] = der.children(spki, der.TAG.sequence);
  const [id, parameters] = der.children(algorithm, der.TAG.sequence);
  switch (der.oid(id)) {
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
