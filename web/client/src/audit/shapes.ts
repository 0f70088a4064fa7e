/**
 * The form of what the log says: every event with its members, and the plan.
 *
 * @remarks As strict as the hall's own reader: nothing missing, nothing unknown, nothing of another type
 * (sessions/events.py and sessions/plan.py declare the same; a test holds the two lists together).
 */

import type { Json } from "../canonical.js";
import { demand } from "./report.js";

export type Data = { readonly [member: string]: Json };
type Shape = (value: Json | undefined, where: string) => void;

const text: Shape = (value, where) => demand(typeof value === "string", `${where} is not a text`);
const count: Shape = (value, where) => demand(Number.isSafeInteger(value), `${where} is not a whole number`);
const flag: Shape = (value, where) => demand(typeof value === "boolean", `${where} is neither true nor false`);
const time: Shape = (value, where) => void moment(value, where);
const free: Shape = () => undefined;
const freeObject: Shape = (value, where) => void object(value, where);

const orNull = (inner: Shape): Shape => (value, where) => {
  if (value !== null) inner(value, where);
};
const listOf = (inner: Shape): Shape => (value, where) => {
  demand(Array.isArray(value), `${where} is not a list`);
  for (const item of value as Json[]) inner(item, where);
};
const mapOf = (inner: Shape, key: Shape = free): Shape => (value, where) => {
  for (const [name, item] of Object.entries(object(value, where))) {
    key(name, where);
    inner(item, `${where}.${name}`);
  }
};
const oneOf = (...values: readonly string[]): Shape => (value, where) =>
  demand(typeof value === "string" && values.includes(value), `${where} is none of ${values.join(", ")}`);

/** An object with just these members; a name with `?` may be left out. */
const record = (members: { readonly [name: string]: Shape }): Shape => {
  const known = Object.entries(members).map(([name, shape]) => ({ name: name.replace("?", ""), shape, may: name.endsWith("?") }));
  const names = new Set(known.map(({ name }) => name));
  return (value, where) => {
    const form = object(value, where);
    for (const name of Object.keys(form)) demand(names.has(name), `${where}.${name} is unknown`);
    for (const { name, shape, may } of known) {
      if (Object.hasOwn(form, name)) shape(form[name], `${where}.${name}`);
      else demand(may, `${where}.${name} is missing`);
    }
  };
};

function object(value: Json | undefined, where: string): Data {
  demand(typeof value === "object" && value !== null && !Array.isArray(value), `${where} is not an object`);
  return value as Data;
}

const MOMENT = /^\d{4}-\d\d-\d\dT(?:[01]\d|2[0-3]):[0-5]\d:[0-5]\d\.\d{3}Z$/;

let last = { text: "", at: NaN };
let day = { text: "", at: NaN };

/** Milliseconds since 1970 of `2026-11-21T01:00:00.000Z`; nothing else is taken. */
export function moment(value: Json | undefined, where = "a moment"): number {
  if (value === last.text) return last.at; // a deadline is asked for at every event of its window
  demand(typeof value === "string" && MOMENT.test(value) && !value.startsWith("0000"), `${where} is no UTC moment`);
  const at = midnight(value.slice(0, 10), where) + ((+value.slice(11, 13) * 60 + +value.slice(14, 16)) * 60 + +value.slice(17, 19)) * 1000 + +value.slice(20, 23);
  last = { text: value, at };
  return at;
}

/** When the day `text` began. Thousands of events are of one day, and asking a Date is most of what a moment costs. */
function midnight(text: string, where: string): number {
  if (text === day.text) return day.at;
  const at = Date.parse(text);
  demand(!Number.isNaN(at) && new Date(at).toISOString().startsWith(text), `${where} never was`); // 30 February
  day = { text, at };
  return at;
}

/** The reverse of {@link moment}. */
export function written(at: number): string {
  return new Date(at).toISOString();
}

export const ROLES = ["public", "bidder", "host", "deputy", "supervisor", "clock"] as const;
const PHASES = ["before", "listed", "decrypt", "opened", "ended"];
const KINDS = ["checkin", "list", "check", "ceiling", "draw", "decrypt", "readout", "confirm", "objection", "sign"];

const role = oneOf(...ROLES);
const words = record({ zh: text, en: text });
const texts = mapOf(text);
const sealedBid = record({
  bidder: text,
  name: text,
  header_sha256: text,
  received_at: time,
  tracker: text,
  versions: count,
  checked_in_at: orNull(time),
});

const fragment = record({ offset: count, length: count, sha256: text, time_ms: count, duration_ms: count, keyframe: flag });
const proof = record({ certificate: text, state: oneOf("good", "unasked", "unavailable", "revoked"), evidence: text });

const step = record({ id: text, kind: oneOf(...KINDS), starts: oneOf("clock", "host"), title: words, why: words, article: text });
const windowRule = record({
  default: count,
  shortest: count,
  longest: count,
  "extension?": count,
  "extensions?": count,
  "article?": orNull(text),
});
const barrierRule = record({
  "mode?": oneOf("server", "split"),
  "fewest_locks?": count,
  "most_officers?": count,
  "article?": orNull(text),
});
const witnessRule = record({ mode: oneOf("closed", "open"), grace: count, article: text });
const evidenceRule = record({ cadence: count, gap: count, slow: count, article: text, "extends?": flag, "most?": count });
const outageRule = record({
  resume: oneOf("two_person", "auto"),
  clock: count,
  gap: count,
  healthy: count,
  notice: count,
  postpone: count,
  article: text,
});
const floorRule = record({ steps: listOf(oneOf(...KINDS)), article: text });
const lock = record({
  id: text,
  title: words,
  threshold: count,
  officers: listOf(record({ account: text, name: text, certificate: text })),
});
const watch = record({ origin: text, witnesses: listOf(text), quorum: count, "authorities?": listOf(text) });
const pack = record({
  id: text,
  version: text,
  digest: text,
  title: words,
  minimum_bidders: count,
  minimum_article: text,
  steps: listOf(step),
  windows: mapOf(windowRule),
  reading_pace: count,
  chairs: listOf(role),
  two_person: listOf(text),
  articles: mapOf(record({ id: text, cite: words, gist: words })),
  refusals: texts,
  visibility: mapOf(mapOf(listOf(role), oneOf(...PHASES))),
  "barrier?": barrierRule,
  "renewal_margin?": orNull(count),
  "revocation?": orNull(texts),
  "witness?": orNull(witnessRule),
  "evidence?": orNull(evidenceRule),
  "outage?": orNull(outageRule),
  "floor?": orNull(floorRule),
});
const tender = record({
  id: text,
  lot: text,
  title: words,
  tenderer: words,
  agent: orNull(words),
  place: words,
  envelopes: count,
  quote: listOf(record({ id: text, kind: text, label: words, "required?": flag, "currency?": orNull(text) })),
  ceiling: orNull(text),
  currency: text,
  "draws?": listOf(record({ id: text, title: words, values: listOf(text), pick: orNull(count) })),
});
const plan = record({
  session: text,
  tender,
  pack,
  t0: time,
  windows: mapOf(count),
  reading_pace: count,
  seats: listOf(record({ account: text, role, name: text })),
  "rehearsal?": flag,
  "intake_log?": orNull(record({ every: count, leaves: count })),
  "locks?": listOf(lock),
  "tenderer_share?": orNull(lock),
  "escrow?": orNull(lock),
  "proofs?": orNull(flag),
  "watch?": orNull(watch),
  "hall_key?": orNull(text),
  "clock?": orNull(record({ sources: listOf(text) })),
  "recording?": orNull(flag),
  "once?": orNull(flag),
});

const STATES = ["good", "unasked", "unavailable", "revoked"];

interface EventShape {
  readonly data: Shape;
  readonly private?: Shape;
}

const shape = (members: { readonly [name: string]: Shape }, hidden?: Shape): EventShape =>
  hidden === undefined ? { data: record(members) } : { data: record(members), private: hidden };

export const EVENTS: { readonly [type: string]: EventShape } = {
  IntakeOpened: shape({ plan: freeObject }),
  BidReceived: shape({
    bidder: text,
    name: text,
    header_sha256: text,
    declaration_sha256: text,
    root: text,
    length: count,
    signing_certificate: text,
    first_byte_at: time,
    leaf_salt: text,
    tracker: text,
    replaces: orNull(text),
    "proof?": proof,
  }),
  BidRefused: shape({ bidder: text, name: text, code: text, header_sha256: orNull(text) }),
  BidWithdrawn: shape({ bidder: text, header_sha256: text, statement: text, "proof?": proof }),
  BidderCheckedIn: shape({ bidder: text, statement: text, "proof?": proof }),
  IntakeClosed: shape({ received: count }),
  IntakeHeld: shape({ reason: text }),
  IntakeFreed: shape({ t0: orNull(time) }),
  SessionScheduled: shape({ plan: freeObject }),
  ChairTaken: shape({ role, account: text, name: text }),
  HostHandedOver: shape({ account: text, name: text, reason: text }),
  T0Moved: shape({ old: time, new: time, reason: text, approved_by: orNull(text) }),
  SetFrozen: shape(
    {
      received: count,
      headers: listOf(text),
      root: text,
      intake_head: text,
      intake_length: count,
      session_key: text,
      clock_offset_ms: orNull(count),
      "intake_log_size?": orNull(count),
      "intake_log_root?": orNull(text),
    },
    freeObject,
  ),
  BiddersListed: shape({ bids: listOf(sealedBid) }),
  OpeningFailed: shape({ received: count, minimum: count }),
  StepEntered: shape({ step: text, due: orNull(time) }),
  StepCompleted: shape({ step: text, missing: listOf(text) }),
  SealsChecked: shape({ results: texts, "proofs?": mapOf(proof) }),
  CeilingAnnounced: shape({ amount: text, currency: text }),
  KeyReleased: shape({ bidder: text, group: text, release_sha256: text, attempt: count, "proof?": proof }),
  AttemptFailed: shape({ bidder: text, attempt: count, release_sha256: orNull(text) }, texts),
  WindowExtended: shape({ step: text, old: time, new: time, reason: text, approved_by: orNull(text) }),
  BarrierPassed: shape({ reason: text, released: listOf(text), missing: listOf(text) }),
  BidOpened: shape({ bidder: text, quote: texts, quote_sha256: text, quote_key: text, flags: listOf(text) }),
  BidNotOpened: shape({ bidder: text, cause: text, consequence: text, evidence: texts }),
  CauseRuled: shape({ bidder: text, cause: text, consequence: text, reason: text, approved_by: text }),
  LateBidRefused: shape({ bidder: text, name: text, slip_sha256: text, code: text }),
  RowConfirmed: shape({ bidder: text, statement: text, "proof?": proof }),
  ObjectionRaised: shape({ number: count, bidder: text, kind: text, title: text }, texts),
  ObjectionAnswered: shape({ number: count }, texts),
  NoneDeclared: shape({ bidder: text }),
  FloorAsked: shape({ bidder: text }),
  FloorGranted: shape({ bidder: text }),
  FloorEnded: shape({ bidder: text, why: text, reason: text }),
  RecordDrawn: shape({ record_sha256: text }),
  RecordSigned: shape({ signer: text, role, statement: text, "proof?": proof }),
  SupervisorNoted: shape({}, texts),
  SessionPaused: shape({ reason: text, incident: flag }),
  SessionResumed: shape({ frozen_ms: count, due: orNull(time), "t0?": orNull(time), "approved_by?": orNull(text) }),
  ClockChecked: shape({
    sources: listOf(text),
    offset_ms: orNull(count),
    uncertainty_ms: orNull(count),
    measured_at: orNull(time),
    steady: flag,
  }),
  ClockUnsafe: shape({ reason: text, by_ms: orNull(count), noticed_at: time }),
  ClockSafe: shape({ by_ms: orNull(count) }),
  OutageBegan: shape({ noticed_at: time, reasons: listOf(text), votes: texts }),
  OutageEnded: shape({ lasted_ms: count }),
  RecordingNoted: shape({ size: count, root: text, "until?": time, "gaps?": listOf(record({ since: time, until: time })) }),
  TrackBegan: shape({ track: text, part: count, codec: text, init_length: count, init_sha256: text, utc: time }),
  FragmentsKept: shape({ track: text, part: count, fragments: listOf(fragment) }),
  TrackBroken: shape({ track: text, part: count }),
  RecordingClosed: shape({ fragments: count, whole: flag }),
  ActProposed: shape({ proposal: count, act: text, fields: texts, reason: text }),
  ActDeclined: shape({ proposal: count, reason: text }),
  SessionAborted: shape({ reason: text, approved_by: orNull(text) }),
  OfficerReady: shape({ lock: text, officer: text, passed: flag }),
  LockOpened: shape({ lock: text, officer: text, opened: listOf(text), failed: texts }),
  LockMissed: shape({ lock: text, reason: text, approved_by: text }),
  EscrowRequested: shape({ bidder: text, statement: text, "proof?": proof }),
  EscrowGranted: shape({ bidder: text, reason: text, approved_by: text }),
  BidRescued: shape({ bidder: text, group: text, kind: text, rescue_sha256: text }),
  SheetRescued: shape({ bidder: text, sheet: text, salt: text, flags: listOf(text) }),
  EvidenceGathered: shape({ bidder: text, facts: texts, sha256: text, reach_sha256: text, probes_sha256: text }),
  FaultMeasured: shape({ step: text, began: time, ended: time, old: time, new: time }),
  DrawCommitted: shape({ round: count, role, party: text, commitment: text, statement: orNull(text), "proof?": proof }),
  DrawClosed: shape({ round: count, parties: listOf(text), due: time }),
  DrawRevealed: shape({ round: count, role, party: text }, texts),
  DrawRepeated: shape({ round: count, without: listOf(text), due: time, reason: text, approved_by: orNull(text) }),
  DrawMade: shape({ round: count, seeds: texts, randomness: text, drawn: mapOf(listOf(text)) }),
  Anchored: shape({
    point: text,
    kind: oneOf("witness", "stamp"),
    by: text,
    size: count,
    root: text,
    sha256: text,
    said_at: time,
    "proof?": proof,
  }),
  AnchorMissed: shape({ point: text, have: listOf(text), quorum: count }),
  LogDisputed: shape({ by: text, kind: text, size: count, root: text, held: count, sha256: text }),
  SessionEnded: shape({ record_sha256: text, unsigned: listOf(text) }),
};

const looked = record({
  certificate: text,
  usage: oneOf("sign", "encrypt", "stamp"),
  state: oneOf("good", "unasked", "unavailable", "revoked"),
  chain: listOf(text),
  ocsps: listOf(text),
  crls: listOf(text),
});
const grounds = record({ v: count, at: time, looked: listOf(looked), tried: listOf(record({ url: text, at: time, outcome: text })) });

/** What a certificate is for. */
export type Usage = "sign" | "encrypt" | "stamp";

/** What was looked at for one act: a document of evidence. */
export interface Grounds {
  readonly v: number;
  readonly at: string;
  readonly looked: readonly {
    readonly certificate: string;
    readonly usage: Usage;
    readonly state: string;
    readonly chain: readonly string[];
    readonly ocsps: readonly string[];
    readonly crls: readonly string[];
  }[];
  readonly tried: readonly { readonly outcome: string }[];
}

export function readGrounds(value: Json): Grounds {
  grounds(value, "evidence");
  return value as unknown as Grounds;
}

/** The worst of some states, which are listed from good to bad; `unasked` of none. */
export function worst(states: readonly string[]): string {
  return STATES.filter((state) => states.includes(state)).at(-1) ?? "unasked";
}

/** Whether events of this type have a private part; fails for a type that there is not. */
export function hasPrivate(type: string): boolean {
  const known = Object.hasOwn(EVENTS, type) ? EVENTS[type] : undefined;
  demand(known !== undefined, `no event is called ${type}`);
  return known.private !== undefined;
}

/** Fail unless an event of this type may say just this. */
export function checkEvent(type: string, data: Json, hidden: Json | undefined): void {
  const known = EVENTS[type]!;
  known.data(data, type);
  if (known.private !== undefined) known.private(hidden, `${type}.private`);
}

export function checkSealedBids(value: Json): readonly Data[] {
  listOf(sealedBid)(value, "SetFrozen.bids");
  return value as readonly Data[];
}

/** The plan as a session announced it. */
export interface Plan {
  readonly session: string;
  readonly tender: Data;
  readonly pack: Data;
  readonly t0: number;
  readonly form: Data;
}

export function readPlan(value: Json | undefined): Plan {
  plan(value, "plan");
  const form = value as Data;
  return {
    session: form["session"] as string,
    tender: form["tender"] as Data,
    pack: form["pack"] as Data,
    t0: moment(form["t0"]),
    form,
  };
}
