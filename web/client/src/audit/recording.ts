/** The recording: its own chain, what the opening's log says of it, and every byte of its files (sessions/ARCHIVE.md). */

import { type Bytes, concat, equal, fromHex, hex, u32, utf8 } from "../bytes.js";
import type { HallKey } from "../jws.js";
import { member } from "./bids.js";
import type { Opening } from "./ceremony.js";
import { readChain, readEvents, type Told } from "./log.js";
import { cosignedAt, openCheckpoint, readNote } from "./note.js";
import { witnessKeys } from "./openinglog.js";
import { demand, type Found, found } from "./report.js";
import type { Replayed } from "./rules.js";
import { digestHex } from "../sha256.js";
import { type Data, moment, written } from "./shapes.js";
import { Tree } from "./tree.js";
import type { Files } from "./zipped.js";

export const EVENTS = "events/recording.jsonl";
const CHECKPOINT = "log/recording.checkpoint";
const FOLDER = "recording/";
const CAPTIONS = ["recording/captions.zh.vtt", "recording/captions.en.vtt"];
const PROGRAMME = "programme";
const LARGEST = 300_000_000;
const MOST = 400;
const SEEN = 1000;
const MOST_NOTED = 500;
const TRACK = /^[a-z0-9][a-z0-9-]{0,63}$/;
const DIGEST = /^[0-9a-f]{64}$/;

interface Fragment {
  readonly offset: number;
  readonly length: number;
  readonly sha256: string;
  readonly time_ms: number;
  readonly duration_ms: number;
}

/** One file of a track, and what it holds. */
interface Part {
  readonly track: string;
  readonly part: number;
  readonly initLength: number;
  readonly init: string;
  readonly utc: number;
  size: number;
  end: number;
  broken: boolean;
  readonly fragments: Fragment[];
}

export interface Recording {
  readonly parts: readonly Part[];
  readonly length: number;
  readonly closed: boolean;
}

export const isRecorded = (o: Opening): boolean => o.plan.form["recording"] === true;

/** The members that a recorded opening leaves whatever was recorded. */
export function recordingNames(o: Opening): readonly string[] {
  return isRecorded(o) ? [EVENTS] : [];
}

/** The members there that it may leave besides. */
export function recordingMayHave(files: Files, o: Opening): readonly string[] {
  if (!isRecorded(o)) return [];
  return [...files.keys()].filter((name) => name.startsWith(FOLDER) || (name === CHECKPOINT && o.watch !== null));
}

export async function recordingChain(files: Files, { opening: o, log }: Replayed, hall: HallKey): Promise<Found<Recording>> {
  if (!isRecorded(o)) return found({ parts: [], length: 0, closed: false }, "announced without a recording");
  const bytes = member(files, EVENTS);
  const told = bytes.length === 0 ? [] : readEvents(readChain(bytes, o.plan.session, "recording").value, new Map(), o.plan);
  const recording = played(told, o);
  const tree = new Tree();
  const roots = [hex(tree.root())];
  for (const { digest } of told) {
    tree.add(fromHex(digest));
    roots.push(hex(tree.root()));
  }
  const notes = log.filter(({ type }) => type === "RecordingNoted");
  for (const { n, at, data } of notes) {
    const size = data["size"] as number;
    demand(size <= told.length, `event ${n} notes ${size} events of the recording, and ${told.length} are here`);
    demand(roots[size] === data["root"], `event ${n} notes another recording`);
    demand(told[size - 1]!.at <= at, `event ${n} notes what came later`);
    checkGaps(data, n, played(told.slice(0, size), o), begin(o, log));
  }
  const held = await signedAs(files, o, recording, tree, hall);
  const state = recording.closed ? "" : "; not closed when this bundle was made";
  return found(recording, `${told.length} events, root ${hex(tree.root())}, noted ${notes.length} times${held}${state}`);
}

export function recordingFiles(files: Files, { opening: o, log }: Replayed, recording: Recording): Found<true> {
  if (!isRecorded(o)) return found(true, "announced without a recording");
  const all = recording.parts.filter(({ fragments }) => fragments.length > 0);
  const parts = inside(all);
  const shown = parts.some(({ track }) => track === PROGRAMME);
  const allowed = new Set([...parts.map(nameOf), ...(shown ? CAPTIONS : [])]);
  const strays = [...files.keys()].filter((name) => name.startsWith(FOLDER) && !allowed.has(name));
  demand(strays.length === 0, `${strays.join(", ")} is of nothing that was recorded`);
  for (const part of parts) checkFile(files, part);
  const told = [`${parts.length} files, ${parts.reduce((sum, { fragments }) => sum + fragments.length, 0)} fragments`];
  if (all.length > parts.length) told.push(`${all.length - parts.length} files are beside this bundle, their digests in it`);
  const from = begin(o, log);
  const utc = (at: number): string => new Date(at).toISOString().replace("T", " ").replace(".000Z", "Z").replace("Z", " UTC");
  told.push(...gaps(all.filter(({ track }) => track === PROGRAMME), from, log.at(-1)!.at).map(([since, until]) => `no picture from ${utc(since)} to ${utc(until)}`));
  return found(true, told.join("; "));
}

/** From when on the opening is to be recorded. */
function begin(o: Opening, log: readonly Told[]): number {
  const begins = o.runOf("checkin")?.enteredAt;
  return begins === undefined ? log[0]!.at : moment(begins);
}

/** What a note says of gaps is what the recording up to there has; notes of earlier versions say nothing. */
function checkGaps(data: Data, n: number, { parts }: Recording, since: number): void {
  const wrong = `event ${n} tells other gaps than the recording has`;
  if (data["gaps"] === undefined) return demand(data["until"] === undefined, wrong);
  const programme = parts.filter(({ track, fragments }) => track === PROGRAMME && fragments.length > 0);
  const until = programme.length === 0 ? null : Math.max(...programme.map(({ utc, end }) => utc + end));
  demand((data["until"] === undefined ? null : moment(data["until"])) === until, wrong);
  const missing = until === null ? [] : gaps(programme, since, until).slice(0, MOST_NOTED);
  const told = data["gaps"] as unknown as readonly { readonly since: string; readonly until: string }[];
  demand(told.map((gap) => `${gap.since} ${gap.until}`).join() === missing.map((gap) => gap.map(written).join(" ")).join(), wrong);
}

function played(log: readonly Told[], o: Opening): Recording {
  const parts: Part[] = [];
  let closed = false;
  const last = (track: string): Part[] => parts.filter((part) => part.track === track);
  for (const { n, type, data, role } of log) {
    const wrong = `recording event ${n} is not what the rules make of the recording`;
    demand(!closed && role === "clock", wrong);
    const part = parts.find((one) => one.track === data["track"] && one.part === data["part"]);
    switch (type) {
      case "TrackBegan": {
        const track = data["track"] as string;
        demand(TRACK.test(track) && data["part"] === last(track).length + 1 && (data["init_length"] as number) >= 1 && DIGEST.test(data["init_sha256"] as string), wrong);
        parts.push(began(data));
        break;
      }
      case "FragmentsKept":
        demand(part !== undefined && !part.broken, wrong);
        keep(part, data["fragments"] as unknown as readonly Fragment[], wrong);
        break;
      case "TrackBroken":
        demand(part !== undefined && !part.broken, wrong);
        part.broken = true;
        break;
      case "RecordingClosed":
        demand(o.over && data["fragments"] === parts.reduce((sum, { fragments }) => sum + fragments.length, 0), wrong);
        closed = true;
        break;
      default:
        demand(false, `event ${n} does not belong to a recording`);
    }
  }
  return { parts, length: log.length, closed };
}

function began(data: Data): Part {
  const initLength = data["init_length"] as number;
  return {
    track: data["track"] as string,
    part: data["part"] as number,
    initLength,
    init: data["init_sha256"] as string,
    utc: moment(data["utc"]),
    size: initLength,
    end: 0,
    broken: false,
    fragments: [],
  };
}

function keep(part: Part, fragments: readonly Fragment[], wrong: string): void {
  demand(fragments.length > 0 && fragments.length <= MOST, wrong);
  let time = part.fragments.length > 0 ? part.end : 0;
  for (const one of fragments) {
    const follows = one.offset === part.size && one.length > 0 && one.duration_ms >= 0 && DIGEST.test(one.sha256);
    demand(follows && one.time_ms >= time - 1, wrong); // a millisecond: times are rounded down
    part.size += one.length;
    time = one.time_ms + one.duration_ms;
    part.end = Math.max(part.end, time);
    part.fragments.push(one);
  }
}

async function signedAs(files: Files, o: Opening, recording: Recording, tree: Tree, hall: HallKey): Promise<string> {
  if (o.watch === null) return "";
  if (!recording.closed) {
    demand(!files.has(CHECKPOINT), "the checkpoint is of a recording that was not closed");
    return "";
  }
  const note = readNote(member(files, CHECKPOINT));
  const checkpoint = await openCheckpoint(note, hall.raw, `${String(o.watch["origin"])}/recording`);
  demand(checkpoint.size === tree.size && equal(checkpoint.root, tree.root()), "the checkpoint is of another recording");
  const keys = await witnessKeys(o.watch["witnesses"] as readonly string[], o.watch["quorum"] as number);
  const said = await Promise.all([...keys.values()].map((key) => cosignedAt(note, key)));
  return `, cosigned by ${said.filter((at) => at !== null).length}`;
}

// -- files ---------------------------------------------------------------------------------------------------------

/** The parts whose files are in the bundle: track by track, the programme first, each whole or not at all. */
function inside(all: readonly Part[]): readonly Part[] {
  const taken: Part[] = [];
  let room = LARGEST;
  for (const track of new Set([PROGRAMME, ...all.map((part) => part.track)])) {
    const parts = all.filter((part) => part.track === track);
    const size = parts.reduce((sum, part) => sum + part.size, 0);
    if (size > room) continue;
    taken.push(...parts);
    room -= size;
  }
  return taken;
}

const nameOf = ({ track, part }: Part): string => `${FOLDER}${track}-${part}.mp4`;

function checkFile(files: Files, part: Part): void {
  const name = nameOf(part);
  const bytes = files.get(name);
  demand(bytes !== undefined, `${name} is missing`);
  const { init, begins } = openFile(bytes, name);
  demand(init.length === part.initLength && digestHex(init) === part.init, `${name} begins with another head than was kept`);
  let at = begins;
  part.fragments.forEach(({ length, sha256 }, i) => {
    demand(digestHex(bytes.subarray(at, at + length)) === sha256, `${name}: fragment ${i + 1} is not the one that was kept`);
    at += length;
  });
  demand(at === bytes.length, `${name} has bytes that were not kept`);
}

interface Box {
  readonly kind: string;
  readonly bytes: Bytes;
}

/** The box at `at`, null where there is no whole one. */
function boxAt(bytes: Bytes, at: number): Box | null {
  if (at + 8 > bytes.length) return null;
  const size = new DataView(bytes.buffer, bytes.byteOffset + at, 4).getUint32(0);
  if (size < 8 || at + size > bytes.length) return null;
  return { kind: String.fromCharCode(...bytes.subarray(at + 4, at + 8)), bytes: bytes.subarray(at, at + size) };
}

function boxesIn(bytes: Bytes, where: string): readonly Box[] {
  const boxes: Box[] = [];
  for (let at = 0; at < bytes.length; at += boxes.at(-1)!.bytes.length) {
    const box = boxAt(bytes, at);
    demand(box !== null, `${where}: a box ends where no box may end`);
    boxes.push(box);
  }
  return boxes;
}

function boxOf(kind: string, content: Bytes): Bytes {
  return concat(u32(content.length + 8), utf8(kind), content);
}

/** The head as the recorder wrote it, without what finishing added, and where the first fragment begins. */
function openFile(bytes: Bytes, name: string): { init: Bytes; begins: number } {
  const ftyp = boxAt(bytes, 0);
  const moov = ftyp === null ? null : boxAt(bytes, ftyp.bytes.length);
  demand(ftyp?.kind === "ftyp" && moov?.kind === "moov", `${name}: a file begins with ftyp and moov`);
  const begins = ftyp.bytes.length + moov.bytes.length;
  const index = boxAt(bytes, begins);
  const left = boxesIn(moov.bytes.subarray(8), name).flatMap(({ kind, bytes: box }) => {
    if (kind !== "udta") return [box];
    const inner = boxesIn(box.subarray(8), name);
    if (!inner.some((one) => one.kind === "chpl")) return [box];
    const rest = inner.filter((one) => one.kind !== "chpl").map((one) => one.bytes);
    return rest.length > 0 ? [boxOf("udta", concat(...rest))] : [];
  });
  return { init: concat(ftyp.bytes, boxOf("moov", concat(...left))), begins: begins + (index?.kind === "sidx" ? index.bytes.length : 0) };
}

/** The stretches from `since` to `until` of which the parts have nothing, longer than a second. */
function gaps(parts: readonly Part[], since: number, until: number): readonly (readonly [number, number])[] {
  const missing: [number, number][] = [];
  let reached = since;
  for (const [begin, end] of parts.flatMap(covered)) {
    if (begin - reached > SEEN) missing.push([reached, Math.min(begin, until)]);
    reached = Math.max(reached, end);
    if (reached >= until) return missing;
  }
  if (until - reached > SEEN) missing.push([reached, until]);
  return missing;
}

function covered({ utc, fragments }: Part): readonly (readonly [number, number])[] {
  const stretches: [number, number][] = [];
  for (const { time_ms, duration_ms } of fragments) {
    const newest = stretches.at(-1);
    if (newest === undefined || utc + time_ms - newest[1] > SEEN) stretches.push([utc + time_ms, utc + time_ms + duration_ms]);
    else newest[1] = Math.max(newest[1], utc + time_ms + duration_ms);
  }
  return stretches;
}

/** What a timestamp of the recording must be over: how many events, their root and the moment of the newest. */
export function recordedWhole(files: Files, session: string): { size: number; root: Bytes; newest: number } {
  const { value: cores } = readChain(member(files, EVENTS), session, "recording");
  const tree = new Tree();
  for (const { digest } of cores) tree.add(fromHex(digest));
  return { size: tree.size, root: tree.root(), newest: moment(cores.at(-1)!.form["at"]) };
}

