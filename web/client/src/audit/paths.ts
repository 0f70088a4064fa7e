/**
 * Certificate paths at a given moment: from a signer to an anchor of the bundle (RFC 5280 section 6, as far as
 * crypto/FORMAT.md section 9 and sessions/ARCHIVE.md ask).
 */

import { type Bytes, equal, hex } from "../bytes.js";
import * as der from "../der.js";
import { canEncrypt, canSign, type Certificate } from "../x509.js";
import { extensionOf, extensionsOf } from "./extensions.js";
import { permits, sameName, selfIssued } from "./names.js";
import { type Answer, answeredBy, unchecked } from "./ocsp.js";
import { demand } from "./report.js";
import type { Usage } from "./shapes.js";
import { signed, type Signed } from "./signed.js";

const MOST_BETWEEN = 6;

/** Critical extensions that are understood here: everything else in one of them is refused. */
const KNOWN: readonly string[] = [
  "2.5.29.15", // keyUsage
  "2.5.29.17", // subjectAltName
  "2.5.29.19", // basicConstraints
  "2.5.29.30", // nameConstraints
  "2.5.29.32", // certificatePolicies: asked for by nobody here
  "2.5.29.33", // policyMappings
  "2.5.29.36", // policyConstraints
  "2.5.29.37", // extKeyUsage: whoever needs a purpose asks for it
  "2.5.29.54", // inhibitAnyPolicy
];
const POLICY_CONSTRAINTS = "2.5.29.36";
const FRESHEST = "2.5.29.46";

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
  /** Whether deltas amend it, which are not read: what it does not say they may. */
  readonly amended: boolean;
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
  if (!current(certificate, at)) return Promise.resolve(null);
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
export function checkLeaf(certificate: Certificate, usage: Usage): void {
  demand(!certificate.isAuthority, "an authority's certificate where a person's is expected");
  demand(certificate.keyKind !== "other", "a key of a kind that is not used here");
  if (usage === "stamp") return demand(forStampsAlone(certificate), "the certificate is not for timestamps alone");
  const fits = certificate.keyKind === "RSA" ? "keyEncipherment" : "keyAgreement";
  const good = usage === "sign" ? canSign(certificate) : canEncrypt(certificate) && certificate.keyUsage.has(fits);
  demand(good, `the certificate is not for this: ${usage}`);
}

/** Whether a certificate says, critically, that it is for timestamps and nothing else (RFC 3161 section 2.3). */
export function forStampsAlone(certificate: Certificate): boolean {
  const usage = extensionOf(certificate, "2.5.29.37");
  const purposes = usage === null ? [] : der.children(der.read(usage.value), der.TAG.sequence).map((each) => der.oid(each));
  return usage?.critical === true && purposes.join() === "1.3.6.1.5.5.7.3.8";
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
  const below = path.slice(1).filter((each) => !selfIssued(each)).length;
  for (const anchor of trust.anchors) if ((await issued(anchor, last, below, at)) && acceptable([...path, anchor])) return [...path, anchor];
  if (path.length > MOST_BETWEEN) return null;
  for (const issuer of between) {
    if (path.some((one) => equal(one.der, issuer.der)) || !(await issued(issuer, last, below, at))) continue;
    const whole = await climb([...path, issuer], between, trust, at);
    if (whole !== null) return whole;
  }
  return null;
}

/**
 * Whether names, policies and extensions let this path be. Of policies only what is easily said: an authority that
 * asks for one to be stated explicitly is refused, whatever is stated.
 */
function acceptable(path: readonly Certificate[]): boolean {
  try {
    return path.every((certificate, i) => {
      const named = selfIssued(certificate) && i > 0 ? true : path.slice(i + 1).every((issuer) => permits(issuer, certificate));
      const top = i === path.length - 1;
      return named && (top || (!asksForPolicy(certificate) && extensionsOf(certificate).every(({ id, critical }) => !critical || KNOWN.includes(id))));
    });
  } catch {
    return false; // an extension of another form than it has
  }
}

function asksForPolicy(certificate: Certificate): boolean {
  const constraints = extensionOf(certificate, POLICY_CONSTRAINTS);
  return constraints !== null && der.children(der.read(constraints.value), der.TAG.sequence).some(({ tag }) => tag === der.contextPrimitive(0));
}

/** Whether `issuer` could issue `subject` at `at`, with `below` authorities between it and the signer, and did. */
async function issued(issuer: Certificate, subject: Certificate, below: number, at: number): Promise<boolean> {
  if (!sameName(issuer.subjectDer, subject.issuerDer) || !current(issuer, at)) return false;
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
    if (list.partial || !sameName(list.issuer, issuer.subjectDer)) continue;
    if (!issuer.keyUsage.has("cRLSign") || !(await list.signed.by(issuer))) continue;
    const entry = list.revoked.get(hex(der.read(subject.serialDer).body));
    const inDate = list.until !== null && at <= list.until && list.from <= subject.notAfter.getTime();
    // An entry counts even in a list that is out of date: revocation does not wear off. One on hold may.
    if (entry !== undefined && entry.at <= at && (!entry.held || inDate)) return "revoked";
    known ||= inDate && !list.amended;
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
    revoked.set(hex(der.expect(serial, der.TAG.integer).body), { at, held: onHold(more) });
  }
  const extensions = rest.find(({ tag }) => tag === der.context(0));
  const said = extensions === undefined ? [] : der.children(der.inner(extensions), der.TAG.sequence);
  return {
    issuer: der.expect(issuer).raw,
    from: der.time(from).getTime(),
    until: until === undefined ? null : der.time(until).getTime(),
    revoked,
    partial: said.some(isCritical),
    amended: said.some((each) => der.oid(der.children(each)[0]) === FRESHEST),
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
