/**
 * Certificate revocation lists (RFC 5280 section 5): reading one, and which certificates it speaks of.
 *
 * @remarks A list may be kept by somebody for others (indirect), be of some certificates or reasons only (partial), or
 * say what has changed since another (delta).
 */

import { type Bytes, equal, hex } from "../bytes.js";
import * as der from "../der.js";
import { type Certificate, readName } from "../x509.js";
import { type Extension, extensionOf, readExtensions } from "./extensions.js";
import { sameName, spelled, spelledGeneral } from "./names.js";
import { demand } from "./report.js";
import { signed, type Signed } from "./signed.js";

const ID = {
  number: "2.5.29.20",
  reason: "2.5.29.21",
  hold: "2.5.29.23",
  invalidity: "2.5.29.24",
  delta: "2.5.29.27",
  point: "2.5.29.28",
  issuer: "2.5.29.29",
  points: "2.5.29.31",
  key: "2.5.29.35",
  freshest: "2.5.29.46",
  alternative: "2.5.29.18",
  access: "1.3.6.1.5.5.7.1.1",
};
/** Critical extensions of a list, and of an entry, that are understood: with another it says nothing. */
const OF_LISTS = [ID.alternative, ID.number, ID.delta, ID.point, ID.key, ID.freshest, ID.access];
const OF_ENTRIES = [ID.reason, ID.hold, ID.invalidity, ID.issuer];

/** Every reason there is, as the bits 1 to 8 of ReasonFlags from the left. */
export const ALL_REASONS = 0x7f80;
const [ON_HOLD, REMOVED] = [6, 8];

/** That a certificate was revoked. */
export interface Entry {
  readonly at: number;
  readonly reason: number;
  /** Whose certificate, in an indirect list: the name as `spelled`; null: the keeper's own. */
  readonly issuer: string | null;
  /** Whether something critical in it is not understood. */
  readonly strange: boolean;
}

/** Of what a list is (issuingDistributionPoint). */
interface Scope {
  readonly name: der.Element | null;
  readonly only: "users" | "authorities" | "attributes" | null;
  readonly reasons: number;
  readonly indirect: boolean;
}

/** A certificate revocation list; nothing of it is verified. */
export interface RevocationList {
  readonly issuer: Bytes;
  readonly from: number;
  readonly until: number | null;
  /** By the bytes of the serial number in hex. */
  readonly entries: ReadonlyMap<string, readonly Entry[]>;
  readonly number: bigint | null;
  readonly scope: Scope;
  /** What a list and the deltas to it have in common: scope and key, in hex. */
  readonly kin: string;
  /** The number of the list that this one amends; null if it is whole. */
  readonly base: bigint | null;
  /** Whether deltas amend it. */
  readonly amended: boolean;
  readonly strange: boolean;
  readonly signed: Signed;
}

/** Read a revocation list. */
export function readList(bytes: Bytes): RevocationList {
  const whole = signed(bytes);
  const fields = der.children(whole.body, der.TAG.sequence);
  if (fields[0]?.tag === der.TAG.integer) demand(der.smallInteger(fields.shift()) === 1, "a list of another version than 2");
  const [algorithm, issuer, from, ...rest] = fields;
  demand(equal(der.expect(algorithm).raw, whole.algorithm.raw), "a list that names two algorithms");
  readName(issuer);
  const until = rest[0] !== undefined && [der.TAG.utcTime, der.TAG.time].includes(rest[0].tag as 0x17) ? rest.shift() : undefined;
  const revoked = rest[0]?.tag === der.TAG.sequence ? der.children(rest[0]) : [];
  if (rest[0]?.tag === der.TAG.sequence) rest.shift();
  const field = rest[0];
  demand(rest.length <= 1 && (field === undefined || field.tag === der.context(0)), "a field that lists do not have");
  const said = readExtensions(field === undefined ? undefined : der.inner(field));
  const value = (id: string): Bytes | null => said.find((each) => each.id === id)?.value ?? null;
  const number = (id: string): bigint | null => (value(id) === null ? null : large(der.read(value(id)!)));
  return {
    issuer: der.expect(issuer).raw,
    from: der.time(from).getTime(),
    until: until === undefined ? null : der.time(until).getTime(),
    entries: readEntries(revoked),
    number: number(ID.number),
    scope: readScope(value(ID.point)),
    kin: [ID.point, ID.key].map((id) => hex(value(id) ?? new Uint8Array(0))).join("/"),
    base: number(ID.delta),
    amended: value(ID.freshest) !== null,
    strange: said.some((each) => each.critical && !OF_LISTS.includes(each.id)),
    signed: whole,
  };
}

function readEntries(revoked: readonly der.Element[]): ReadonlyMap<string, readonly Entry[]> {
  const entries = new Map<string, Entry[]>();
  let issuer: string | null = null;
  for (const one of revoked) {
    const [serial, when, more] = der.children(one, der.TAG.sequence);
    const said = readExtensions(more);
    const value = (id: string): Extension | undefined => said.find((each) => each.id === id);
    const names = value(ID.issuer);
    // The name stays in force for the entries that follow (section 5.3.3).
    if (names !== undefined) issuer = der.children(der.read(names.value), der.TAG.sequence).map(spelledGeneral).join();
    const reason = value(ID.reason);
    const entry = {
      at: der.time(when).getTime(),
      reason: reason === undefined ? 0 : (der.expect(der.read(reason.value), 0x0a).body[0] ?? 0),
      issuer,
      strange: said.some((each) => each.critical && !OF_ENTRIES.includes(each.id)),
    };
    const key = hex(der.expect(serial, der.TAG.integer).body);
    const others = entries.get(key);
    if (others === undefined) entries.set(key, [entry]);
    else others.push(entry);
  }
  return entries;
}

function readScope(value: Bytes | null): Scope {
  const parts = value === null ? [] : der.children(der.read(value), der.TAG.sequence);
  const part = (n: number): der.Element | undefined => parts.find(({ tag }) => (tag & 0x1f) === n);
  const says = (n: number): boolean => part(n)?.body[0] === 0xff;
  const reasons = part(3);
  return {
    name: part(0) === undefined ? null : der.inner(part(0), der.context(0)),
    only: says(1) ? "users" : says(2) ? "authorities" : says(5) ? "attributes" : null,
    reasons: reasons === undefined ? ALL_REASONS : flags(reasons),
    indirect: says(4),
  };
}

/** Bits of a ReasonFlags, the first of them (unused) left out. */
function flags({ body: [, first = 0, second = 0] }: der.Element): number {
  return ((first << 8) | second) & ALL_REASONS;
}

function large(element: der.Element): bigint {
  const { body } = der.expect(element, der.TAG.integer);
  demand(body[0]! < 0x80, "a negative number");
  return BigInt(`0x${hex(body)}`);
}

/** What a list says of a certificate, whoever signed it. */
export function entryOf({ entries, issuer, scope }: RevocationList, subject: Certificate): Entry | null {
  const mine = (named: string | null): boolean =>
    named === null || !scope.indirect ? sameName(issuer, subject.issuerDer) : named === spelled(subject.issuerDer);
  const serial = hex(der.read(subject.serialDer).body);
  return entries.get(serial)?.find((entry) => mine(entry.issuer)) ?? null;
}

/** Whether an entry may be taken back: the certificate is on hold, or no longer is. */
export function passing({ reason }: Entry): boolean {
  return reason === ON_HOLD || reason === REMOVED;
}

/** Whether an entry of a delta says that the certificate is no longer on hold. */
export function removed({ reason }: Entry): boolean {
  return reason === REMOVED;
}

/** Whether a list is in date at `at` for a certificate; authorities forget those that have expired. */
export function inDate(list: RevocationList, subject: Certificate, at: number): boolean {
  return list.until !== null && at <= list.until && list.from <= subject.notAfter.getTime();
}

/** Where a certificate says that lists about it are: under which names, for which reasons, kept by whom. */
interface Place {
  readonly name: der.Element | null;
  readonly reasons: number;
  readonly keepers: readonly string[];
}

function placesOf(subject: Certificate): readonly Place[] {
  const extension = extensionOf(subject, ID.points);
  if (extension === null) return [];
  return der.children(der.read(extension.value), der.TAG.sequence).map((point) => {
    const parts = der.children(point, der.TAG.sequence);
    const part = (n: number): der.Element | undefined => parts.find(({ tag }) => (tag & 0x1f) === n);
    return {
      name: part(0) === undefined ? null : der.inner(part(0), der.context(0)),
      reasons: part(1) === undefined ? ALL_REASONS : flags(part(1)!),
      keepers: part(2) === undefined ? [] : der.children(part(2)).map(spelledGeneral),
    };
  });
}

/** For which reasons a list speaks of `subject` (RFC 5280 section 6.3.3 (b) and (d)); 0 if it does not. */
export function reasonsOf(list: RevocationList, subject: Certificate): number {
  let places: readonly Place[];
  try {
    places = placesOf(subject);
  } catch {
    return 0; // an extension of another form than it has
  }
  const { name, only, reasons, indirect } = list.scope;
  if ((only === "users" && subject.isAuthority) || (only === "authorities" && !subject.isAuthority) || only === "attributes") return 0;
  const [keeper, own] = [spelled(list.issuer), sameName(list.issuer, subject.issuerDer)];
  const kept = places.some(({ keepers }) => keepers.length > 0);
  // Unless the certificate names a keeper, its issuer keeps lists under its own name too, whatever they are called.
  const itself: Place = { name: null, reasons: ALL_REASONS, keepers: [] };
  let found = 0;
  for (const place of kept ? places : [...places, itself]) {
    if (place.keepers.length > 0 ? !(indirect && place.keepers.includes(keeper)) : !own) continue;
    const called = place.name !== null ? namesIn(place.name, list.issuer) : place.keepers.length > 0 ? place.keepers : [keeper];
    const matches = name === null || namesIn(name, list.issuer).some((each) => called.includes(each));
    if (matches) found |= place.reasons & reasons;
  }
  return found;
}

/** The names of a DistributionPointName; one relative to the keeper's is put under that. */
function namesIn(name: der.Element, keeper: Bytes): readonly string[] {
  return name.tag === der.context(0) ? der.children(name).map(spelledGeneral) : [spelled(keeper, name)];
}
