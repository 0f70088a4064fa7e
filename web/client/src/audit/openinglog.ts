/** The log of the opening, and who outside the hall holds it (sessions/LIFECYCLE.md, "Witnesses"). */

import { type Bytes, equal, fromHex, hex, utf8 } from "../bytes.js";
import type { HallKey } from "../jws.js";
import type { Opening } from "./ceremony.js";
import { lines, type Told } from "./log.js";
import { type Checkpoint, cosignedAt, type Key, linesBy, type Note, openCheckpoint, readKey, readNote, sameKey } from "./note.js";
import { demand, Failed, type Found, found } from "./report.js";
import type { Replayed } from "./rules.js";
import { digestHex } from "../sha256.js";
import type { Data } from "./shapes.js";
import { Tree } from "./tree.js";
import type { Files } from "./zipped.js";

/** How far a witness's clock may be off, in milliseconds. */
const DRIFT = 60_000;
const PROOF = "c2sp.org/tlog-proof@v1\n";
const FINAL = "log/opening.checkpoint";
const POINT = /^log\/opening-([1-9][0-9]{0,6})\.checkpoint$/;

/** A checkpoint of the log with the note it stood in. */
interface Held {
  readonly note: Note;
  readonly checkpoint: Checkpoint;
}

/** The members that a watched opening may leave. */
export function checkpointNames(files: Files, o: Opening): readonly string[] {
  if (o.watch === null) return [];
  const disputes = o.disputes.map((_, i) => `log/dispute-${i + 1}.checkpoint`);
  return [...files.keys()].filter((name) => name === FINAL || POINT.test(name) || disputes.includes(name));
}

/** The roots of the opening's log: after how many events, which. */
export function roots({ log }: Replayed, sizes: ReadonlySet<number>): ReadonlyMap<number, Uint8Array> {
  const tree = new Tree();
  const found = new Map<number, Uint8Array>();
  if (sizes.has(0)) found.set(0, tree.root());
  for (const { digest } of log) {
    tree.add(fromHex(digest));
    if (sizes.has(tree.size)) found.set(tree.size, tree.root());
  }
  return found;
}

export async function openingLog(files: Files, replayed: Replayed, hall: HallKey): Promise<Found<ReadonlyMap<number, Held>>> {
  const { opening: o, log } = replayed;
  const held = new Map<number, Held>();
  if (o.watch === null) return found(held, "no log was announced");
  const origin = o.watch["origin"] as string;
  demand(origin.endsWith(`/s/${o.plan.session}`), "the log is named for another session");
  const names = [...files.keys()].filter((name) => name === FINAL || POINT.test(name));
  const size = (name: string): number => (name === FINAL ? log.length : Number(POINT.exec(name)![1]));
  const known = roots(replayed, new Set(names.map(size)));
  for (const name of names) {
    const note = readNote(files.get(name)!);
    const checkpoint = await openCheckpoint(note, hall.raw, origin);
    demand(checkpoint.size === size(name), `${name} has another size`);
    const root = known.get(checkpoint.size);
    demand(root !== undefined && equal(root, checkpoint.root), `${name} is of other events than these`);
    held.set(checkpoint.size, { note, checkpoint });
  }
  const [dispute] = o.disputes;
  demand(dispute === undefined, `the witness ${String(dispute?.["by"])} holds another log under the hall's signature`);
  const last = held.get(log.length);
  demand(last !== undefined, `${FINAL} is missing`);
  return found(held, `${log.length} events, root ${hex(last.checkpoint.root)}, ${held.size} checkpoints`);
}

export async function witnesses({ opening: o, log }: Replayed, held: ReadonlyMap<number, Held>): Promise<Found<true>> {
  const announced = (o.watch?.["witnesses"] ?? []) as readonly string[];
  if (announced.length === 0) return found(true, "no witness was announced");
  const quorum = o.watch!["quorum"] as number;
  const keys = await witnessKeys(announced, quorum);
  for (const told of log) {
    const { type, data, n } = told;
    if (type !== "Anchored" || data["kind"] !== "witness") continue;
    const one = held.get(data["size"] as number);
    demand(one !== undefined, `the checkpoint of event ${n} is missing`);
    await cosigned(one, told, keys.get(data["by"] as string)!);
  }
  const counts = new Map<number, number>();
  for (const [size, { note }] of held) {
    const times = (await Promise.all([...keys.values()].map((key) => cosignedAt(note, key)))).filter((time) => time !== null);
    const newest = log[size - 1]?.at ?? -Infinity;
    demand(times.every((time) => 1000 * time >= newest - DRIFT), `${size} events were cosigned before the last of them had happened`);
    counts.set(size, times.length);
  }
  const final = counts.get(log.length) ?? 0;
  const rule = (o.plan.pack["witness"] ?? null) as Data | null;
  const closed = rule?.["mode"] === "closed" && o.status === "ended";
  demand(!closed || final >= quorum, `${final} witnesses cosigned the end, ${quorum} must`);
  const said = o.points.map((point) => {
    const count = point.held.filter(({ kind }) => kind === "witness").length;
    return `${point.name} ${count}${count >= quorum ? "" : " (too few)"}`;
  });
  return found(true, `${[...said, `end ${final}`].join(", ")} of ${keys.size}, quorum ${quorum}`);
}

/**
 * What somebody kept outside, against the events of the bundle: one log, or the hall is convicted. A checkpoint, or the
 * digest of an event, as the foot of a printed record gives it for the last.
 */
export async function heldOutside(kept: string, files: Files, replayed: Replayed, hall: HallKey): Promise<Found<true>> {
  const { opening: o, log } = replayed;
  if (/^[0-9a-f]{64}$/.test(kept.trim())) {
    const event = log.find(({ digest }) => digest === kept.trim());
    demand(event !== undefined, `SPLIT VIEW: no event of this bundle has the digest ${kept.trim()}: what it was printed on is of another log, keep both`);
    return found(true, `the head after event ${event.n} of ${log.length}`);
  }
  demand(o.watch !== null, "this opening was announced without a log");
  const note = readNote(utf8(kept.startsWith(PROOF) ? kept.slice(kept.indexOf("\n\n") + 2) : kept));
  const named = String(o.watch["origin"]);
  const origin = note.text.split("\n", 1)[0]!;
  const suffix = origin.startsWith(named) ? origin.slice(named.length) : "";
  const [entries, what] = entriesOf(suffix, files, replayed);
  const { size, root } = await openCheckpoint(note, hall.raw, named + suffix);
  demand(size <= entries.length, `SPLIT VIEW: the hall signed a log of ${size} ${what} and hands out one of ${entries.length}: ${what} were taken away`);
  const tree = new Tree();
  for (const entry of entries.slice(0, size)) tree.add(entry);
  demand(equal(tree.root(), root), `SPLIT VIEW: the hall signed two different logs of ${size} ${what}; this checkpoint and the bundle prove it together, keep both`);
  return found(true, `the first ${size} of ${entries.length} ${what}`);
}

/** The entries of that log of the bundle whose name ends so after the opening's, and what they are. */
function entriesOf(suffix: string, files: Files, { log }: Replayed): readonly [readonly Bytes[], string] {
  switch (suffix) {
    case "":
      return [log.map(({ digest }) => fromHex(digest)), "events"];
    case "/intake": {
      const bytes = files.get("log/intake.entries") ?? new Uint8Array();
      return [Array.from({ length: Math.ceil(bytes.length / 32) }, (_, i) => bytes.slice(i * 32, i * 32 + 32)), "receipts"];
    }
    case "/recording":
      return [Array.from(lines(files.get("events/recording.jsonl") ?? new Uint8Array()), ({ bytes }) => fromHex(digestHex(bytes))), "events of the recording"];
    default:
      throw new Failed(`it proves nothing about this bundle: there is no log ${suffix}`);
  }
}

/** The witnesses that a plan announces, by name. */
export async function witnessKeys(announced: readonly string[], quorum: number): Promise<ReadonlyMap<string, Key>> {
  const keys = await Promise.all(announced.map(readKey));
  demand(keys.length <= 32 && quorum >= 0 && quorum <= keys.length, "no such quorum");
  keys.forEach((key, i) => {
    demand(key.kind === 4 && !keys.slice(0, i).some((other) => sameKey(other, key)), "a witness is announced twice, or is none");
  });
  return new Map(keys.map((key) => [key.name, key]));
}

async function cosigned({ note, checkpoint }: Held, { data, n, at }: Told, witness: Key): Promise<void> {
  const time = await cosignedAt(note, witness);
  demand(time !== null, `event ${n}: the witness did not cosign`);
  demand(digestHex(linesBy(note, witness)[0]!.whole) === data["sha256"], `event ${n} is of another cosignature`);
  demand(new Date(1000 * time).toISOString() === data["said_at"], `event ${n} gives another time`);
  demand(1000 * time <= at + DRIFT, `event ${n}: recorded before it was cosigned`);
  demand(hex(checkpoint.root) === data["root"], `event ${n} gives another root`);
}
