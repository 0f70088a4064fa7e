/**
 * Certificate paths at a given moment: from a signer to an anchor of the bundle (RFC 5280 section 6, as far as
 * crypto/FORMAT.md section 9 and sessions/ARCHIVE.md ask).
 */

import { type Bytes, equal } from "../bytes.js";
import * as der from "../der.js";
import { canEncrypt, canSign, type Certificate } from "../x509.js";
import { type Answer, answeredBy, unchecked } from "./ocsp.js";
import { demand } from "./report.js";
import { signed, type Signed } from "./signed.js";

const MOST_BETWEEN = 6;

/** Whom the bundle asks us to trust, and what it has of revocation. */
export interface Trust {
  readonly anchors: readonly Certificate[];
  readonly intermediates: readonly Certificate[];
  readonly lists: readonly RevocationList[];
  readonly answers?: readonly (Answer | null)[];
}

/** A certificate revocation list (RFC 5280 section 5). */
export interface RevocationList {
  readonly issuer: Bytes;
  readonly from: number;
  readonly until: number | null;
  /** When each serial number was revoked, by its bytes in hex. */
  readonly revoked: ReadonlyMap<string, { readonly at: number; readonly held: boolean }>;
  /** Whether it has a critical extension: a delta, or one that is not of everything or not of its own issuer. */
  readonly partial: boolean;
  readonly signed: Signed;
}

/** Fail unless `certificate` was a signer's, valid at `at`, and leads to an anchor by way of `offered` issuers. */
export async function validate(certificate: Certificate, trust: Trust, at: number, offered: readonly Certificate[]): Promise<void> {
  checkLeaf(certificate, "sign");
  demand(current(certificate, at), "the certificate was not valid when the bid arrived");
  const path = await pathTo(certificate, trust, at, offered);
  demand(path !== null, "the certificate leads to none of the authorities in the bundle");
  demand((await standing(path, trust, at)) !== "revoked", "the certificate had been revoked");
}

/** The first path from `certificate` to an anchor at `at`, or null. */
export function pathTo(
  certificate: Certificate,
  trust: Trust,
  at: number,
  offered: readonly Certificate[] = [],
): Promise<readonly Certificate[] | null> {
  return climb([certificate], [...trust.intermediates, ...offered.slice(0, 16)], trust, at);
}

type Standing = "good" | "revoked" | "unknown";

/** What lists and answers say of a path at `at`; `good` only if some in date speaks for all below the anchor. */
export async function standing(path: readonly Certificate[], trust: Trust, at: number): Promise<Standing> {
  let known = true;
  for (let i = 0; i + 1 < path.length; i++) {
    const said = await revocation(path[i]!, path[i + 1]!, trust, at);
    if (said === "revoked") return said;
    known &&= said === "good";
  }
  return known ? "good" : "unknown";
}

/** Fail unless a certificate is an end entity's, with a key of a kind we use, for this and not for the other. */
export function checkLeaf(certificate: Certificate, usage: "sign" | "encrypt"): void {
  demand(!certificate.isAuthority, "an authority's certificate where a person's is expected");
  demand(certificate.keyKind !== "other", "a key of a kind that is not used here");
  const fits = certificate.keyKind === "RSA" ? "keyEncipherment" : "keyAgreement";
  const good = usage === "sign" ? canSign(certificate) : canEncrypt(certificate) && certificate.keyUsage.has(fits);
  demand(good, `the certificate is not for this: ${usage}`);
}

function current(certificate: Certificate, at: number): boolean {
  return certificate.notBefore.getTime() <= at && at <= certificate.notAfter.getTime();
}

/** Whether `certificate` leads to one of the anchors at `at`. */
export async function leadsToAnchor(certificate: Certificate, trust: Trust, at: number): Promise<boolean> {
  return (await climb([certificate], trust.intermediates, trust, at)) !== null;
}

/** The first path from the last of `path` to an anchor, or null. */
async function climb(
  path: readonly Certificate[],
  between: readonly Certificate[],
  trust: Trust,
  at: number,
): Promise<readonly Certificate[] | null> {
  const last = path.at(-1)!;
  if (trust.anchors.some((anchor) => equal(anchor.der, last.der))) return path;
  for (const anchor of trust.anchors) if (await issued(anchor, last, path.length - 1, at)) return [...path, anchor];
  if (path.length > MOST_BETWEEN) return null;
  for (const issuer of between) {
    if (path.some((one) => equal(one.der, issuer.der)) || !(await issued(issuer, last, path.length - 1, at))) continue;
    const whole = await climb([...path, issuer], between, trust, at);
    if (whole !== null) return whole;
  }
  return null;
}

/** Whether `issuer` could issue `subject` at `at`, with `below` authorities between it and the signer, and did. */
async function issued(issuer: Certificate, subject: Certificate, below: number, at: number): Promise<boolean> {
  if (!equal(issuer.subjectDer, subject.issuerDer) || !current(issuer, at)) return false;
  if (!issuer.isAuthority || !issuer.keyUsage.has("keyCertSign")) return false;
  const limit = pathLength(issuer);
  if (limit !== null && below > limit) return false;
  return signed(subject.der).by(issuer);
}

async function revocation(subject: Certificate, issuer: Certificate, trust: Trust, at: number): Promise<Standing> {
  let known = false;
  for (const answer of trust.answers ?? []) {
    const by = answer === null ? null : await answeredBy(answer, subject, issuer);
    if (answer === null || by === null) continue;
    const delegate = !equal(by.der, issuer.der);
    if (delegate && !unchecked(by) && (await listed(by, issuer, trust, at)) !== "good") continue;
    if (answer.revoked !== null && answer.revoked <= at) return "revoked";
    known ||= at <= answer.until && answer.from <= subject.notAfter.getTime(); // authorities forget what has expired
  }
  const said = await listed(subject, issuer, trust, at);
  return said === "unknown" && known ? "good" : said;
}

/** What the issuer's own lists say. Lists that others keep for it, partial lists and deltas say nothing here. */
async function listed(subject: Certificate, issuer: Certificate, trust: Trust, at: number): Promise<Standing> {
  let known = false;
  for (const list of trust.lists) {
    if (list.partial || !equal(list.issuer, issuer.subjectDer)) continue;
    if (!issuer.keyUsage.has("cRLSign") || !(await list.signed.by(issuer))) continue;
    const entry = list.revoked.get(subject.serial);
    const inDate = list.until !== null && at <= list.until && list.from <= subject.notAfter.getTime();
    // An entry counts even in a list that is out of date: revocation does not wear off. One on hold may.
    if (entry !== undefined && entry.at <= at && (!entry.held || inDate)) return "revoked";
    known ||= inDate;
  }
  return known ? "good" : "unknown";
}

/** The pathLenConstraint of an authority (RFC 5280 section 4.2.1.9), or null. */
function pathLength(certificate: Certificate): number | null {
  const constraints = extensionOf(certificate, "2.5.29.19");
  if (constraints === null) return null;
  const [, limit] = der.children(der.read(constraints.value), der.TAG.sequence);
  return limit === undefined ? null : der.smallInteger(limit);
}

/** An extension of a certificate by its identifier, or null. */
export function extensionOf(certificate: Certificate, id: string): { readonly critical: boolean; readonly value: Bytes } | null {
  const [tbs] = der.children(der.read(certificate.der), der.TAG.sequence);
  const field = der.children(tbs).find(({ tag }) => tag === der.context(3));
  if (field === undefined) return null;
  for (const extension of der.children(der.inner(field), der.TAG.sequence)) {
    const parts = der.children(extension, der.TAG.sequence);
    if (der.oid(parts[0]) === id) return { critical: parts.length === 3 && parts[1]!.body[0] === 0xff, value: der.octets(parts.at(-1)) };
  }
  return null;
}

/** Read a revocation list. */
export function readList(bytes: Bytes): RevocationList {
  const whole = signed(bytes);
  const fields = der.children(whole.body, der.TAG.sequence);
  if (fields[0]?.tag === der.TAG.integer) fields.shift(); // version
  const [, issuer, from, ...rest] = fields;
  const until = rest[0] !== undefined && [der.TAG.utcTime, der.TAG.time].includes(rest[0].tag as 0x17) ? rest.shift() : undefined;
  const entries = rest[0]?.tag === der.TAG.sequence ? der.children(rest[0]) : [];
  const revoked = new Map<string, { at: number; held: boolean }>();
  for (const entry of entries) {
    const [serial, when, more] = der.children(entry, der.TAG.sequence);
    const at = der.time(when).getTime();
    revoked.set(serialOf(der.expect(serial, der.TAG.integer).body), { at, held: onHold(more) });
  }
  const extensions = rest.find(({ tag }) => tag === der.context(0));
  const partial = extensions !== undefined && der.children(der.inner(extensions), der.TAG.sequence).some(isCritical);
  return {
    issuer: der.expect(issuer).raw,
    from: der.time(from).getTime(),
    until: until === undefined ? null : der.time(until).getTime(),
    revoked,
    partial,
    signed: whole,
  };
}

function isCritical(extension: der.Element): boolean {
  const parts = der.children(extension, der.TAG.sequence);
  return parts.length === 3 && parts[1]!.body[0] === 0xff;
}

/** The reason of an entry is certificateHold or removeFromCRL (RFC 5280 section 5.3.1). */
function onHold(extensions: der.Element | undefined): boolean {
  if (extensions === undefined) return false;
  const reason = der.children(extensions, der.TAG.sequence).find((each) => der.oid(der.children(each)[0]) === "2.5.29.21");
  const code = reason === undefined ? undefined : der.read(der.octets(der.children(reason).at(-1))).body[0];
  return code === 6 || code === 8;
}

function serialOf(number: Bytes): string {
  const bare = number.length > 1 && number[0] === 0 ? number.subarray(1) : number;
  return Array.from(bare, (byte) => byte.toString(16).padStart(2, "0")).join("");
}
