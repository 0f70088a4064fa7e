/** The draw: by seeds that everyone present commits to (sessions/LIFECYCLE.md, "The draw"; crypto/FORMAT.md section 14). */

import { type Bytes, concat, fromHex, hex, lv, u32 } from "../bytes.js";
import { verifyByCertificate } from "../jws.js";
import type { Certificate } from "../x509.js";
import type { Opening } from "./ceremony.js";
import { same } from "./intake.js";
import type { Told } from "./log.js";
import { accepts, type Proved, proofOf, signerOf } from "./proofs.js";
import { demand, type Found, found } from "./report.js";
import type { Replayed } from "./rules.js";
import { digest } from "../sha256.js";
import { type Data, moment, written } from "./shapes.js";
import { byCodePoint } from "./sheet.js";
import type { Coming } from "./time.js";

/** Somebody in the draw: what it committed to, and its seed once it was shown. */
export interface Party {
  readonly role: string;
  readonly party: string;
  readonly commitment: string;
  seed: string | null;
}

/** The draw as it stands; who is `out` takes no part again. */
export interface Draw {
  readonly round: number;
  readonly committed: Party[];
  closed: boolean;
  readonly out: readonly string[];
  made: Data | null;
}

export function newDraw(round = 1, out: readonly string[] = []): Draw {
  return { round, committed: [], closed: false, out, made: null };
}

/** What the tender leaves to a draw. */
interface Rule {
  readonly id: string;
  readonly title: Data;
  readonly values: readonly string[];
  readonly pick: number | null;
}

export function drawRules(o: Opening): readonly Rule[] {
  return (o.plan.tender["draws"] ?? []) as unknown as readonly Rule[];
}

/** Whom `who` draws as: a deputy who took over, as the host; null for a bidder that did not check in. */
function side(o: Opening, { role, id }: { readonly role: string; readonly id: string }): string | null {
  if (role === "bidder") return (o.bid(id)?.checkedIn ?? null) === null ? null : "bidder";
  return role === "supervisor" ? "supervisor" : "host";
}

function silent(draw: Draw): readonly string[] {
  return draw.committed.filter(({ role, seed }) => role === "bidder" && seed === null).map(({ party }) => party);
}

function find(draw: Draw, role: string, party: string): Party | undefined {
  return draw.committed.find((each) => each.role === role && each.party === party);
}

export function commits(o: Opening, told: Told): boolean {
  const [draw, role] = [o.draw!, side(o, told)];
  const { round, commitment, statement } = told.data as { round: number; commitment: string; statement: string | null };
  return (
    role !== null &&
    told.data["role"] === role &&
    told.data["party"] === told.id &&
    round === draw.round &&
    /^[0-9a-f]{64}$/.test(commitment) &&
    !draw.closed &&
    !draw.out.includes(told.id) &&
    (role === "bidder") === (statement !== null) &&
    (role === "bidder" ? accepts(o.plan, "draw", proofOf(told)) : proofOf(told) === null) &&
    find(draw, role, told.id) === undefined
  );
}

export function reveals(o: Opening, told: Told): boolean {
  const [draw, role] = [o.draw!, side(o, told)];
  const mine = role === null ? undefined : find(draw, role, told.id);
  const seed = told.private!["seed"] as string | undefined;
  return (
    mine !== undefined &&
    told.data["role"] === role &&
    told.data["party"] === told.id &&
    told.data["round"] === draw.round &&
    mine.seed === null &&
    draw.closed &&
    (role === "bidder" || silent(draw).length === 0) &&
    Object.keys(told.private!).length === 1 &&
    seed !== undefined &&
    commitmentTo(o.plan.session, draw.round, mine, seed) === mine.commitment
  );
}

/** Whether two persons may begin the draw anew: it only waits for seeds of the staff. */
export function repeatable(o: Opening): boolean {
  const running = o.run?.step.kind === "draw" && !o.stepComplete;
  return running && o.draw !== null && o.draw.closed && silent(o.draw).length === 0;
}

/** What `DrawRepeated` says when two persons begin anew at `at`. */
export function repeated(o: Opening, { reason, approved_by }: Data, at: number): Data {
  const due = written(at + window(o));
  return { round: o.draw!.round + 1, without: [], due, reason: reason!, approved_by: approved_by! };
}

function window(o: Opening): number {
  const lengths = o.plan.form["windows"] as Data;
  return Object.hasOwn(lengths, "draw") ? (lengths["draw"] as number) : NaN;
}

/** What time or completeness brings to the draw, but for the end of its step. */
export function drawComing(o: Opening): Coming | null {
  const draw = o.draw!;
  const run = o.run!;
  const due = Math.max(run.due === null ? o.at : moment(run.due), o.at);
  if (!draw.closed) {
    if (!draw.committed.some(({ role }) => role !== "bidder")) return null;
    const at = present(o, draw).every(([role, party]) => find(draw, role, party) !== undefined) ? o.at : due;
    const parties = draw.committed.map(({ role, party }) => `${role}:${party}`);
    return { type: "DrawClosed", at, data: () => ({ round: draw.round, parties, due: written(at + window(o)) }) };
  }
  const without = silent(draw);
  if (without.length > 0) {
    const data = (): Data => ({ round: draw.round + 1, without, due: written(due + window(o)), reason: "", approved_by: null });
    return { type: "DrawRepeated", at: due, data };
  }
  if (draw.committed.some(({ seed }) => seed === null)) return null;
  return { type: "DrawMade", at: o.at, data: () => drawn(o, draw) };
}

function present(o: Opening, draw: Draw): readonly [role: string, party: string][] {
  const host: [string, string][] = o.acting === null ? [] : [["host", o.acting]];
  const supervisors = o.chairs.filter(({ role }) => role === "supervisor").map(({ account }): [string, string] => ["supervisor", account]);
  const bidders = o.bids.filter((bid) => bid.checkedIn !== null && !draw.out.includes(bid.bidder));
  return [...host, ...supervisors, ...bidders.map(({ bidder }): [string, string] => ["bidder", bidder])];
}

function drawn(o: Opening, draw: Draw): Data {
  const randomness = mix(o.plan.session, draw.round, draw.committed);
  return {
    round: draw.round,
    seeds: Object.fromEntries(draw.committed.map(({ role, party, seed }) => [`${role}:${party}`, seed!])),
    randomness: hex(randomness),
    drawn: results(o, randomness),
  };
}

function results(o: Opening, randomness: Bytes): Data {
  return Object.fromEntries(
    drawRules(o).map(({ id, values, pick: places }) => {
      const urn = values.length > 0 ? values : o.bids.map(({ row }) => String(row));
      return [id, pick(randomness, id, urn, places === null ? urn.length : Math.min(places, urn.length))];
    }),
  );
}

// -- the arithmetic ------------------------------------------------------------------------------------------------

function part({ role, party }: { readonly role: string; readonly party: string }, seed: string): Bytes {
  const raw = fromHex(seed);
  demand(raw.length === 32, "a seed has 32 bytes");
  return concat(lv(role), lv(party), lv(raw));
}

function commitmentTo(session: string, round: number, who: { readonly role: string; readonly party: string }, seed: string): string {
  if (!/^[0-9a-f]{64}$/.test(seed)) return "";
  return hex(digest(concat(lv("KAIBIAO/draw/seed/1"), lv(session), u32(round), part(who, seed))));
}

function mix(session: string, round: number, parties: readonly Party[]): Bytes {
  const ordered = [...parties].sort((a, b) => byCodePoint(a.role, b.role) || byCodePoint(a.party, b.party));
  return digest(concat(lv("KAIBIAO/draw/mix/1"), lv(session), u32(round), ...ordered.map((each) => part(each, each.seed ?? ""))));
}

const SPACE = 1n << 256n;

/** `count` of `values` in the order drawn: Fisher and Yates, with numbers that favour nobody. */
function pick(randomness: Bytes, name: string, values: readonly string[], count: number): readonly string[] {
  const key = concat(lv("KAIBIAO/draw/block/1"), randomness, lv(name));
  let block = 0;
  const below = (size: number): number => {
    const limit = SPACE - (SPACE % BigInt(size));
    for (;;) {
      const value = BigInt(`0x${hex(digest(concat(key, u32(block++))))}`);
      if (value < limit) return Number(value % BigInt(size));
    }
  };
  const urn = [...values];
  for (let place = 0; place < count; place++) {
    const chosen = place + below(urn.length - place);
    [urn[place], urn[chosen]] = [urn[chosen]!, urn[place]!];
  }
  return urn.slice(0, count);
}

/** Every round once more: each seed fits what was committed to, and the same is drawn again (sessions/ARCHIVE.md). */
export async function drawResult({ opening: o, log }: Replayed, signers: ReadonlyMap<string, Certificate>, proved: Proved): Promise<Found<true>> {
  const { session } = o.plan;
  const rounds = new Map<number, Party[]>();
  let parties = 0;
  for (const told of log) {
    const { type, data, private: hidden } = told;
    if (type === "DrawCommitted") {
      const { round, role, party, commitment, statement } = data as { round: number; role: string; party: string; commitment: string; statement: string };
      rounds.set(round, [...(rounds.get(round) ?? []), { role, party, commitment, seed: null }]);
      parties++;
      if (role !== "bidder") continue;
      const said = await verifyByCertificate(statement, "draw", signerOf(o, signers, proved, party, told));
      demand(same(said, { v: 1, session, bidder: party, round, commitment }), `round ${round}: what ${party} signed is something else`);
    } else if (type === "DrawRevealed") {
      const before = rounds.get(data["round"] as number)?.find((each) => each.role === data["role"] && each.party === data["party"]);
      const seed = hidden!["seed"] as string;
      const fits = before !== undefined && commitmentTo(session, data["round"] as number, before, seed) === before.commitment;
      demand(fits, `round ${String(data["round"])}: a seed is not the one committed to`);
      before.seed = seed;
    } else if (type === "DrawMade") {
      const all = rounds.get(data["round"] as number) ?? [];
      demand(
        all.every(({ seed }) => seed !== null),
        "somebody's number is not in the draw",
      );
      const seeds = Object.fromEntries(all.map(({ role, party, seed }) => [`${role}:${party}`, seed!]));
      demand(same(seeds, data["seeds"]!), "the numbers stated are not those shown");
      const randomness = mix(session, data["round"] as number, all);
      demand(hex(randomness) === data["randomness"], "the numbers give another randomness");
      demand(same(results(o, randomness), data["drawn"]!), "drawing again gives something else");
    }
  }
  const made = log.filter(({ type }) => type === "DrawMade").length;
  return found(true, made > 0 ? `${made} draws made, ${parties} parties, ${rounds.size} rounds` : "no draw");
}
