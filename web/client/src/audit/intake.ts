/** The rules of intake as a question to its log: may this event come next? (sessions/LIFECYCLE.md, "Two streams", "T0") */

import { canonicalText, type Json } from "../canonical.js";
import { asCount, asHex, asIdentifier } from "../fields.js";
import { trackerCode } from "../receipt.js";
import type { Told } from "./log.js";
import { accepts, proofOf } from "./proofs.js";
import { demand, type Found, found } from "./report.js";
import { type Data, moment, type Plan, readPlan } from "./shapes.js";

/** A bid as it stood when intake closed, in the form in which `SetFrozen` commits to it. */
export interface Taken {
  /** In row order: by receipt of the final version, then by header digest. */
  readonly bids: readonly Data[];
  readonly last: Told;
}

export async function replayIntake(log: readonly Told[], plan: Plan): Promise<Found<Taken>> {
  const first = log[0]!;
  demand(first.type === "IntakeOpened" && first.role === "clock", "event 1 does not open the intake");
  const announced = readPlan(first.data["plan"]);
  demand(announced.t0 > first.at, "it was announced after its opening time");
  const intake = new Intake(announced);
  for (const told of log.slice(1)) {
    demand(await intake.accepts(told, plan), `event ${told.n} (${told.type}) breaks the rules`);
    intake.after(told);
  }
  demand(intake.closed, "intake was never closed");
  return found({ bids: intake.sealed(), last: log.at(-1)! }, `${intake.received} bids received, ${intake.bids.size} standing at the deadline`);
}

class Intake {
  readonly plan: Plan;
  t0: number;
  opens: number;
  closed = false;
  received = 0;
  readonly bids = new Map<string, Told>();
  readonly versions = new Map<string, number>();
  readonly checkedIn = new Map<string, string>();

  constructor(plan: Plan) {
    this.plan = plan;
    this.t0 = plan.t0;
    this.opens = plan.t0 - this.#window();
  }

  #window(): number {
    const windows = this.plan.form["windows"] as Data;
    demand(Object.hasOwn(windows, "checkin"), "the plan has no window for check-in");
    return windows["checkin"] as number;
  }

  async accepts(told: Told, plan: Plan): Promise<boolean> {
    const { data, at } = told;
    const clock = told.role === "clock";
    const own = told.role === "bidder" && data["bidder"] === told.id;
    const open = !this.closed && at < this.t0;
    const standing = this.bids.get(data["bidder"] as string);
    switch (told.type) {
      case "BidReceived":
        return own && open && (await this.#receives(told, plan, standing));
      case "BidRefused":
        return clock && open;
      case "BidWithdrawn":
        return own && open && standing !== undefined && data["header_sha256"] === standing.data["header_sha256"] && accepts(this.plan, "withdraw", proofOf(told));
      case "BidderCheckedIn":
        return own && open && standing !== undefined && at >= this.opens && !this.checkedIn.has(told.id) && accepts(this.plan, "checkin", proofOf(told));
      case "T0Moved":
        return (
          clock &&
          (open || (this.#held && !this.closed)) &&
          moment(data["old"]) === this.t0 &&
          moment(data["new"]) > this.t0 &&
          data["approved_by"] === null
        );
      case "IntakeHeld":
        return clock && !this.closed && !this.#held && at <= Math.max(this.t0, this.#last);
      case "IntakeFreed":
        return clock && this.#held && (data["t0"] === null || moment(data["t0"]) > Math.max(this.t0, at));
      case "IntakeClosed":
        // At its moment, or earlier because the opening was aborted.
        return clock && !this.closed && data["received"] === this.bids.size && at <= Math.max(this.t0, this.#last);
      default:
        return false;
    }
  }

  /** Every sealed bid that ever came, by its header. */
  readonly #seen = new Set<string>();
  #last = -Infinity;
  /** The opening stands still: T0 does not close it, and takes nothing in either. */
  #held = false;

  async #receives(told: Told, plan: Plan, standing: Told | undefined): Promise<boolean> {
    const { data, when } = told;
    if (!accepts(this.plan, "submit", proofOf(told))) return false;
    const header = data["header_sha256"];
    for (const other of this.bids.values()) if (other.data["header_sha256"] === header) return false; // nothing new, or another's
    if (this.plan.form["once"] === true && this.#seen.has(header as string)) return false;
    if (data["replaces"] !== (standing === undefined ? null : standing.data["header_sha256"]!)) return false;
    // What a bid was sealed for is checked on its header, where there is one.
    return this.#fits(plan) && data["tracker"] === trackerCode(receiptOf(data, when, this.plan));
  }

  #fits(plan: Plan): boolean {
    const [mine, theirs] = [this.plan.tender, plan.tender];
    return mine["id"] === theirs["id"] && mine["lot"] === theirs["lot"];
  }

  after(told: Told): void {
    this.#last = told.at;
    const { data } = told;
    const bidder = data["bidder"] as string;
    switch (told.type) {
      case "BidReceived":
        this.received++;
        this.bids.set(bidder, told);
        this.#seen.add(data["header_sha256"] as string);
        this.versions.set(bidder, (this.versions.get(bidder) ?? 0) + 1);
        return;
      case "BidWithdrawn":
        this.bids.delete(bidder);
        return;
      case "BidderCheckedIn":
        this.checkedIn.set(bidder, told.when);
        return;
      case "T0Moved":
        this.#move(told.at, data["new"]!);
        return;
      case "IntakeHeld":
        this.#held = true;
        return;
      case "IntakeFreed":
        this.#held = false;
        if (data["t0"] !== null) this.#move(told.at, data["t0"]!);
        return;
      case "IntakeClosed":
        this.closed = true;
    }
  }

  #move(at: number, t0: Json): void {
    this.t0 = moment(t0);
    // A check-in window that is open stays open.
    if (this.opens > at) this.opens = this.t0 - this.#window();
  }

  sealed(): readonly Data[] {
    const rows = [...this.bids.values()].sort(
      (a, b) => a.at - b.at || ((a.data["header_sha256"] as string) < (b.data["header_sha256"] as string) ? -1 : 1),
    );
    return rows.map(({ data, when }) => ({
      bidder: data["bidder"]!,
      name: data["name"]!,
      header_sha256: data["header_sha256"]!,
      received_at: when,
      tracker: data["tracker"]!,
      versions: this.versions.get(data["bidder"] as string)!,
      checked_in_at: this.checkedIn.get(data["bidder"] as string) ?? null,
    }));
  }
}

/** What the hall signed when this bid arrived (crypto/FORMAT.md section 7). */
export function receiptOf(data: Data, when: string, plan: Plan): Data {
  const copied = ["bidder", "header_sha256", "root", "length", "declaration_sha256", "leaf_salt"];
  for (const name of copied.filter((each) => each !== "bidder" && each !== "length")) asHex(data[name], 32);
  for (const name of [data["bidder"], plan.session, plan.tender["id"], plan.tender["lot"]]) asIdentifier(name);
  asCount(data["length"]);
  return {
    v: 1,
    session: plan.session,
    tender: plan.tender["id"]!,
    lot: plan.tender["lot"]!,
    received_at: when,
    ...Object.fromEntries(copied.map((name) => [name, data[name]!])),
  };
}

/** Whether two values are the same JSON. */
export function same(a: Json, b: Json): boolean {
  return canonicalText(a) === canonicalText(b);
}
