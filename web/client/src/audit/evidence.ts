/** Who could reach whom in the decrypt window: figures from signs of life (sessions/LIFECYCLE.md, "Evidence"). */

import { type Bytes, concat, fromHex, lv } from "../bytes.js";
import { type HallKey, verifyByCertificate, verifyByHall } from "../jws.js";
import type { Certificate } from "../x509.js";
import { asCount, asHex, asIdentifier, members } from "../fields.js";
import { BY_CLIENT } from "./blame.js";
import type { Bid, Opening } from "./ceremony.js";
import { same } from "./intake.js";
import { lines, type Told } from "./log.js";
import { demand, type Found, found } from "./report.js";
import type { Replayed } from "./rules.js";
import { digestHex } from "../sha256.js";
import { type Data, moment } from "./shapes.js";
import { madeUp } from "./stops.js";
import type { Files } from "./zipped.js";

const REACH = "evidence/reach.jsonl";
const PROBES = "evidence/probes.jsonl";

interface Rule {
  readonly cadence: number;
  readonly gap: number;
  readonly slow: number;
  readonly extends?: boolean;
  readonly most?: number;
}

export function evidenceRule(o: Opening): Rule | null {
  return (o.plan.pack["evidence"] ?? null) as Rule | null;
}

/** The bidders whose evidence is still to be put on record, in row order. */
export function unheard(o: Opening): readonly string[] {
  if (evidenceRule(o) === null || o.barrier === null) return [];
  const missing = o.barrier.data["missing"] as readonly string[];
  return o.bids.filter((bid) => missing.includes(bid.bidder) && bid.gathered === null).map(({ bidder }) => bidder);
}

/** How many `EvidenceGathered` come together at `log[i]`: one of everybody it is due for, in one moment, or none. */
export function gathers(o: Opening, log: readonly Told[], i: number): number {
  const due = unheard(o);
  let end = i;
  while (log[end]?.type === "EvidenceGathered") end++;
  const run = log.slice(i, end);
  const whole = run.length === due.length && run.every(({ data, at, role }, k) => data["bidder"] === due[k] && at === run[0]!.at && role === run[0]!.role);
  return whole ? run.length : 0;
}

/** Whether this fault lengthens the running window by as much as the rules give. */
export function measures(o: Opening, { data }: Told): boolean {
  const [rule, run] = [evidenceRule(o), o.run];
  if (rule === null || run === undefined || run.due === null) return false;
  const [began, ended] = [moment(data["began"]), moment(data["ended"])];
  if (ended <= began || o.faults.some((past) => past.ended > began)) return false;
  const given = o.faults.reduce((sum, past) => sum + past.madeUp, 0);
  const lost = ended - Math.max(began, moment(run.enteredAt));
  const more = rule.extends === true ? Math.max(Math.min(lost, (rule.most ?? 0) - given), 0) : 0;
  return data["step"] === run.step.id && data["old"] === run.due && moment(data["new"]) === moment(run.due) + more;
}

/** A sign of life of a bidder's program, as it came and as it was answered. */
interface Beat {
  readonly bidder: string;
  readonly n: number;
  readonly heard: number;
  readonly answered: number;
  readonly key: string;
  readonly lost: number;
}

interface Probe {
  readonly at: number;
  readonly took: number;
}

interface Limits {
  readonly gap: number;
  readonly slow: number;
}

function limitsOf(o: Opening, rule: Rule): Limits {
  const window = (o.plan.form["windows"] as { readonly decrypt: number }).decrypt;
  return { gap: Math.max(5000, Math.min(rule.gap, window / 4)), slow: rule.slow };
}

/** The stretches without a healthy sign of life of the hall that were longer than a gap. */
function outages(probes: readonly Probe[], { gap, slow }: Limits, start: number, end: number): readonly (readonly [number, number])[] {
  if (probes.length === 0) return [];
  const well = probes.filter(({ at, took }) => took <= slow && start < at && at < end).map(({ at }) => at);
  return stretches([start, ...well, end]).filter(([a, b]) => b - a > gap);
}

function stretches(points: readonly number[]): readonly (readonly [number, number])[] {
  return points.slice(1).map((point, i) => [points[i]!, point] as const);
}

/** The figures on one bidder whose key was missing. */
function figures(o: Opening, rule: Rule, bid: Bid, own: readonly Beat[], reach: readonly Beat[], probes: readonly Probe[]): Data {
  const limits = limitsOf(o, rule);
  const [start, end] = [moment(o.runOf("decrypt")!.enteredAt), moment(o.barrier!.at)];
  const heard = [...own.map((beat) => beat.heard), ...bid.attempts.map(({ at }) => moment(at)).filter((at) => at <= end)];
  const since = heard.length > 0 ? Math.max(...heard) : start;
  const beats = reach.filter(({ bidder }) => bidder !== bid.bidder).map((beat) => beat.heard);
  const tries = o.bids.filter((other) => other !== bid).flatMap((other) => other.attempts.map(({ at }) => moment(at)));
  const others = [...beats, ...tries].filter((at) => at <= end).sort((a, b) => a - b);
  const seen = others.filter((at) => since <= at);
  const down = outages(probes, limits, start, end);
  const sum = (numbers: readonly number[]): number => numbers.reduce((total, one) => total + one, 0);
  const seconds = (length: number): string => String(Math.floor(length / 1000));
  return {
    beats: String(own.length),
    last_heard_at: heard.length > 0 ? new Date(since).toISOString() : "",
    key_state: own.at(-1)?.key ?? "",
    lost: String(sum(own.map(({ lost }) => lost))),
    silent_s: seconds(end - since),
    gap_s: seconds(limits.gap),
    others_heard: String(others.length),
    others_heard_in_silence: String(seen.length),
    longest_unheard_s: seconds(Math.max(...stretches([since, ...seen, end]).map(([a, b]) => b - a))),
    slow_answers: String(own.filter((beat) => beat.answered - beat.heard > limits.slow).length),
    probes: String(probes.length),
    hall_down_s: seconds(sum(down.map(([a, b]) => b - a))),
    made_up_s: seconds(sum([...o.faults.map((past) => past.madeUp), ...down.map(([a, b]) => madeUp(o, a, b))])),
    others_heard_while_down: String(sum(down.map(([a, b]) => others.filter((at) => a < at && at < b).length))),
  };
}

/** Every piece of evidence is signed and is the one the log names, and the figures follow from it. */
export async function evidence(
  files: Files,
  { opening: o, log }: Replayed,
  signers: ReadonlyMap<string, Certificate>,
  hall: HallKey,
): Promise<Found<true>> {
  const told = log.filter(({ type }) => type === "EvidenceGathered");
  const faults = log.filter(({ type }) => type === "FaultMeasured");
  const rule = evidenceRule(o);
  const file = (name: string): Bytes => files.get(name) ?? new Uint8Array(0);
  if (faults.length > 0) checkFaults(o, rule, faults, readProbes(file(PROBES)));
  if (told.length === 0) return found(true, `of no bidder; ${faults.length} faults of the hall`);
  const steps = new Set(o.steps.filter(({ kind }) => kind === "decrypt").map(({ id }) => id));
  const window = log.find(({ type, data }) => type === "StepEntered" && steps.has(data["step"] as string))?.digest;
  demand(rule !== null && window !== undefined && o.barrier !== null, "evidence without a window");
  const read = (bid: Bid | undefined, line: Data): Promise<Beat> => readBeat(o, window, bid, line, signers, hall);
  const probes = readProbes(file(PROBES));
  const reach = await Promise.all(
    [...lines(file(REACH), LINE)].map(({ value }) => {
      const line = members(value, ["ack", "beat", "row"]);
      return read(
        o.bids.find(({ row }) => row === line.row),
        line,
      );
    }),
  );
  let beats = 0;
  for (const { data } of told) {
    const bid = o.bid(data["bidder"] as string)!;
    const bytes = file(`bids/${bid.row}/evidence.jsonl`);
    const named = [data["sha256"], data["reach_sha256"], data["probes_sha256"]];
    const here = [bytes, file(REACH), file(PROBES)].map(digestHex);
    demand(same(named as string[], here), `row ${bid.row}: other evidence than the log names`);
    const own = await Promise.all([...lines(bytes, LINE)].map(({ value }) => read(bid, members(value, ["ack", "beat"]))));
    demand(
      own.every(({ n }, i) => n === i + 1),
      `row ${bid.row}: a sign of life is missing`,
    );
    demand(same(figures(o, rule, bid, own, reach, probes), data["facts"]!), `row ${bid.row}: the figures do not follow from the evidence`);
    beats += own.length;
  }
  return found(true, `${told.length} bidders, ${beats} + ${reach.length} beats, ${probes.length} probes, ${faults.length} faults`);
}

function checkFaults(o: Opening, rule: Rule | null, faults: readonly Told[], probes: readonly Probe[]): void {
  const run = o.runOf("decrypt");
  demand(run !== undefined && rule !== null, "a fault outside the decrypt window");
  const start = moment(run.enteredAt);
  const ends = new Set([start, ...probes.map(({ at }) => at)]);
  for (const { data, n } of faults) {
    const [began, ended] = [moment(data["began"]), moment(data["ended"])];
    demand(ends.has(began) && ends.has(ended), `event ${n}: nothing shows that fault`);
    const inside = probes.filter(({ at }) => at <= ended);
    const shown = outages(inside, limitsOf(o, rule), start, ended).some(([a, b]) => a === began && b === ended);
    demand(shown, `event ${n}: the hall worked in that time`);
  }
}

const LINE = 4 * 4096;
const LONGEST = 4096;

function readProbes(bytes: Bytes): readonly Probe[] {
  return [...lines(bytes, LINE)].map(({ value }) => {
    const { at, took_ms, run } = members(value, ["at", "took_ms", "run"]);
    asIdentifier(run);
    return { at: moment(at), took: asCount(took_ms) };
  });
}

/** Verify a beat and its acknowledgement (hall/PROTOCOL.md). */
async function readBeat(
  o: Opening,
  window: string,
  bid: Bid | undefined,
  line: Data,
  signers: ReadonlyMap<string, Certificate>,
  hall: HallKey,
): Promise<Beat> {
  demand(bid !== undefined, "a sign of life of no row");
  const signer = signers.get(bid.bidder);
  demand(signer !== undefined, `row ${bid.row}: there is no certificate to check its signs of life with`);
  const [beat, ack] = [line["beat"], line["ack"]];
  demand(typeof beat === "string" && typeof ack === "string" && beat.length <= LONGEST, `row ${bid.row}: a line of another form`);
  const said = members(await verifyByCertificate(beat, "heartbeat", signer), ["v", "session", "bidder", "nonce", "n", "at", "key", "seen", "lost", "rtt_ms", "ack"]);
  const nonce = digestHex(concat(lv("KAIBIAO/nonce"), fromHex(window), lv(bid.bidder)));
  const states = ["none", "ready", "released", ...Object.keys(BY_CLIENT)];
  const trips = said.rtt_ms as readonly unknown[];
  const good =
    said.v === 1 &&
    said.session === o.plan.session &&
    said.bidder === bid.bidder &&
    said.nonce === nonce &&
    asCount(said.n) >= 1 &&
    asCount(said.lost) <= 1_000_000 &&
    states.includes(said.key as string) &&
    Array.isArray(trips) &&
    trips.length <= 8 &&
    trips.every((trip) => asCount(trip as number) <= 3_600_000);
  asCount(said.seen);
  moment(said.at);
  if (said.ack !== null) asHex(said.ack, 32);
  demand(good, `row ${bid.row}: a sign of life of another form`);
  const heard = members(await verifyByHall(ack, "heard", hall), ["v", "session", "bidder", "nonce", "n", "beat_sha256", "received_at", "answered_at", "head"]);
  const about =
    heard.v === 1 &&
    heard.session === said.session &&
    heard.bidder === said.bidder &&
    heard.nonce === said.nonce &&
    heard.n === said.n &&
    heard.beat_sha256 === digestHex(beat);
  demand(about, `row ${bid.row}: an acknowledgement of something else`);
  return {
    bidder: bid.bidder,
    n: said.n as number,
    heard: moment(heard.received_at),
    answered: moment(heard.answered_at),
    key: said.key as string,
    lost: said.lost as number,
  };
}

/** There are the failure certificates that the log gives rise to, and no others (hall/PROTOCOL.md). */
export async function failures(files: Files, { opening: o, log }: Replayed, hall: HallKey): Promise<Found<true>> {
  const given = log.filter(({ type }) => type === "BidNotOpened" || type === "CauseRuled");
  const names = new Set<string>();
  for (const { type, data, n, when, digest } of given) {
    const bid = o.bid(data["bidder"] as string)!;
    const name = `bids/${bid.row}/failure-${n}.jws`;
    const token = files.get(name);
    demand(token !== undefined, `${name} is missing`);
    const ruled = type === "CauseRuled";
    const { pack, tender, session } = o.plan;
    const refusals = pack["refusals"] as Data;
    const article = (pack["evidence"] as Data | null | undefined)?.["article"] ?? refusals["cause_pending"] ?? null;
    const expected = {
      v: 1,
      session,
      tender: tender["id"]!,
      lot: tender["lot"]!,
      row: bid.row,
      bidder: bid.bidder,
      name: bid.name,
      tracker: bid.tracker,
      header_sha256: bid.header,
      cause: data["cause"]!,
      consequence: data["consequence"]!,
      basis: ruled ? "ruling" : "evidence",
      article,
      reason: ruled ? data["reason"]! : null,
      approved_by: ruled ? data["approved_by"]! : null,
      evidence: bid.evidence ?? {},
      event: n,
      event_sha256: digest,
      at: when,
    };
    demand(same(await verifyByHall(new TextDecoder().decode(token), "failure", hall), expected), `${name} says something else than the log`);
    names.add(name);
  }
  const stray = [...files.keys()].find((name) => name.includes("/failure-") && !names.has(name));
  demand(stray === undefined, `nothing gave rise to ${stray ?? ""}`);
  return found(true, `${given.length} certificates`);
}
