/** What time or completeness brings next (sessions/LIFECYCLE.md, "Steps"): one event at most, and its moment. */

import type { Bid, Opening, Step, StepRun } from "./ceremony.js";
import { drawComing, drawRules } from "./draw.js";
import { silenced } from "./floor.js";
import { locksReady } from "./locks.js";
import { missing, witnessed } from "./points.js";
import { recordDigest } from "./record.js";
import { type Data, moment, written } from "./shapes.js";
import { resumption, stopped } from "./stops.js";

/** An event that the clock brings about at `at`. */
export interface Coming {
  readonly type: string;
  readonly at: number;
  readonly data: () => Data;
}

/** Null while only a person, or the hall's own slow work, can change something. */
export function coming(o: Opening): Coming | null {
  const [walk, missed] = [walking(o), missing(o)];
  return walk === null || (missed !== null && missed.at <= walk.at) ? missed : walk;
}

function walking(o: Opening): Coming | null {
  if (o.over) return null;
  if (stopped(o)) return resumption(o);
  const run = o.run;
  if (run === undefined) {
    // A pause keeps the room shut, but T0 comes in spite of it.
    const opens = o.hold === null ? o.t0 - length(o, "checkin") : o.t0;
    return at(o, opens, "StepEntered", () => ({ step: o.steps[0]!.id, due: written(o.t0) }));
  }
  const quiet = silenced(o);
  if (quiet !== null) return at(o, o.at, "FloorEnded", () => quiet);
  if (run.completedAt === null) return ending(o, run);
  if (o.frozen === null || o.hold !== null) return null;
  const minimum = o.plan.pack["minimum_bidders"] as number;
  const { received } = o.frozen;
  if (!o.listed && received < minimum) return at(o, o.at, "OpeningFailed", () => ({ received, minimum }));
  const step = following(o);
  if (step === null && o.drawn !== null && !witnessed(o, "record")) return null;
  if (step === null) return at(o, o.at, "SessionEnded", () => ({ record_sha256: recordDigest(o), unsigned: run.missing }));
  if (step.starts === "clock" && hindrance(o, step) === null) return at(o, o.at, "StepEntered", () => entering(o, step, o.at));
  return null;
}

/** The step after the current one; what the tender has no use for is passed over. */
export function following(o: Opening): Step | null {
  const last = o.run;
  const place = last === undefined ? 0 : o.steps.findIndex((step) => step.id === last.step.id) + 1;
  return o.steps.slice(place).find((step) => wanted(o, step)) ?? null;
}

function wanted(o: Opening, { kind }: Step): boolean {
  if (kind === "ceiling") return o.plan.tender["ceiling"] !== null;
  return kind !== "draw" || drawRules(o).length > 0;
}

/** What keeps `step` from beginning, or null. */
export function hindrance(o: Opening, step: Step): string | null {
  if (step.kind === "decrypt") {
    const taken = new Set(o.chairs.map(({ role }) => role));
    if (o.acting !== null) taken.add("host"); // a deputy in charge counts as host
    const empty = (o.plan.pack["chairs"] as readonly string[]).find((role) => !taken.has(role));
    if (empty !== undefined) return `nobody is there as ${empty}`;
    if (!locksReady(o)) return "a lock has too few ready officers";
    return witnessed(o, "close") ? null : "too few witnesses hold the log";
  }
  if (step.kind !== "sign") return null;
  if (o.bids.some(({ consequence }) => consequence === "pending")) return "a cause is not ruled on";
  return openObjections(o) ? "an objection is open" : null;
}

/** What `StepEntered` says when `step` begins at `now`. */
export function entering(o: Opening, step: Step, now: number): Data {
  switch (step.kind) {
    case "checkin":
      return { step: step.id, due: written(o.t0) };
    case "readout":
      return { step: step.id, due: written(now + (o.plan.form["reading_pace"] as number) * openedBids(o).length) };
    case "draw":
    case "decrypt":
    case "confirm":
    case "objection":
    case "sign":
      return { step: step.id, due: written(now + length(o, step.kind)) };
    default:
      return { step: step.id, due: null };
  }
}

function ending(o: Opening, run: StepRun): Coming | null {
  const { kind } = run.step;
  const due = run.due === null ? null : moment(run.due);
  const complete = (when: number | null, missing: readonly string[] = []): Coming =>
    at(o, when, "StepCompleted", () => ({ step: run.step.id, missing }));
  const everyoneOrDue = (missing: readonly string[]): Coming => (missing.length > 0 ? complete(due, missing) : complete(o.at));
  if (kind === "checkin") return complete(o.t0); // names nobody: who bids is secret
  if (o.hold !== null) return null;
  switch (kind) {
    case "list":
      return o.listed ? complete(o.at) : at(o, o.at, "BiddersListed", () => ({ bids: o.frozen?.sealed ?? [] }));
    case "ceiling": {
      const { ceiling, currency } = o.plan.tender;
      return o.ceilingAnnounced ? complete(o.at) : at(o, o.at, "CeilingAnnounced", () => ({ amount: ceiling || "", currency: currency! }));
    }
    case "check":
      return o.bids.every(({ seal }) => seal) ? complete(o.at) : null;
    case "decrypt": {
      if (o.barrier !== null) return o.opened ? complete(o.at, o.barrier.data["missing"] as readonly string[]) : null;
      const ids = (state: Bid["state"]): readonly string[] => o.bids.filter((bid) => bid.state === state).map(({ bidder }) => bidder);
      const window = o.bids.some(({ state }) => state === "waiting");
      const data = (): Data => ({ reason: window ? "window" : "all", released: ids("released"), missing: ids("waiting") });
      return at(o, window ? due : o.at, "BarrierPassed", data);
    }
    case "draw":
      return o.draw?.made ? complete(o.at, o.draw.out) : drawComing(o);
    case "readout":
      return complete(due);
    case "confirm":
      return everyoneOrDue(names(openedBids(o).filter((bid) => bid.confirmedAt === null && !bid.disputed)));
    case "objection":
      return openObjections(o) ? null : everyoneOrDue(names(o.bids.filter((bid) => !bid.noneDeclared)));
    default: {
      // sign
      if (o.drawn === null) return at(o, o.at, "RecordDrawn", () => ({ record_sha256: recordDigest(o) }));
      const signed = new Set(o.signatures.map(({ signer }) => signer));
      return everyoneOrDue(o.drawn.asked.filter((signer) => !signed.has(signer)));
    }
  }
}

export function openedBids(o: Opening): Bid[] {
  return o.bids.filter(({ state }) => state === "opened");
}

function names(bids: readonly Bid[]): readonly string[] {
  return bids.map(({ bidder }) => bidder);
}

function openObjections(o: Opening): boolean {
  return o.objections.some(({ answeredAt }) => answeredAt === null);
}

function length(o: Opening, window: string): number {
  const lengths = o.plan.form["windows"] as Data;
  return Object.hasOwn(lengths, window) ? (lengths[window] as number) : NaN;
}

function at(o: Opening, when: number | null, type: string, data: () => Data): Coming {
  return { type, at: Math.max(when ?? o.at, o.at), data };
}
