/** An opening as its events have made it so far: what `rules` asks and the record tells. */

import { utf8 } from "../bytes.js";
import type { Json } from "../canonical.js";
import { type Draw, newDraw } from "./draw.js";
import { asking, floorOpen, over, turned } from "./floor.js";
import type { Told } from "./log.js";
import { demand } from "./report.js";
import { digestHex } from "../sha256.js";
import { readSheet } from "./sheet.js";
import { movedBy, withStop } from "./stops.js";
import { checkSealedBids, type Data, moment, type Plan } from "./shapes.js";

export type Status = "scheduled" | "checkin" | "live" | "failed" | "ended" | "aborted";
export type Phase = "before" | "listed" | "decrypt" | "opened" | "ended";

export interface Step {
  readonly id: string;
  readonly kind: string;
  readonly starts: string;
  readonly title: Data;
  readonly article: string;
}

export interface Change {
  readonly at: string;
  readonly old: string;
  readonly new: string;
  readonly reason: string;
  readonly by: string;
  readonly approvedBy: string | null;
  /** What the hall itself had stopped for, where that moved T0. */
  readonly stops?: readonly string[];
}

export interface StepRun {
  readonly step: Step;
  readonly enteredAt: string;
  due: string | null;
  completedAt: string | null;
  missing: readonly string[];
  readonly extensions: Change[];
}

export interface Attempt {
  readonly at: string;
  readonly release: string | null;
  /** Null when the key reproduced the commitment. */
  readonly code: string | null;
}

export interface Bid {
  readonly row: number;
  readonly bidder: string;
  readonly name: string;
  readonly header: string;
  readonly receivedAt: string;
  readonly tracker: string;
  readonly versions: number;
  checkedIn: string | null;
  seal: string | null;
  /** What an authority that was silent when the bid was taken said since. */
  authority: string | null;
  state: "waiting" | "released" | "opened" | "not_opened";
  readonly groups: Set<string>;
  readonly attempts: Attempt[];
  opened: Data | null;
  cause: string | null;
  consequence: string | null;
  evidence: Json;
  confirmedAt: string | null;
  disputed: boolean;
  noneDeclared: boolean;
  escrowAskedAt: string | null;
  /** What was known, at the barrier, of a bidder that handed over no key. */
  gathered: Data | null;
  /** `key` or `plain`, if a rescue took the place of the bidder's own release. */
  rescued: string | null;
  /** Spare sheets that were handed in, unopened: by whom, and their digests. */
  readonly spares: { readonly by: string; readonly sha256: string }[];
  /** Its key comes from the trustees instead of its bidder. */
  escrowed: boolean;
}

/** A lock that some of its officers remove together. */
export interface Lock {
  readonly id: string;
  readonly title: Data;
  readonly threshold: number;
  readonly officers: readonly { readonly account: string; readonly name: string; readonly certificate: string }[];
}

/** A moment that somebody outside must hold: the event it stands at, and who holds it. */
export interface Point {
  readonly name: string;
  readonly at: number;
  readonly n: number;
  readonly held: { readonly kind: string; readonly by: string }[];
  missed: boolean;
}

export interface Objection {
  readonly number: number;
  readonly bidder: string;
  readonly kind: string;
  readonly title: string;
  readonly text: string;
  readonly at: string;
  answeredAt: string | null;
  answeredBy: string | null;
}

/** A bidder's turn to speak: asked for, given or refused, over. */
export interface Turn {
  readonly bidder: string;
  readonly askedAt: string;
  grantedAt: string | null;
  grantedBy: string | null;
  endedAt: string | null;
  why: string | null;
  reason: string;
}

export interface Proposal {
  readonly number: number;
  readonly act: string;
  readonly fields: Data;
  readonly reason: string;
  readonly role: string;
  readonly id: string;
  state: "open" | "done" | "declined" | "lapsed";
}

export interface Hold {
  readonly reason: string;
  readonly incident: boolean;
  readonly by: string;
  readonly since: string;
  /** What the hall itself stopped for, sorted; left out where it did not. */
  readonly stops?: readonly string[];
}

export interface Frozen {
  readonly at: string;
  readonly data: Data;
  readonly received: number;
  readonly headers: readonly string[];
  /** The rows that it committed to; none where they stay hidden. */
  readonly sealed: readonly Data[];
}

export class Opening {
  readonly plan: Plan;
  readonly steps: readonly Step[];
  at: number;
  t0: number;
  status: Status = "scheduled";
  phase: Phase = "before";
  readonly runs: StepRun[] = [];
  hold: Hold | null = null;
  readonly pauses: { readonly hold: Hold; readonly until: string }[] = [];
  readonly moves: Change[] = [];
  readonly chairs: { readonly role: string; readonly account: string; readonly name: string; readonly at: string }[] = [];
  acting: string | null = null;
  frozen: Frozen | null = null;
  listed = false;
  bids: Bid[] = [];
  readonly #byId = new Map<string, Bid>();
  readonly late: { readonly at: string; readonly data: Data }[] = [];
  ceilingAnnounced = false;
  barrier: { readonly at: string; readonly data: Data } | null = null;
  opened = false;
  readonly objections: Objection[] = [];
  /** Those that stand, in the order of asking, and those that were given or refused. */
  turns: readonly Turn[] = [];
  readonly proposals: Proposal[] = [];
  drawn: { readonly sha256: string; readonly content: Data; readonly asked: readonly string[] } | null = null;
  readonly signatures: { readonly signer: string; readonly role: string; readonly at: string }[] = [];
  abortReason = "";
  /** The last rehearsal of each officer, by lock and account; from check-in on only those since then. */
  readonly ready = new Map<string, boolean>();
  readonly removals: { readonly at: string; readonly data: Data }[] = [];
  readonly missedLocks: { readonly at: string; readonly by: string; readonly data: Data }[] = [];
  readonly points: Point[] = [];
  readonly disputes: Data[] = [];
  draw: Draw | null = null;
  clock: Data | null = null;
  clockUnsafe = false;
  /** Since when the hall does not work. */
  outage: number | null = null;
  /** Events of the recording that this log knows of. */
  recorded = 0;
  /** What the newest note of it says. */
  filmed: Data | null = null;
  /** When the last of what the hall stopped for was over. */
  lifted: number | null = null;
  /** Whether the hold began by the hall's own doing. */
  holdOurs = false;
  readonly faults: { readonly ended: number; readonly madeUp: number }[] = [];
  length = 1;

  constructor(plan: Plan, at: number) {
    this.plan = plan;
    this.steps = plan.pack["steps"] as unknown as readonly Step[];
    this.at = at;
    this.t0 = plan.t0;
  }

  get run(): StepRun | undefined {
    return this.runs.at(-1);
  }

  get stepComplete(): boolean {
    return this.run !== undefined && this.run.completedAt !== null;
  }

  get over(): boolean {
    return this.status === "failed" || this.status === "ended" || this.status === "aborted";
  }

  /** The deadline of the current step while it runs. */
  get due(): number | null {
    const run = this.run;
    return run === undefined || run.completedAt !== null || run.due === null ? null : moment(run.due);
  }

  /** The groups whose keys are asked for. */
  get groups(): readonly string[] {
    return [..."AB".slice(0, this.plan.tender["envelopes"] as number)];
  }

  bid(bidder: string): Bid | undefined {
    return this.#byId.get(bidder);
  }

  /** The locks as the ceremony removes them: the officers', the tenderer's, the trustees'. */
  get locks(): readonly Lock[] {
    const { locks, tenderer_share, escrow } = this.plan.form;
    return [...((locks ?? []) as unknown[]), tenderer_share ?? null, escrow ?? null].filter((lock) => lock !== null) as Lock[];
  }

  get watch(): Data | null {
    return (this.plan.form["watch"] ?? null) as Data | null;
  }

  runOf(kind: string): StepRun | undefined {
    return this.runs.find(({ step }) => step.kind === kind);
  }

  /** The opening after `told`, which is taken as it is: whether it may be was asked before. */
  after(told: Told, drawn: () => NonNullable<Opening["drawn"]>): void {
    this.at = told.at;
    this.length++;
    const { data, when } = told;
    const bid = typeof data["bidder"] === "string" ? this.bid(data["bidder"]) : undefined;
    switch (told.type) {
      case "ChairTaken": {
        const [role, account, name] = [data["role"] as string, data["account"] as string, data["name"] as string];
        this.chairs.push({ role, account, name, at: when });
        if (role === "host") this.acting ??= account;
        return;
      }
      case "HostHandedOver":
        this.acting = data["account"] as string;
        return;
      case "T0Moved":
        this.t0 = moment(data["new"]);
        this.moves.push(changed(told));
        if (this.run !== undefined) this.run.due = data["new"] as string; // check-in lasts until T0
        this.#done("Postpone", { t0: data["new"]! });
        return;
      case "SetFrozen":
        this.#freeze(told);
        this.#point("close");
        return;
      case "BiddersListed":
        this.listed = true;
        return;
      case "OpeningFailed":
        this.status = "failed";
        return;
      case "BidderCheckedIn":
        if (bid !== undefined) bid.checkedIn = when;
        return;
      case "StepEntered":
        this.#enter(told);
        return;
      case "StepCompleted": {
        const run = this.run!;
        run.completedAt = when;
        run.missing = data["missing"] as readonly string[];
        if (run.step.kind === "checkin") this.status = "live";
        return;
      }
      case "SealsChecked": {
        const results = data["results"] as Data;
        for (const each of this.bids) each.seal = Object.hasOwn(results, each.bidder) ? (results[each.bidder] as string) : null;
        for (const [bidder, proof] of Object.entries((data["proofs"] ?? {}) as { readonly [bidder: string]: { readonly state: string } })) {
          const asked = this.bid(bidder);
          if (asked !== undefined) asked.authority = proof.state;
        }
        return;
      }
      case "CeilingAnnounced":
        this.ceilingAnnounced = true;
        return;
      case "KeyReleased":
      case "AttemptFailed":
        this.#attempt(told, bid);
        return;
      case "WindowExtended": {
        const run = this.run!;
        run.due = data["new"] as string;
        run.extensions.push(changed(told));
        if (data["approved_by"]) this.#done("ExtendBeyond", { step: data["step"]! });
        return;
      }
      case "BarrierPassed":
        this.barrier = { at: when, data };
        this.phase = "opened";
        return;
      case "BidOpened":
        this.opened = true;
        if (bid !== undefined) [bid.state, bid.opened] = ["opened", data];
        return;
      case "BidRescued":
        if (bid === undefined) return;
        if (data["kind"] === "plain") bid.spares.push({ by: told.role, sha256: data["rescue_sha256"] as string });
        else {
          bid.rescued = "key";
          bid.groups.add(data["group"] as string);
          if (this.groups.every((group) => bid.groups.has(group))) bid.state = "released";
        }
        return;
      case "SheetRescued": {
        const sheet = utf8(data["sheet"] as string);
        this.opened = true;
        if (bid === undefined) return;
        [bid.state, bid.rescued] = ["opened", "plain"];
        bid.opened = { quote: readSheet(sheet), quote_sha256: digestHex(sheet), flags: data["flags"]! };
        return;
      }
      case "BidNotOpened":
        this.opened = true;
        if (bid === undefined) return;
        bid.state = "not_opened";
        [bid.cause, bid.consequence, bid.evidence] = [data["cause"] as string, data["consequence"] as string, data["evidence"]!];
        return;
      case "CauseRuled":
        if (bid !== undefined) [bid.cause, bid.consequence] = [data["cause"] as string, data["consequence"] as string];
        this.#done("RuleCause", { bidder: data["bidder"]!, cause: data["cause"]! });
        return;
      case "LateBidRefused":
        this.late.push({ at: when, data });
        return;
      case "RowConfirmed":
        if (bid !== undefined) bid.confirmedAt = when;
        return;
      case "ObjectionRaised":
        this.#object(told, bid);
        return;
      case "ObjectionAnswered": {
        const item = this.objections.find(({ number }) => number === data["number"]);
        if (item !== undefined) [item.answeredAt, item.answeredBy] = [when, told.name];
        return;
      }
      case "NoneDeclared":
        if (bid !== undefined) bid.noneDeclared = true;
        return;
      case "FloorAsked":
      case "FloorGranted":
      case "FloorEnded":
        this.turns = turned(this, told);
        return;
      case "RecordDrawn":
        this.drawn = drawn();
        this.#point("record");
        return;
      case "OfficerReady":
        this.ready.set(`${String(data["lock"])}:${String(data["officer"])}`, data["passed"] === true);
        return;
      case "LockOpened":
        this.removals.push({ at: when, data });
        return;
      case "LockMissed":
        this.missedLocks.push({ at: when, by: told.name, data });
        this.#done("MissLock", { lock: data["lock"]! });
        return;
      case "EscrowRequested":
        if (bid !== undefined) bid.escrowAskedAt = when;
        return;
      case "EscrowGranted":
        if (bid !== undefined) {
          [bid.escrowed, bid.state] = [true, "released"];
          for (const group of this.groups) bid.groups.add(group);
        }
        this.#done("GrantEscrow", { bidder: data["bidder"]! });
        return;
      case "Anchored":
        this.points.find(({ name }) => name === data["point"])?.held.push({ kind: data["kind"] as string, by: data["by"] as string });
        return;
      case "AnchorMissed": {
        const point = this.points.find(({ name }) => name === data["point"]);
        if (point !== undefined) point.missed = true;
        return;
      }
      case "EvidenceGathered": {
        const { facts, sha256, reach_sha256, probes_sha256 } = data;
        if (bid !== undefined) bid.gathered = { ...(facts as Data), sha256: sha256!, reach_sha256: reach_sha256!, probes_sha256: probes_sha256! };
        return;
      }
      case "FaultMeasured":
        this.faults.push({ ended: moment(data["ended"]), madeUp: moment(data["new"]) - moment(data["old"]) });
        this.run!.due = data["new"] as string;
        return;
      case "DrawCommitted": {
        const { role, party, commitment } = data as { role: string; party: string; commitment: string };
        this.draw!.committed.push({ role, party, commitment, seed: null });
        return;
      }
      case "DrawRevealed": {
        const mine = this.draw!.committed.find((each) => each.role === data["role"] && each.party === data["party"]);
        if (mine !== undefined) mine.seed = told.private!["seed"] as string;
        return;
      }
      case "DrawClosed":
        this.draw!.closed = true;
        this.run!.due = data["due"] as string;
        return;
      case "DrawRepeated":
        this.draw = newDraw(data["round"] as number, [...this.draw!.out, ...(data["without"] as readonly string[])]);
        this.run!.due = data["due"] as string;
        if (data["approved_by"]) this.#done("RepeatDraw", {});
        return;
      case "DrawMade":
        this.draw!.made = data;
        this.#point("draw-1");
        return;
      case "LogDisputed":
        this.disputes.push(data);
        return;
      case "RecordSigned":
        this.signatures.push({ signer: data["signer"] as string, role: data["role"] as string, at: when });
        return;
      case "SessionPaused":
        this.hold = { reason: data["reason"] as string, incident: data["incident"] as boolean, by: told.name, since: when };
        this.holdOurs = false;
        return;
      case "ClockChecked":
        this.clock = data;
        return;
      case "ClockUnsafe":
      case "OutageBegan":
        this.#stop(told, told.type === "ClockUnsafe" ? "clock" : "outage");
        return;
      case "RecordingNoted":
        this.recorded = data["size"] as number;
        if (data["gaps"] !== undefined) this.filmed = { noted_at: when, size: data["size"]!, root: data["root"]!, until: data["until"] ?? null, gaps: data["gaps"] };
        return;
      case "ClockSafe":
      case "OutageEnded":
        if (told.type === "ClockSafe") this.clockUnsafe = false;
        else this.outage = null;
        if (!this.clockUnsafe && this.outage === null) this.lifted = told.at;
        return;
      case "SessionResumed":
        if ((data["t0"] ?? null) !== null) {
          this.moves.push(movedBy(this, told));
          this.t0 = moment(data["t0"]);
        }
        if ((data["approved_by"] ?? null) !== null) this.#done("Resume", {});
        if (this.hold !== null) this.pauses.push({ hold: this.hold, until: when });
        this.hold = null;
        this.lifted = null;
        if (data["due"] !== null && this.run !== undefined) this.run.due = data["due"] as string;
        return;
      case "ActProposed": {
        const { proposal, act, fields, reason } = data as { proposal: number; act: string; fields: Data; reason: string };
        this.proposals.push({ number: proposal, act, fields, reason, role: told.role, id: told.id, state: "open" });
        return;
      }
      case "ActDeclined": {
        const item = this.proposals.find(({ number }) => number === data["proposal"]);
        if (item !== undefined) item.state = "declined";
        return;
      }
      case "SessionAborted":
        this.status = "aborted";
        this.abortReason = data["reason"] as string;
        this.#done("Abort", {});
        this.turns = over(this, when);
        return;
      case "SessionEnded":
        this.status = "ended";
        this.phase = "ended";
        this.turns = over(this, when);
    }
  }

  #freeze(told: Told): void {
    const { data, when } = told;
    const sealed = checkSealedBids(told.private?.["bids"] ?? []);
    this.frozen = { at: when, data, received: data["received"] as number, headers: data["headers"] as readonly string[], sealed };
    this.bids = sealed.map((bid, i) => ({
      row: i + 1,
      bidder: bid["bidder"] as string,
      name: bid["name"] as string,
      header: bid["header_sha256"] as string,
      receivedAt: bid["received_at"] as string,
      tracker: bid["tracker"] as string,
      versions: bid["versions"] as number,
      checkedIn: bid["checked_in_at"] as string | null,
      seal: null,
      authority: null,
      state: "waiting",
      groups: new Set<string>(),
      attempts: [],
      opened: null,
      cause: null,
      consequence: null,
      evidence: null,
      confirmedAt: null,
      disputed: false,
      noneDeclared: false,
      escrowAskedAt: null,
      gathered: null,
      rescued: null,
      spares: [],
      escrowed: false,
    }));
    for (const bid of this.bids) this.#byId.set(bid.bidder, bid);
    // Too few bids: no name is published, so the phase stays what it was.
    if (this.frozen.received >= (this.plan.pack["minimum_bidders"] as number)) this.phase = "listed";
  }

  #stop({ at, when }: Told, kind: string): void {
    if (this.hold === null) this.holdOurs = true;
    const hold = this.hold ?? { reason: "", incident: true, by: "", since: when };
    this.hold = { ...hold, stops: withStop(hold.stops, kind) };
    this.lifted = null;
    if (kind === "clock") this.clockUnsafe = true;
    else this.outage = at;
  }

  /** The newest event is one that somebody outside must hold. */
  #point(name: string): void {
    if (this.watch === null || this.points.some((point) => point.name === name)) return;
    this.points.push({ name, at: this.at, n: this.length, held: [], missed: false });
  }

  #enter({ data, when }: Told): void {
    const step = this.steps.find(({ id }) => id === data["step"]);
    demand(step !== undefined, "a step that the rules do not have");
    if (step.kind === "checkin") {
      this.status = "checkin";
      this.ready.clear(); // a key that worked last week shows nobody to be here
    }
    if (step.kind === "decrypt") this.phase = "decrypt";
    if (step.kind === "draw") this.draw = newDraw();
    for (const item of this.proposals) if (item.state === "open") item.state = "lapsed";
    const due = data["due"] as string | null;
    this.runs.push({ step, enteredAt: when, due, completedAt: null, missing: [], extensions: [] });
    if (!floorOpen(this)) this.turns = this.turns.filter((turn) => !asking(turn));
  }

  #attempt({ type, data, when, private: hidden }: Told, bid: Bid | undefined): void {
    if (bid === undefined) return;
    const released = type === "KeyReleased";
    const code = released ? null : ((hidden?.["code"] as string | undefined) ?? "");
    bid.attempts.push({ at: when, release: data["release_sha256"] as string | null, code });
    if (!released) return;
    bid.groups.add(data["group"] as string);
    if (this.groups.every((group) => bid.groups.has(group))) bid.state = "released";
  }

  #object({ data, when, private: hidden }: Told, bid: Bid | undefined): void {
    const { number, bidder, kind, title } = data as { number: number; bidder: string; kind: string; title: string };
    const text = (hidden?.["text"] as string | undefined) ?? "";
    this.objections.push({ number, bidder, kind, title, text, at: when, answeredAt: null, answeredBy: null });
    if (bid === undefined) return;
    bid.noneDeclared = false;
    if (kind === "row") bid.disputed = true;
  }

  #done(act: string, fields: Data): void {
    for (const item of this.proposals) if (item.state === "open" && item.act === act && sameFields(item.fields, fields)) item.state = "done";
  }
}

/** Whether two objects of texts are the same. */
export function sameFields(a: Data, b: Data): boolean {
  const names = Object.keys(a);
  return names.length === Object.keys(b).length && names.every((name) => Object.hasOwn(b, name) && a[name] === b[name]);
}

function changed({ data, when, name }: Told): Change {
  return {
    at: when,
    old: data["old"] as string,
    new: data["new"] as string,
    reason: data["reason"] as string,
    by: name,
    approvedBy: data["approved_by"] as string | null,
  };
}
