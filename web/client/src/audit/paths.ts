/**
 * Certificate paths at a given moment: from a signer to an anchor of the bundle (RFC 5280 section 6, as far as
 * crypto/FORMAT.md section 9 and sessions/ARCHIVE.md ask).
 */

import { equal } from "../bytes.js";
import * as der from "../der.js";
import { canEncrypt, canSign, type Certificate } from "../x509.js";
import { extensionOf, extensionsOf } from "./extensions.js";
import { ALL_REASONS, entryOf, inDate, passing, reasonsOf, removed, type RevocationList } from "./lists.js";
import { permits, sameName, selfIssued } from "./names.js";
import { type Answer, answeredBy, unchecked } from "./ocsp.js";
import { policiesPermit } from "./policies.js";
import { demand } from "./report.js";
import type { Usage } from "./shapes.js";
import { isStrong, signed } from "./signed.js";

const MOST_BETWEEN = 6;

/** Critical extensions that are understood here: everything else in one of them is refused. */
const KNOWN: readonly string[] = [
  "2.5.29.15", // keyUsage
  "2.5.29.17", // subjectAltName
  "2.5.29.19", // basicConstraints
  "2.5.29.30", // nameConstraints
  "2.5.29.32", // certificatePolicies
  "2.5.29.33", // policyMappings
  "2.5.29.36", // policyConstraints
  "2.5.29.37", // extKeyUsage: whoever needs a purpose asks for it
  "2.5.29.54", // inhibitAnyPolicy
];
/** How many keepers of lists may vouch for one another in a row. */
const MOST_KEEPERS = 3;

/** Whom the bundle asks us to trust, and what it has of revocation. */
export interface Trust {
  readonly anchors: readonly Certificate[];
  readonly intermediates: readonly Certificate[];
  readonly lists: readonly RevocationList[];
  readonly answers?: readonly (Answer | null)[];
  /** Whether an authority may say nothing of what its key is for (RFC 5280 section 6.1.4 n): those of timestamps. */
  readonly lenient?: boolean;
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
    const said = await revocation(path.slice(i), trust, at);
    if (said === "revoked") return said;
    known &&= said === "good";
  }
  return known ? "good" : "unknown";
}

/** Fail unless a certificate is an end entity's, with a key of a kind we use, for this and not for the other. */
export function checkLeaf(certificate: Certificate, usage: Usage): void {
  demand(!certificate.isAuthority, "an authority's certificate where a person's is expected");
  demand(certificate.keyKind !== "other", "a key of a kind that is not used here");
  demand(isStrong(certificate), "signed over a digest that no longer holds");
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

/** The first path from the last of `path` to an anchor that issued it, or null: nobody is an authority for itself, though it be listed. */
async function climb(
  path: readonly Certificate[],
  between: readonly Certificate[],
  trust: Trust,
  at: number,
): Promise<readonly Certificate[] | null> {
  const last = path.at(-1)!;
  const below = path.slice(1).filter((each) => !selfIssued(each)).length;
  for (const anchor of trust.anchors) if ((await issued(anchor, last, below, at, trust.lenient)) && acceptable([...path, anchor])) return [...path, anchor];
  if (path.length > MOST_BETWEEN) return null;
  for (const issuer of between) {
    if ([...path, ...trust.anchors].some((one) => equal(one.der, issuer.der)) || !(await issued(issuer, last, below, at, trust.lenient))) continue;
    const whole = await climb([...path, issuer], between, trust, at);
    if (whole !== null) return whole;
  }
  return null;
}

/** Whether every critical extension is one that is understood here. */
export function understood(certificate: Certificate): boolean {
  return extensionsOf(certificate).every(({ id, critical }) => !critical || KNOWN.includes(id));
}

/** Whether names, policies and extensions let this path be. */
function acceptable(path: readonly Certificate[]): boolean {
  try {
    return path.every((certificate, i) => {
      const named = selfIssued(certificate) && i > 0 ? true : path.slice(i + 1).every((issuer) => permits(issuer, certificate));
      const top = i === path.length - 1;
      return named && (top || understood(certificate));
    }) && policiesPermit(path);
  } catch {
    return false; // an extension of another form than it has
  }
}

/** Whether `issuer` could issue `subject` at `at`, with `below` authorities between it and the signer, and did. */
async function issued(issuer: Certificate, subject: Certificate, below: number, at: number, lenient = false): Promise<boolean> {
  if (!sameName(issuer.subjectDer, subject.issuerDer) || !current(issuer, at)) return false;
  const silent = lenient && extensionOf(issuer, "2.5.29.15") === null;
  if (!issuer.isAuthority || !(silent || issuer.keyUsage.has("keyCertSign"))) return false;
  const limit = pathLength(issuer);
  if (limit !== null && below > limit) return false;
  return signed(subject.der).by(issuer);
}

/** What answers and lists say of the first of `path`. */
async function revocation(path: readonly Certificate[], trust: Trust, at: number): Promise<Standing> {
  const [subject, issuer] = [path[0]!, path[1]!];
  let known = false;
  for (const answer of trust.answers ?? []) {
    const by = answer === null ? null : await answeredBy(answer, subject, issuer);
    if (answer === null || by === null) continue;
    const delegate = !equal(by.der, issuer.der);
    if (delegate && !unchecked(by) && (await listed([by, ...path.slice(1)], trust, at)) !== "good") continue;
    if (answer.revoked !== null && answer.revoked <= at) return "revoked";
    known ||= at <= answer.until && answer.from <= subject.notAfter.getTime(); // authorities forget what has expired
  }
  if (await everRevoked(subject, issuer, trust, at)) return "revoked";
  return known ? "good" : listed(path, trust, at);
}

/** Whether a list of the issuer's own has it, in date or not: revocation does not wear off, as being on hold may. */
async function everRevoked(subject: Certificate, issuer: Certificate, trust: Trust, at: number): Promise<boolean> {
  if (!issuer.keyUsage.has("cRLSign")) return false;
  for (const list of trust.lists) {
    if (list.scope.indirect || !equal(list.issuer, issuer.subjectDer)) continue;
    const entry = entryOf(list, subject);
    if (entry !== null && !passing(entry) && entry.at <= at && (await list.signed.by(issuer))) return true;
  }
  return false;
}

/**
 * What the lists in date say together of the first of `path` (RFC 5280 section 6.3.3): `good` if for every reason one
 * speaks of it. `asked`: whom lists are being looked for already; one may speak of its own keeper.
 */
async function listed(path: readonly Certificate[], trust: Trust, at: number, asked: readonly Certificate[] = []): Promise<Standing> {
  const subject = path[0]!;
  let spokenFor = 0;
  for (const list of trust.lists) {
    if (list.base !== null || list.strange || !inDate(list, subject, at)) continue;
    const reasons = reasonsOf(list, subject);
    const keeper = reasons === 0 ? null : await keeperOf(list, path, trust, at, [...asked, subject]);
    if (keeper === null) continue;
    const deltas = trust.lists.filter((one) => amends(one, list) && inDate(one, subject, at)).sort((a, b) => b.from - a.from);
    const delta = list.amended ? await firstBy(keeper, deltas) : null;
    if (list.amended && delta === null) continue; // what it does not say the delta may
    const entry = (delta === null ? null : entryOf(delta, subject)) ?? entryOf(list, subject);
    if (entry?.strange === true) continue;
    if (entry !== null && !removed(entry) && entry.at <= at) return "revoked";
    spokenFor |= reasons;
  }
  return spokenFor === ALL_REASONS ? "good" : "unknown";
}

/** Whether `one` says what has changed since `list` (section 5.2.4). */
function amends({ base, kin, issuer, strange }: RevocationList, list: RevocationList): boolean {
  return !strange && base !== null && list.number !== null && base <= list.number && kin === list.kin && sameName(issuer, list.issuer);
}

async function firstBy(keeper: Certificate, lists: readonly RevocationList[]): Promise<RevocationList | null> {
  for (const list of lists) if (await list.signed.by(keeper)) return list;
  return null;
}

/** Who signed a list: somebody on the path, or whom one of them issued for it and who stands; null if neither. */
async function keeperOf(
  list: RevocationList,
  path: readonly Certificate[],
  trust: Trust,
  at: number,
  asked: readonly Certificate[],
): Promise<Certificate | null> {
  const above = path.slice(1);
  const others = [...trust.anchors, ...trust.intermediates].filter((one) => !above.some((each) => equal(each.der, one.der)));
  for (const one of [...above, ...others]) {
    if (!sameName(one.subjectDer, list.issuer) || !one.keyUsage.has("cRLSign") || !(await list.signed.by(one))) continue;
    if (above.includes(one) || asked.some((each) => equal(each.der, one.der))) return one;
    if (asked.length > MOST_KEEPERS || !current(one, at)) continue;
    for (const [i, issuer] of above.entries()) {
      const way = [one, ...above.slice(i)];
      if (!(await issued(issuer, one, 0, at)) || !acceptable(way)) continue;
      if ((await listed(way, trust, at, asked)) === "good") return one;
    }
  }
  return null;
}

/** The pathLenConstraint of an authority (RFC 5280 section 4.2.1.9), or null. */
function pathLength(certificate: Certificate): number | null {
  const constraints = extensionOf(certificate, "2.5.29.19");
  if (constraints === null) return null;
  const [, limit] = der.children(der.read(constraints.value), der.TAG.sequence);
  return limit === undefined ? null : der.smallInteger(limit);
}
