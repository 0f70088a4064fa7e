/**
 * The rules of the ceremony as a question: may this event come next? (sessions/LIFECYCLE.md)
 *
 * @remarks Written from the tables of that page: who may do what when, and what each event must then say. A log is
 * what the rules make of it only if every event is answered with yes, at its moment and by its actor.
 */

import { utf8 } from "../bytes.js";
import { canonicalText } from "../canonical.js";
import { accuse, BY_CLIENT, CAUSES } from "./blame.js";
import { type Bid, type Objection, Opening, type Proposal, sameFields } from "./ceremony.js";
import { commits, repeatable, repeated, reveals } from "./draw.js";
import { digestHex } from "../sha256.js";
import { asks, endsAs, floorOpen, grants } from "./floor.js";
import { gathers, measures, unheard } from "./evidence.js";
import { canOpen, grantable, hasEscrow, missable, rehearses, removes, stillLocked } from "./locks.js";
import type { Told } from "./log.js";
import { anchors, disputes } from "./points.js";
import { record } from "./record.js";
import { demand, type Found, found } from "./report.js";
import { checksClock, doubts, fails, quotesClock, recovers, resumed, stopped } from "./stops.js";
import { flags, readSheet } from "./sheet.js";
import { accepts, proofOf, shows } from "./proofs.js";
import { setRoot } from "./tree.js";
import { type Data, moment, readPlan, worst, written } from "./shapes.js";
import { coming, entering, following, hindrance } from "./time.js";

/** The opening at its end, and the finding on each bid as it stood before the results. */
export interface Replayed {
  readonly opening: Opening;
  readonly log: readonly Told[];
  /** The causes that this verifier finds, by bidder: for every `BidNotOpened`. */
  readonly findings: ReadonlyMap<string, Data>;
}

/** Play the whole log; `trusting`: somebody else asks the rules about it. */
export function replay(log: readonly Told[], trusting = false): Found<Replayed> {
  const first = log[0]!;
  demand(first.type === "SessionScheduled" && first.role === "clock", "event 1 is no announcement");
  const plan = readPlan(first.data["plan"]);
  demand(plan.t0 > first.at, "it was announced after its opening time");
  const o = new Opening(plan, first.at);
  const findings = new Map<string, Data>();
  for (let i = 1; i < log.length; ) {
    const told = log[i]!;
    const count = trusting && !RESULTS.includes(told.type) ? 1 : explained(o, log, i, findings);
    demand(count > 0, `event ${told.n} (${told.type}) is not what the rules make of the log`);
    for (const each of log.slice(i, i + count)) o.after(each, () => drawing(o));
    i += count;
  }
  return found({ opening: o, log, findings }, `${log.length} events, status ${o.status}`);
}

const RESULTS: readonly string[] = ["BidOpened", "BidNotOpened", "SheetRescued"];

function drawing(o: Opening): NonNullable<Opening["drawn"]> {
  const content = record(o);
  const bidders = o.bids.filter(acted).map(({ bidder }) => bidder);
  const supervisors = o.chairs.filter(({ role }) => role === "supervisor").map(({ account }) => account);
  const asked = [...bidders, ...(o.acting === null ? [] : [o.acting]), ...supervisors];
  return { content, sha256: digestHex(canonicalText(content)), asked };
}

function acted(bid: Bid): boolean {
  return bid.checkedIn !== null || bid.attempts.length > 0 || bid.escrowAskedAt !== null || bid.confirmedAt !== null || bid.disputed || bid.noneDeclared;
}

/** How many events from `i` on are explained together: one, all results at once, or none. */
function explained(o: Opening, log: readonly Told[], i: number, findings: Map<string, Data>): number {
  const told = log[i]!;
  const due = coming(o);
  if (due !== null && due.type === told.type && due.at === told.at && told.role === "clock") {
    if (canonicalText(due.data()) === canonicalText(told.data)) return 1;
  }
  // What was due earlier would have come first; a fault of the hall comes before the window it fell into can end.
  const now = told.type === "FaultMeasured" ? Math.min(moment(told.data["began"]), told.at) : told.at;
  if (due !== null && !(due.at > now)) return 0;
  if (told.type === "EvidenceGathered") {
    return may(o, RIGHT.work, told) && running("decrypt")(o) && !o.opened ? gathers(o, log, i) : 0;
  }
  if (RESULTS.includes(told.type)) return results(o, log.slice(i, i + o.bids.length), findings);
  return asked(o, told) ? 1 : 0;
}

// -- who may do what when ------------------------------------------------------------------------------------------

type When = (o: Opening) => boolean;

const always: When = () => true;
const beforeT0: When = (o) => o.status === "scheduled" || o.status === "checkin";
const fromCheckin: When = (o) => o.status === "checkin" || o.status === "live";
const untilEnd: When = (o) => !o.over;
const live: When = (o) => o.status === "live";
const frozen: When = (o) => live(o) && o.frozen !== null;
const afterBarrier: When = (o) => live(o) && o.phase === "opened" && o.opened;
const running = (kind: string): When => (o) => live(o) && o.run?.step.kind === kind && !o.stepComplete;
const decrypting: When = (o) => running("decrypt")(o) && o.barrier === null;
const untilOpened: When = (o) => running("decrypt")(o) && !o.opened;
const behindBarrier: When = (o) => untilOpened(o) && o.barrier !== null;
/** Who bids in an opening that fails is never named, not by a check-in either. */
const listed: When = (o) => live(o) && o.listed;
const objecting: When = (o) => live(o) && o.listed && (o.runOf("objection")?.completedAt ?? null) === null;

interface Person {
  readonly role: string;
  readonly id: string;
}

/** Who may, when, whether only while acting as host, and whether during a pause too. */
interface Right {
  readonly roles: readonly string[];
  readonly when: When;
  readonly acting?: boolean;
  /** A host only while acting, a deputy always. */
  readonly hostActing?: boolean;
  readonly held?: boolean;
}

const CLOCK = ["clock"];
const BIDDER = ["bidder"];
const HOSTS = ["host", "deputy"];
const STAFF = ["host", "deputy", "supervisor"];

const RIGHT = {
  freeze: { roles: CLOCK, when: live, held: true },
  work: { roles: CLOCK, when: live },
  refuseLate: { roles: CLOCK, when: live, held: true },
  checkIn: { roles: BIDDER, when: listed, held: true },
  takeChair: { roles: STAFF, when: fromCheckin, held: true },
  takeOver: { roles: ["deputy"], when: fromCheckin, held: true },
  host: { roles: HOSTS, when: live, acting: true },
  pause: { roles: STAFF, when: fromCheckin, hostActing: true },
  resume: { roles: HOSTS, when: fromCheckin, hostActing: true, held: true },
  postpone: { roles: HOSTS, when: beforeT0, held: true },
  abort: { roles: HOSTS, when: untilEnd, held: true },
  rule: { roles: HOSTS, when: afterBarrier },
  agree: { roles: STAFF, when: untilEnd, held: true },
  note: { roles: ["supervisor"], when: always, held: true },
  release: { roles: BIDDER, when: untilOpened },
  report: { roles: BIDDER, when: decrypting },
  confirm: { roles: BIDDER, when: running("confirm") },
  object: { roles: BIDDER, when: objecting },
  rescue: { roles: [...BIDDER, ...HOSTS], when: decrypting, acting: true },
  fault: { roles: CLOCK, when: decrypting },
  rehearse: { roles: STAFF, when: untilEnd, held: true },
  unlock: { roles: STAFF, when: behindBarrier },
  miss: { roles: HOSTS, when: behindBarrier },
  askTrustees: { roles: BIDDER, when: decrypting },
  grant: { roles: HOSTS, when: decrypting },
  joinDraw: { roles: [...BIDDER, ...STAFF], when: running("draw"), acting: true },
  showSeed: { roles: [...BIDDER, ...STAFF], when: running("draw") },
  repeatDraw: { roles: HOSTS, when: running("draw") },
  anchor: { roles: CLOCK, when: frozen, held: true },
  dispute: { roles: CLOCK, when: untilEnd, held: true },
  noteRecording: { roles: CLOCK, when: fromCheckin, held: true },
  askFloor: { roles: BIDDER, when: floorOpen },
  grantFloor: { roles: HOSTS, when: floorOpen, acting: true },
  endFloor: { roles: [...BIDDER, ...HOSTS], when: floorOpen, acting: true, held: true },
  sign: { roles: [...BIDDER, ...STAFF], when: running("sign") },
} satisfies { readonly [act: string]: Right };

function may(o: Opening, right: Right, who: Person): boolean {
  if (!right.roles.includes(who.role)) return false;
  if (STAFF.includes(who.role) && !seated(o, who)) return false;
  if (o.over && right.when !== always) return false;
  if (!right.when(o)) return false;
  if (who.role === "bidder" && o.bid(who.id) === undefined) return false;
  if (o.hold !== null && right.held !== true) return false;
  const onlyActing = (right.acting === true && HOSTS.includes(who.role)) || (right.hostActing === true && who.role === "host");
  return !onlyActing || o.acting === who.id;
}

function seated(o: Opening, who: Person): boolean {
  return (o.plan.form["seats"] as readonly Data[]).some((seat) => seat["account"] === who.id && seat["role"] === who.role);
}

// -- what each event must say --------------------------------------------------------------------------------------

function asked(o: Opening, told: Told): boolean {
  const { data } = told;
  const allowed = (right: Right): boolean => may(o, right, told);
  const bid = typeof data["bidder"] === "string" ? o.bid(data["bidder"]) : undefined;
  const own = data["bidder"] === told.id;
  switch (told.type) {
    case "SetFrozen":
      return allowed(RIGHT.freeze) && freezes(o, told);
    case "SealsChecked":
      return allowed(RIGHT.work) && checksSeals(o, data["results"] as Data, (data["proofs"] ?? null) as Data | null);
    case "LateBidRefused":
      return allowed(RIGHT.refuseLate) && o.late.every((late) => late.data["slip_sha256"] !== data["slip_sha256"]);
    case "BidderCheckedIn":
      return allowed(RIGHT.checkIn) && own && bid?.checkedIn === null && accepts(o.plan, "checkin", proofOf(told));
    case "ChairTaken":
      return (
        allowed(RIGHT.takeChair) &&
        o.chairs.every(({ account }) => account !== told.id) &&
        says(data, { role: told.role, account: told.id, name: told.name })
      );
    case "HostHandedOver":
      return (
        allowed(RIGHT.takeOver) &&
        o.acting !== told.id &&
        o.chairs.some(({ account }) => account === told.id) &&
        given(data["reason"]) &&
        says(data, { account: told.id, name: told.name, reason: data["reason"]! })
      );
    case "StepEntered":
      return allowed(RIGHT.host) && advances(o, told);
    case "KeyReleased":
    case "AttemptFailed":
      return own && bid !== undefined && data["attempt"] === bid.attempts.length + 1 && attempts(o, told, bid);
    case "RowConfirmed":
      return allowed(RIGHT.confirm) && own && bid?.state === "opened" && bid.confirmedAt === null && accepts(o.plan, "confirm", proofOf(told));
    case "ObjectionRaised":
      return own && data["number"] === o.objections.length + 1 && objects(o, told, bid);
    case "ObjectionAnswered":
      return (
        allowed(RIGHT.host) &&
        o.objections.some((item) => item.number === data["number"] && item.answeredAt === null) &&
        onlyText(told)
      );
    case "NoneDeclared":
      return allowed(RIGHT.object) && own && bid?.noneDeclared === false && !of(o, told.id).some(({ answeredAt }) => answeredAt === null);
    case "FloorAsked":
      return allowed(RIGHT.askFloor) && own && asks(o, told.id);
    case "FloorGranted":
      return allowed(RIGHT.grantFloor) && grants(o, data["bidder"] as string);
    case "FloorEnded":
      return (
        allowed(RIGHT.endFloor) &&
        (told.role === "bidder" ? own && data["reason"] === "" : given(data["reason"])) &&
        endsAs(o, data["bidder"] as string, told.role) === data["why"]
      );
    case "RecordSigned":
      return (
        allowed(RIGHT.sign) &&
        data["signer"] === told.id &&
        data["role"] === told.role &&
        (told.role !== "bidder" || accepts(o.plan, "sign", proofOf(told))) &&
        o.signatures.every(({ signer }) => signer !== told.id)
      );
    case "SupervisorNoted":
      return allowed(RIGHT.note) && onlyText(told);
    case "SessionPaused":
      return allowed(RIGHT.pause) && given(data["reason"]);
    case "SessionResumed":
      return resumes(o, told);
    case "ActProposed":
      return proposes(o, told);
    case "ActDeclined":
      return allowed(RIGHT.agree) && o.proposals.some((item) => item.number === data["proposal"] && item.state === "open");
    case "BidRescued":
      return allowed(RIGHT.rescue) && (told.role !== "bidder" || own) && bid !== undefined && rescues(o, told, bid);
    case "FaultMeasured":
      return allowed(RIGHT.fault) && measures(o, told);
    case "OfficerReady":
      return allowed(RIGHT.rehearse) && rehearses(o, told);
    case "LockOpened":
      return allowed(RIGHT.unlock) && removes(o, told);
    case "EscrowRequested":
      return allowed(RIGHT.askTrustees) && own && hasEscrow(o) && bid?.state === "waiting" && bid.escrowAskedAt === null && accepts(o.plan, "escrow", proofOf(told));
    case "ClockChecked":
      return allowed(RIGHT.freeze) && checksClock(o, told);
    case "ClockUnsafe":
      return allowed(RIGHT.dispute) && doubts(o, told);
    case "ClockSafe":
      return allowed(RIGHT.dispute) && o.clockUnsafe;
    case "OutageBegan":
      return allowed(RIGHT.dispute) && fails(o, told);
    case "OutageEnded":
      return allowed(RIGHT.dispute) && recovers(o, told);
    case "RecordingNoted":
      return allowed(RIGHT.noteRecording) && o.plan.form["recording"] === true && (data["size"] as number) > o.recorded;
    case "Anchored":
      return allowed(RIGHT.anchor) && anchors(o, told);
    case "LogDisputed":
      return allowed(RIGHT.dispute) && disputes(o, told);
    case "DrawCommitted":
      return allowed(RIGHT.joinDraw) && commits(o, told);
    case "DrawRevealed":
      return allowed(RIGHT.showSeed) && reveals(o, told);
    case "DrawRepeated":
    case "T0Moved":
    case "WindowExtended":
    case "CauseRuled":
    case "SessionAborted":
    case "LockMissed":
    case "EscrowGranted":
      return agreed(o, told);
    default:
      return false; // only time brings it about, or nothing does
  }
}

function freezes(o: Opening, told: Told): boolean {
  const { data } = told;
  const headers = data["headers"] as readonly string[];
  const stands =
    o.frozen === null &&
    o.stepComplete &&
    told.at === Math.max(o.t0, o.at) &&
    data["received"] === headers.length &&
    new Set(headers).size === headers.length &&
    data["root"] === setRoot(headers) &&
    logged(o, data) &&
    quotesClock(o, data) &&
    // Behind locks nobody holds one key to everything.
    (data["session_key"] === "") === (((o.plan.form["locks"] ?? []) as readonly unknown[]).length > 0);
  if (!stands || told.hidden) return stands; // who bid stays hidden where the opening failed
  const rows = told.private!["bids"];
  if (!Array.isArray(rows) || Object.keys(told.private!).length !== 1) return false;
  const bids = rows as readonly Data[];
  return (
    bids.length === headers.length &&
    bids.every((bid, i) => bid["header_sha256"] === headers[i] && moment(bid["received_at"]) < o.t0) &&
    new Set(bids.map((bid) => bid["bidder"])).size === bids.length
  );
}

/** Where there is a log of receipts, and only there, its end is locked together with the set. */
function logged(o: Opening, data: Data): boolean {
  const kept = (o.plan.form["intake_log"] ?? null) !== null;
  return [data["intake_log_size"], data["intake_log_root"]].every((said) => ((said ?? null) !== null) === kept);
}

function checksSeals(o: Opening, results: Data, proofs: Data | null): boolean {
  const due = o.run?.step.kind === "check" && o.frozen !== null && !o.stepComplete && !o.bids.every(({ seal }) => seal);
  const again = proofs === null ? [] : Object.keys(proofs); // none is told by leaving the member out
  if (!again.every((bidder) => Object.hasOwn(results, bidder)) || (proofs !== null && again.length === 0)) return false;
  return due && Object.keys(results).length === o.bids.length && o.bids.every(({ bidder }) => Object.hasOwn(results, bidder));
}

function advances(o: Opening, told: Told): boolean {
  const step = following(o);
  return (
    o.stepComplete &&
    o.frozen !== null &&
    step !== null &&
    step.id === told.data["step"] &&
    o.runs.every((run) => run.step.id !== step.id) &&
    hindrance(o, step) === null &&
    says(told.data, entering(o, step, told.at))
  );
}

function attempts(o: Opening, told: Told, bid: Bid): boolean {
  const { data } = told;
  const lacking = bid.state !== "released" && o.groups.some((group) => !bid.groups.has(group));
  if (told.type === "KeyReleased") {
    const group = data["group"] as string;
    if (!accepts(o.plan, "release", proofOf(told))) return false;
    return may(o, RIGHT.release, told) && o.barrier === null && lacking && o.groups.includes(group) && !bid.groups.has(group);
  }
  const code = told.private!["code"];
  const proof = proofOf(told);
  if (typeof code !== "string" || Object.keys(told.private!).length !== (proof === null ? 1 : 4)) return false;
  if (proof !== null && worst([proof.state]) !== proof.state) return false; // no such state
  if (data["release_sha256"] === null) {
    return proof === null && may(o, RIGHT.report, told) && bid.state === "waiting" && (told.hidden || Object.hasOwn(BY_CLIENT, code));
  }
  // After the barrier only what came in time and was answered late is still recorded.
  if (!told.hidden && !shows(o.plan, code, proof)) return false;
  return may(o, RIGHT.release, told) && lacking && (o.barrier === null || told.hidden || code === "answered_late");
}

/** Whether a rescue may be put away: a key that is still missing, or a spare sheet, at most four from each side. */
function rescues(o: Opening, { data, role }: Told, bid: Bid): boolean {
  const [group, kind] = [data["group"] as string, data["kind"]];
  if (o.locks.length > 0 || bid.state === "released" || bid.groups.has(group) || !o.groups.includes(group)) return false;
  if (kind !== "plain") return kind === "key";
  return bid.spares.every(({ sha256 }) => sha256 !== data["rescue_sha256"]) && bid.spares.filter(({ by }) => by === role).length < 4;
}

function results(o: Opening, told: readonly Told[], findings: Map<string, Data>): number {
  const first = told[0]!;
  if (!behindBarrier(o) || unheard(o).length > 0 || stillLocked(o) || !may(o, RIGHT.work, first) || told.length !== o.bids.length) return 0;
  const right = o.bids.every((bid, i) => {
    const { type, data, at, role, id } = told[i]!;
    if (at !== first.at || role !== first.role || id !== first.id || data["bidder"] !== bid.bidder) return false;
    if (type === "BidOpened") {
      return bid.state === "released" && canOpen(o, bid) && canonicalText(flags(o.plan.tender, data["quote"] as Data)) === canonicalText(data["flags"]!);
    }
    if (type === "SheetRescued") {
      const found = flags(o.plan.tender, readSheet(utf8(data["sheet"] as string)));
      return bid.spares.length > 0 && bid.state === "waiting" && canonicalText(found) === canonicalText(data["flags"]!);
    }
    if (type !== "BidNotOpened") return false;
    const code = (data["evidence"] as Data)["open_code"];
    const finding = accuse(o, bid, typeof code === "string" ? code : null);
    findings.set(bid.bidder, finding);
    return says(data, { bidder: bid.bidder, ...finding });
  });
  return right ? told.length : 0;
}

function objects(o: Opening, told: Told, bid: Bid | undefined): boolean {
  const { data } = told;
  const mine = of(o, told.id).filter(({ answeredAt }) => answeredAt === null);
  if (!onlyText(told)) return false;
  if (data["kind"] === "row") {
    const again = bid?.disputed === true && mine.some(({ kind }) => kind === "row");
    return may(o, RIGHT.confirm, told) && data["title"] === "" && bid?.state === "opened" && !again;
  }
  const same = ({ kind, title, text }: Objection): boolean =>
    kind === data["kind"] && title === data["title"] && text === told.private!["text"];
  return (
    may(o, RIGHT.object, told) &&
    (data["kind"] === "objection" || data["kind"] === "recusal") &&
    given(data["title"], 200) &&
    !mine.some(same)
  );
}

/** A pause ends by one person. After a stop by the hall itself it takes two, a supervisor among them where there is one. */
function resumes(o: Opening, told: Told): boolean {
  const second = (told.data["approved_by"] ?? null) as string | null;
  const expected = resumed(o, told.at, second);
  if (expected === null || !says(told.data, expected)) return false;
  if (!stopped(o)) return second === null && may(o, RIGHT.resume, told);
  const seats = o.plan.form["seats"] as readonly Data[];
  const supervised = seats.some(({ role }) => role === "supervisor");
  const seat = seats.find(({ account }) => account === second);
  if (seat === undefined || (supervised && seat["role"] !== "supervisor")) return false;
  const mine = (item: Proposal): boolean => item.state === "open" && item.act === "Resume" && item.role === told.role && item.id === told.id && item.id !== second;
  const approver = { role: seat["role"] as string, id: seat["account"] as string };
  return may(o, RIGHT.agree, approver) && o.proposals.some(mine) && mayAct(o, "Resume", {}, told, told.at);
}

// -- acts of two persons -------------------------------------------------------------------------------------------

/** Whether `who` may do this act now, and the facts allow it. */
function mayAct(o: Opening, act: string, fields: Data, who: Person, at: number): boolean {
  switch (act) {
    case "Postpone": {
      const t0 = moment(fields["t0"]);
      return may(o, RIGHT.postpone, who) && t0 > o.t0 && t0 > at && t0 % 1000 === 0;
    }
    case "Abort":
      return may(o, RIGHT.abort, who);
    case "RuleCause": {
      const bid = o.bid(fields["bidder"] as string);
      return may(o, RIGHT.rule, who) && bid?.cause === "unknown" && Object.hasOwn(CAUSES, fields["cause"] as string);
    }
    case "ExtendBeyond":
      return may(o, RIGHT.host, who) && extension(o, at) !== null;
    case "RepeatDraw":
      return may(o, RIGHT.repeatDraw, who) && repeatable(o);
    case "Resume":
      return may(o, RIGHT.resume, who) && resumed(o, at) !== null;
    case "MissLock":
      return may(o, RIGHT.miss, who) && missable(o, fields["lock"] as string);
    case "GrantEscrow":
      return may(o, RIGHT.grant, who) && grantable(o, fields["bidder"] as string);
    default:
      return false;
  }
}

/** The members that a proposal of this act has, of `fields`; null if they are others. */
const FIELDS: { readonly [act: string]: readonly string[] } = {
  Postpone: ["t0"],
  Abort: [],
  RuleCause: ["bidder", "cause"],
  ExtendBeyond: ["step"],
  RepeatDraw: [],
  MissLock: ["lock"],
  GrantEscrow: ["bidder"],
  Resume: [],
};

const ACTS: { readonly [type: string]: string } = {
  T0Moved: "Postpone",
  WindowExtended: "ExtendBeyond",
  CauseRuled: "RuleCause",
  SessionAborted: "Abort",
  DrawRepeated: "RepeatDraw",
  LockMissed: "MissLock",
  EscrowGranted: "GrantEscrow",
};

function proposes(o: Opening, told: Told): boolean {
  const { proposal, act, fields, reason } = told.data as { proposal: number; act: string; fields: Data; reason: string };
  const names = Object.hasOwn(FIELDS, act) ? FIELDS[act]! : null;
  if (names === null || Object.keys(fields).sort().join() !== names.join()) return false;
  const beyond = act !== "ExtendBeyond" || (fields["step"] === o.run?.step.id && beyondAlone(o));
  return (
    proposal === o.proposals.length + 1 &&
    given(reason) &&
    mayAct(o, act, fields, told, told.at) &&
    needsTwo(o, act) &&
    beyond &&
    !o.proposals.some((item) => item.state === "open" && item.act === act && sameFields(item.fields, fields))
  );
}

function needsTwo(o: Opening, act: string): boolean {
  // What no pack leaves to one person: going on without a lock, and opening a bid without its bidder's key.
  if (act === "Resume") return stopped(o);
  return act === "MissLock" || act === "GrantEscrow" || (o.plan.pack["two_person"] as readonly string[]).includes(act);
}

/** Whether the host has given as many extensions of this window as it may alone. */
function beyondAlone(o: Opening): boolean {
  const rule = extensionRule(o);
  const alone = o.run!.extensions.filter(({ approvedBy }) => approvedBy === null).length;
  return alone >= ((rule?.["extensions"] as number | undefined) ?? 0);
}

function extensionRule(o: Opening): Data | undefined {
  const windows = o.plan.pack["windows"] as { readonly [kind: string]: Data };
  const kind = o.run?.step.kind;
  return kind !== undefined && Object.hasOwn(windows, kind) ? windows[kind] : undefined;
}

/** What one extension of the running window would say of its moments, or null where there is none to have. */
function extension(o: Opening, at: number): { readonly old: string; readonly new: string } | null {
  const [rule, { run, due }] = [extensionRule(o), o];
  const more = (rule?.["extension"] as number | undefined) ?? 0;
  // Once the keys are in, what the opening waits for is the locks.
  if (run?.step.kind === "decrypt" && o.barrier !== null) return null;
  // Check-in lasts until T0, which only a postponement moves.
  if (run === undefined || due === null || due <= at || run.step.kind === "checkin" || more === 0) return null;
  return { old: run.due!, new: written(due + more) };
}

/** An act that happens: done by one person where that is enough, or agreed to by a second. */
function agreed(o: Opening, told: Told): boolean {
  const { data } = told;
  const act = ACTS[told.type]!;
  const fields = actFields(o, told);
  const second = data["approved_by"];
  const alone = told.type === "CauseRuled" ? second === "" : second === null;
  const consequences = act !== "RuleCause" || (Object.hasOwn(CAUSES, data["cause"] as string) && data["consequence"] === CAUSES[data["cause"] as string]);
  if (!consequences || !sayMoments(o, told)) return false;
  if (alone) {
    const enough = !needsTwo(o, act) || (act === "ExtendBeyond" && !beyondAlone(o));
    return enough && given(data["reason"]) && mayAct(o, act, fields, told, told.at);
  }
  const seat = (o.plan.form["seats"] as readonly Data[]).find((each) => each["account"] === second);
  if (seat === undefined) return false;
  const approver = { role: seat["role"] as string, id: seat["account"] as string };
  const fits = (item: Proposal): boolean =>
    item.state === "open" &&
    item.act === act &&
    item.role === told.role &&
    item.id === told.id &&
    item.id !== approver.id &&
    item.reason === data["reason"] &&
    (act === "ExtendBeyond" || sameFields(item.fields, fields));
  return may(o, RIGHT.agree, approver) && o.proposals.some(fits) && mayAct(o, act, fields, told, told.at);
}

function actFields(o: Opening, { type, data }: Told): Data {
  switch (type) {
    case "T0Moved":
      return { t0: data["new"]! };
    case "CauseRuled":
      return { bidder: data["bidder"]!, cause: data["cause"]! };
    case "WindowExtended":
      return { step: o.run?.step.id ?? "" };
    case "LockMissed":
      return { lock: data["lock"]! };
    case "EscrowGranted":
      return { bidder: data["bidder"]! };
    default:
      return {};
  }
}

function sayMoments(o: Opening, { type, data, at }: Told): boolean {
  if (type === "T0Moved") return moment(data["old"]) === o.t0;
  if (type === "DrawRepeated") return o.draw !== null && says(data, repeated(o, data, at));
  if (type !== "WindowExtended") return true;
  const window = extension(o, at);
  return window !== null && data["step"] === o.run?.step.id && data["old"] === window.old && data["new"] === window.new;
}

// -- small things --------------------------------------------------------------------------------------------------

function says(data: Data, expected: Data): boolean {
  return canonicalText(data) === canonicalText(expected);
}

function of(o: Opening, bidder: string): readonly Objection[] {
  return o.objections.filter((item) => item.bidder === bidder);
}

/** Whether the private part is a text that was given, and nothing else. */
function onlyText(told: Told): boolean {
  return Object.keys(told.private!).join() === "text" && given(told.private!["text"]);
}

// Unicode's white space, and the four separators U+001C to U+001F.
const BLANK = /^[\t-\r\u001c-\u0020\u0085\u00a0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000]*$/;

/** Whether people wrote something, and not without end. */
function given(text: unknown, longest = 4000): boolean {
  return typeof text === "string" && !BLANK.test(text) && (text.length <= longest || [...text].length <= longest);
}
