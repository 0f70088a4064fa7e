/** Points at which somebody outside must hold the log (sessions/LIFECYCLE.md, "Witnesses"). */

import type { Opening, Point } from "./ceremony.js";
import type { Told } from "./log.js";
import { accepts, proofOf } from "./proofs.js";
import { type Data, moment } from "./shapes.js";
import type { Coming } from "./time.js";

/** Who of a kind the plan names: witnesses by the names of their keys, timestamp authorities by their own. */
function named(o: Opening, kind: string): readonly string[] {
  if (o.watch === null) return [];
  if (kind === "stamp") return (o.watch["authorities"] ?? []) as readonly string[];
  return (o.watch["witnesses"] as readonly string[]).map((key) => key.split("+")[0]!);
}

function witnesses(point: Point): readonly string[] {
  return point.held.filter(({ kind }) => kind === "witness").map(({ by }) => by);
}

function reached(o: Opening, point: Point): boolean {
  return witnesses(point).length >= (o.watch!["quorum"] as number);
}

/** Whether the ceremony may go on from this point. */
export function witnessed(o: Opening, name: string): boolean {
  if (o.watch === null) return true;
  const point = o.points.find((one) => one.name === name);
  const rule = (o.plan.pack["witness"] ?? null) as Data | null;
  const open = rule === null || rule["mode"] === "open";
  return point !== undefined && (reached(o, point) || (open && point.missed));
}

/** The public word that a point is not held, once its grace period is over; a pause stops that too. */
export function missing(o: Opening): Coming | null {
  const rule = (o.plan.pack["witness"] ?? null) as Data | null;
  if (rule === null || o.hold !== null || o.over || o.watch === null) return null;
  const point = o.points.find((one) => !one.missed && !reached(o, one));
  if (point === undefined) return null;
  const stood = o.pauses.map(({ hold, until }) => Math.max(0, moment(until) - Math.max(moment(hold.since), point.at)));
  const due = point.at + (rule["grace"] as number) + stood.reduce((sum, length) => sum + length, 0);
  const data = (): Data => ({ point: point.name, have: witnesses(point), quorum: o.watch!["quorum"]! });
  return { type: "AnchorMissed", at: Math.max(due, o.at), data };
}

/** Whether this answer from outside may be recorded. */
export function anchors(o: Opening, told: Told): boolean {
  const { data } = told;
  const point = o.points.find(({ name }) => name === data["point"]);
  const [kind, by, size] = [data["kind"] as string, data["by"] as string, data["size"] as number];
  return (
    point !== undefined &&
    named(o, kind).includes(by) &&
    point.n <= size &&
    size <= o.length &&
    (kind === "stamp" ? accepts(o.plan, "stamp", proofOf(told)) : proofOf(told) === null) &&
    !point.held.some((one) => one.kind === kind && one.by === by)
  );
}

/** Whether this proof against the hall may be recorded. */
export function disputes(o: Opening, { data }: Told): boolean {
  return named(o, "witness").includes(data["by"] as string) && o.disputes.every((one) => one["by"] !== data["by"]);
}
