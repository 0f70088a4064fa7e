/** The floor: who asks to speak, who speaks, and what ends it (sessions/LIFECYCLE.md, "The floor"). */

import type { Opening, Turn } from "./ceremony.js";
import type { Told } from "./log.js";
import type { Data } from "./shapes.js";

/** Whether bidders may speak now: from the beginning of a step that allows it until the next, or the end of the last. */
export function floorOpen(o: Opening): boolean {
  const rule = (o.plan.pack["floor"] ?? null) as Data | null;
  const kind = o.run?.step.kind;
  if (rule === null || o.status !== "live" || kind === undefined || !(rule["steps"] as readonly string[]).includes(kind)) return false;
  return kind !== "sign" || !o.stepComplete;
}

export function asking(turn: Turn): boolean {
  return turn.grantedAt === null && turn.endedAt === null;
}

function speaking(turn: Turn): boolean {
  return turn.grantedAt !== null && turn.endedAt === null;
}

export function speaker(o: Opening): Turn | undefined {
  return o.turns.find(speaking);
}

/** The turn that a bidder asks for, or has. */
function standing(o: Opening, bidder: string): Turn | undefined {
  return o.turns.find((turn) => turn.bidder === bidder && turn.endedAt === null);
}

/** What ends the floor by itself, where somebody still has it in a step that does not allow it. */
export function silenced(o: Opening): Data | null {
  const turn = o.hold === null ? speaker(o) : undefined;
  return turn === undefined || floorOpen(o) ? null : { bidder: turn.bidder, why: "stage", reason: "" };
}

/** The turns after a fact of the floor. */
export function turned(o: Opening, { type, data, when, name }: Told): readonly Turn[] {
  const bidder = data["bidder"] as string;
  if (type === "FloorAsked") {
    return [...o.turns, { bidder, askedAt: when, grantedAt: null, grantedBy: null, endedAt: null, why: null, reason: "" }];
  }
  const turn = standing(o, bidder);
  if (turn === undefined) return o.turns;
  if (type === "FloorGranted") [turn.grantedAt, turn.grantedBy] = [when, name];
  else if (data["why"] === "withdrawn") return o.turns.filter((one) => one !== turn);
  else [turn.endedAt, turn.why, turn.reason] = [when, data["why"] as string, data["reason"] as string];
  return o.turns;
}

/** The turns after the end of everything. */
export function over(o: Opening, when: string): readonly Turn[] {
  for (const turn of o.turns) if (speaking(turn)) [turn.endedAt, turn.why] = [when, "stage"];
  return o.turns.filter((turn) => !asking(turn));
}

/** Whether a bidder may ask: it has checked in, and neither asks nor speaks. */
export function asks(o: Opening, bidder: string): boolean {
  return (o.bid(bidder)?.checkedIn ?? null) !== null && standing(o, bidder) === undefined;
}

/** Whether the floor may be given: to one that asks, while nobody has it. */
export function grants(o: Opening, bidder: string): boolean {
  const turn = standing(o, bidder);
  return turn !== undefined && asking(turn) && speaker(o) === undefined;
}

/** What `why` must say of the end of a turn: whose doing it was, and whether the bidder spoke. */
export function endsAs(o: Opening, bidder: string, role: string): string | null {
  const turn = standing(o, bidder);
  if (turn === undefined) return null;
  if (role === "bidder") return speaking(turn) ? "finished" : "withdrawn";
  return speaking(turn) ? "ended" : "refused";
}
