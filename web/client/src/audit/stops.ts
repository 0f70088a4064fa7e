/** Stops: the hall failed, or does not know the time, and nothing falls due (sessions/LIFECYCLE.md, "Stops"). */

import type { Change, Opening } from "./ceremony.js";
import type { Told } from "./log.js";
import { type Data, moment, written } from "./shapes.js";
import type { Coming } from "./time.js";

const REASONS = ["stepped", "offset", "behind"];
const CAUSES = ["gap", "database", "loop", "seats", "disk"];

function rule(o: Opening): Data | null {
  return (o.plan.pack["outage"] ?? null) as Data | null;
}

/** Those of the rule pack, shorter where the windows are short; all in milliseconds. */
function measures(o: Opening, of: Data): { readonly healthy: number; readonly notice: number; readonly postpone: number } {
  const windows = o.plan.form["windows"] as { readonly [kind: string]: number };
  const third = Math.floor(windows["decrypt"]! / 3);
  return {
    healthy: Math.min(of["healthy"] as number, third),
    notice: Math.min(of["notice"] as number, third),
    postpone: Math.min(of["postpone"] as number, 2 * windows["checkin"]!),
  };
}

/** Whether the hall itself stopped the opening: T0 stands still too. */
export function stopped(o: Opening): boolean {
  return o.hold !== null && (o.hold.stops ?? []).length > 0;
}

/** Whether what the time sources said may be recorded here: once, where the plan names some, right before the set is frozen. */
export function checksClock(o: Opening, { data, at }: Told): boolean {
  const sources = (o.plan.form["clock"] as Data | null | undefined)?.["sources"] as readonly string[] | undefined;
  const answered = data["sources"] as readonly string[];
  const figures = [data["offset_ms"], data["uncertainty_ms"], data["measured_at"]];
  return (
    sources !== undefined &&
    o.clock === null &&
    o.frozen === null &&
    o.stepComplete &&
    at === Math.max(o.t0, o.at) &&
    answered.join(" ") === sources.filter((source) => answered.includes(source)).join(" ") &&
    figures.every((figure) => (figure === null) === (answered.length === 0)) &&
    ((data["uncertainty_ms"] as number | null) ?? 0) >= 0
  );
}

/** Whether the frozen set quotes the offset that was recorded, and only where there is one to quote. */
export function quotesClock(o: Opening, data: Data): boolean {
  if ((o.plan.form["clock"] ?? null) === null) return o.clock === null;
  return o.clock !== null && o.clock["offset_ms"] === data["clock_offset_ms"];
}

/** Whether T0 has come and the set is not frozen yet: no stop comes between. */
function freezing(o: Opening): boolean {
  return o.stepComplete && o.frozen === null;
}

export function doubts(o: Opening, { data, at }: Told): boolean {
  return rule(o) !== null && !freezing(o) && !o.clockUnsafe && REASONS.includes(data["reason"] as string) && at <= Math.max(moment(data["noticed_at"]), o.at);
}

export function fails(o: Opening, { data, at }: Told): boolean {
  const reasons = data["reasons"] as readonly string[];
  const known = CAUSES.filter((cause) => reasons.includes(cause));
  const said = reasons.length > 0 && known.join() === reasons.join();
  return rule(o) !== null && !freezing(o) && o.outage === null && said && at <= Math.max(moment(data["noticed_at"]), o.at);
}

export function recovers(o: Opening, { data, at }: Told): boolean {
  return o.outage !== null && data["lasted_ms"] === at - o.outage;
}

/** What `SessionResumed` says when the opening goes on at `now`; null where it may not. */
export function resumed(o: Opening, now: number, approvedBy: string | null = null): Data | null {
  if (o.hold === null || o.clockUnsafe || o.outage !== null) return null;
  const since = moment(o.hold.since);
  const checkin = o.run?.step.kind === "checkin";
  const running = o.due !== null && o.due > since && !checkin;
  let due = running ? o.due! + now - since : o.due;
  let t0: number | null = null;
  const of = rule(o);
  if (stopped(o) && of !== null) {
    const { notice, postpone } = measures(o, of);
    if (running) due = Math.max(due!, now + notice);
    if (o.frozen === null && o.t0 < now + notice) {
      t0 = Math.ceil((now + postpone) / 1000) * 1000;
      if (checkin) due = t0;
    }
  }
  return {
    frozen_ms: now - since,
    due: due === null ? null : written(due),
    ...(t0 === null ? {} : { t0: written(t0) }),
    ...(approvedBy === null ? {} : { approved_by: approvedBy }),
  };
}

/** A stop ends by itself before anybody has come, or where the rule pack says so. */
export function resumption(o: Opening): Coming | null {
  const of = rule(o);
  if (of === null || o.hold === null || o.clockUnsafe || o.outage !== null || o.lifted === null) return null;
  const auto = of["resume"] === "auto" && (o.hold.stops ?? []).join() === "outage";
  if (!o.holdOurs || !(o.status === "scheduled" || auto)) return null;
  const at = Math.max(o.lifted + measures(o, of).healthy, o.at);
  return { type: "SessionResumed", at, data: () => resumed(o, at)! };
}

/** How much of a stretch the hall had stopped for. */
export function madeUp(o: Opening, began: number, ended: number): number {
  const stops = o.pauses.filter(({ hold }) => (hold.stops ?? []).length > 0);
  return stops.reduce((sum, { hold, until }) => sum + Math.max(0, Math.min(ended, moment(until)) - Math.max(began, moment(hold.since))), 0);
}

/** A moved T0, as the record tells it: no reason but what the hall had stopped for. */
export function movedBy(o: Opening, { when, name, data }: Told): Change {
  const approvedBy = (data["approved_by"] ?? null) as string | null;
  return { at: when, old: written(o.t0), new: data["t0"] as string, reason: "", by: name, approvedBy, stops: o.hold?.stops ?? [] };
}

/** The kinds of a stop, sorted, with one more. */
export function withStop(stops: readonly string[] | undefined, kind: string): readonly string[] {
  return [...new Set([...(stops ?? []), kind])].sort();
}

