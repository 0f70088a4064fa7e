/** The opening record as the events make it, member for member (sessions/opening/record.py says the same). */

import { canonicalText, type Json } from "../canonical.js";
import type { Bid, Change, Lock, Opening, Point, StepRun, Turn } from "./ceremony.js";
import { drawRules } from "./draw.js";
import { asking } from "./floor.js";
import { digestHex } from "../sha256.js";
import type { Data } from "./shapes.js";
import { fieldsOf, grouped, inChinese, isAmount } from "./sheet.js";
import { written } from "./shapes.js";

/** The record as it was drawn for signature, or as it would stand now. */
export function record(o: Opening): Data {
  return o.drawn?.content ?? project(o);
}

export function recordDigest(o: Opening): string {
  return o.drawn?.sha256 ?? digestHex(canonicalText(project(o)));
}

function project(o: Opening): Data {
  const { plan } = o;
  const { tender, pack } = plan;
  const copy = (from: Data, ...names: readonly string[]): { [name: string]: Json } =>
    Object.fromEntries(names.map((name) => [name, from[name]!]));
  const ceiling = o.ceilingAnnounced ? (tender["ceiling"] as string | null) : null;
  return {
    v: 1,
    session: plan.session,
    rehearsal: plan.form["rehearsal"] ?? false,
    rules: copy(pack, "id", "version", "digest", "title"),
    tender: {
      ...copy(tender, "id", "lot", "title", "tenderer", "agent", "place", "currency"),
      ceiling: ceiling === null ? null : amount(ceiling, tender["currency"] as string),
    },
    t0: written(o.t0),
    minimum_bidders: pack["minimum_bidders"]!,
    fields: fieldsOf(tender).map(({ id, kind, label }) => ({ id, kind, label })),
    sealed_set: sealedSet(o),
    barrier: o.barrier === null ? null : { at: o.barrier.at, reason: o.barrier.data["reason"]! },
    rows: o.listed ? o.bids.map((bid) => row(bid, tender)) : [],
    late: o.late.map(({ at, data }) => ({ ...copy(data, "bidder", "name", "slip_sha256", "code"), at })),
    steps: o.runs.map(stepRow),
    objections: o.objections.map((item) => ({
      number: item.number,
      bidder: item.bidder,
      kind: item.kind,
      title: item.title,
      at: item.at,
      answered_at: item.answeredAt,
      answered_by: item.answeredBy,
    })),
    pauses: o.pauses.map(({ hold, until }) => ({ ...hold, until })),
    postponements: o.moves.map(change),
    present: o.chairs.map((chair) => ({ ...chair, host: chair.account === o.acting })),
    draws: draws(o),
    ...((pack["floor"] ?? null) === null ? {} : { floor: o.turns.filter((turn) => !asking(turn)).map(turnRow) }),
    ...(o.watch === null ? {} : { watch: watched(o, o.watch) }),
    ...(o.clock === null ? {} : { clock: o.clock }),
    ...(o.filmed === null ? {} : { recording: o.filmed }),
    ...(o.locks.length > 0 ? { locks: o.locks.map((lock) => lockRow(o, lock)) } : {}),
  };
}

function watched(o: Opening, watch: Data): Json {
  const by = (point: Point, kind: string): readonly string[] => point.held.filter((one) => one.kind === kind).map((one) => one.by);
  return {
    origin: watch["origin"]!,
    witnesses: (watch["witnesses"] as readonly string[]).map((key) => key.split("+")[0]!),
    quorum: watch["quorum"]!,
    authorities: watch["authorities"] ?? [],
    points: o.points.map((point) => ({
      point: point.name,
      held_by: by(point, "witness"),
      stamped_by: by(point, "stamp"),
      missed: point.missed,
    })),
  };
}

function draws(o: Opening): Json {
  const made = o.draw?.made ?? null;
  if (made === null) return [];
  const rows = new Map(o.bids.map(({ row, name }) => [String(row), name]));
  return drawRules(o).map(({ id, title, values }) => {
    const drawn = (made["drawn"] as { readonly [id: string]: readonly string[] })[id]!;
    return {
      id,
      title,
      drawn,
      names: values.length > 0 ? [] : drawn.map((each) => rows.get(each) ?? ""),
      of: values.length || rows.size,
      round: o.draw!.round,
      randomness: made["randomness"]!,
      without: o.draw!.out,
    };
  });
}

function sealedSet(o: Opening): Json {
  if (o.frozen === null) return null;
  const { at, data } = o.frozen;
  const size = data["intake_log_size"] ?? null;
  const logged = size === null ? {} : { intake_log_size: size, intake_log_root: data["intake_log_root"] ?? null };
  return {
    received: data["received"]!,
    root: data["root"]!,
    headers: data["headers"]!,
    frozen_at: at,
    intake_head: data["intake_head"]!,
    intake_length: data["intake_length"]!,
    clock_offset_ms: data["clock_offset_ms"]!,
    ...logged,
  };
}

function row(bid: Bid, tender: Data): Json {
  const quote = (bid.opened?.["quote"] as Data | undefined) ?? null;
  const currency = tender["currency"] as string;
  const amounts: { [field: string]: Json } = {};
  for (const field of fieldsOf(tender)) {
    const value = quote !== null && Object.hasOwn(quote, field.id) ? (quote[field.id] as string) : undefined;
    if (field.kind === "money" && isAmount(value)) amounts[field.id] = amount(value, field.currency || currency);
  }
  return {
    row: bid.row,
    bidder: bid.bidder,
    name: bid.name,
    tracker: bid.tracker,
    header_sha256: bid.header,
    received_at: bid.receivedAt,
    versions: bid.versions,
    checked_in_at: bid.checkedIn,
    seal: bid.seal,
    attempts: bid.attempts.length,
    state: bid.state,
    quote,
    quote_sha256: bid.opened?.["quote_sha256"] ?? null,
    amounts,
    flags: bid.opened?.["flags"] ?? [],
    cause: bid.cause,
    consequence: bid.consequence,
    evidence: bid.evidence,
    confirmed_at: bid.confirmedAt,
    disputed: bid.disputed,
    ...(bid.rescued === null ? {} : { rescued: bid.rescued }),
  };
}

function lockRow(o: Opening, lock: Lock): Json {
  const mine = ({ data }: { readonly data: Data }): boolean => data["lock"] === lock.id;
  const missed = o.missedLocks.find(mine);
  return {
    id: lock.id,
    title: lock.title,
    threshold: lock.threshold,
    of: lock.officers.length,
    removed: o.removals.filter(mine).map(({ at, data }) => ({
      account: data["officer"]!,
      name: lock.officers.find(({ account }) => account === data["officer"])!.name,
      at,
      failed: data["failed"]!,
    })),
    missed: missed === undefined ? null : { at: missed.at, reason: missed.data["reason"]!, by: missed.by },
  };
}

function amount(value: string, currency: string): Json {
  const words = currency === "CNY" ? { words: inChinese(value) } : {};
  return { amount: value, currency, figures: grouped(value), ...words };
}

function stepRow(run: StepRun): Json {
  return {
    step: run.step.id,
    title: run.step.title,
    article: run.step.article,
    entered_at: run.enteredAt,
    due: run.due,
    completed_at: run.completedAt,
    missing: run.missing,
    extensions: run.extensions.map(change),
  };
}

function turnRow({ bidder, askedAt, grantedAt, grantedBy, endedAt, why, reason }: Turn): Json {
  return { bidder, asked_at: askedAt, granted_at: grantedAt, granted_by: grantedBy, ended_at: endedAt, why, reason };
}

function change({ at, old, new: moved, reason, by, approvedBy, stops }: Change): Json {
  return { at, old, new: moved, reason, by, approved_by: approvedBy, ...(stops === undefined ? {} : { stops }) };
}
