/** Signed notes, checkpoints and cosignatures (crypto/FORMAT.md section 12.1 to 12.3; C2SP). */

import { base64url, type Bytes, concat, equal, fromBase64, fromUtf8, hex, utf8 } from "../bytes.js";
import { kidOf, readHallKey } from "../jws.js";
import { demand } from "./report.js";
import { digest } from "../sha256.js";

/** A signature line: who says to have signed, and the bytes after the key id. */
export interface Line {
  readonly whole: string;
  readonly name: string;
  readonly id: string;
  readonly signature: Bytes;
}

/** A text ending in a newline and the signatures under it, none of them verified. */
export interface Note {
  readonly text: string;
  readonly lines: readonly Line[];
}

/** The root of a log at one size. */
export interface Checkpoint {
  readonly origin: string;
  readonly size: number;
  readonly root: Bytes;
}

/** A key that may stand under a note: `kind` 1 of a log, 4 of a witness. */
export interface Key {
  readonly name: string;
  readonly kind: 1 | 4;
  readonly raw: Bytes;
}

const SPACE = /[\s\u0085\u001c-\u001f]/;

function checkName(name: string): string {
  demand(name !== "" && !name.includes("+") && !SPACE.test(name) && !/[\u0000-\u001f]/.test(name), "no name of a key");
  return name;
}

export function readNote(bytes: Bytes): Note {
  demand(bytes.length <= 131_072, "a note larger than 128 KiB");
  const text = fromUtf8(bytes);
  demand(!/[\u0000-\u0009\u000b-\u001f]/.test(text), "control characters in a note");
  const blank = text.lastIndexOf("\n\n");
  demand(blank >= 0 && text.endsWith("\n"), "no signatures after a blank line");
  const lines = text.slice(blank + 2, -1).split("\n");
  demand(lines.length <= 64, "too many signatures");
  return { text: text.slice(0, blank + 1), lines: lines.map(readLine) };
}

function readLine(line: string): Line {
  const match = /^— ([^ ]+) ([A-Za-z0-9+/=]+)$/.exec(line);
  demand(match !== null, "no signature line");
  const data = fromBase64(match[2]!);
  demand(data.length >= 5, "no signature line");
  return { whole: `${line}\n`, name: checkName(match[1]!), id: hex(data.subarray(0, 4)), signature: data.subarray(4) };
}

export function readCheckpoint(text: string): Checkpoint {
  const lines = text.split("\n");
  demand(lines.length >= 4 && lines.at(-1) === "" && lines.slice(0, -1).every((line) => line !== ""), "no checkpoint");
  demand(/^(?:0|[1-9][0-9]{0,15})$/.test(lines[1]!) && Number.isSafeInteger(Number(lines[1])), "no size of a log");
  const root = fromBase64(lines[2]!);
  demand(root.length === 32, "no root of a log");
  return { origin: lines[0]!, size: Number(lines[1]), root };
}

function keyId(key: Key): string {
  return hex(digest(concat(utf8(`${key.name}\n`), Uint8Array.of(key.kind), key.raw)).subarray(0, 4));
}

/** The lines that name this key and its id; all others are ignored. */
export function linesBy(note: Note, key: Key): readonly Line[] {
  const id = keyId(key);
  return note.lines.filter((line) => line.name === key.name && line.id === id);
}

async function verifies(raw: Bytes, signature: Bytes, message: Bytes): Promise<boolean> {
  const key = await crypto.subtle.importKey("raw", raw, "Ed25519", false, ["verify"]);
  return signature.length === 64 && crypto.subtle.verify("Ed25519", key, signature, message);
}

/** The checkpoint in a note if the log `origin` of the hall with this key signed it. */
export async function openCheckpoint(note: Note, hall: Bytes, origin: string): Promise<Checkpoint> {
  const checkpoint = readCheckpoint(note.text);
  demand(checkpoint.origin === origin, "a checkpoint of another log");
  const lines = linesBy(note, { name: checkName(origin), kind: 1, raw: hall });
  demand(lines.length > 0, "the hall did not sign this checkpoint");
  for (const { signature } of lines) demand(await verifies(hall, signature, utf8(note.text)), "a signature of the hall does not verify");
  return checkpoint;
}

/** When a witness cosigned, in seconds; null if it did not. A broken line of its is no cosignature but a fault. */
export async function cosignedAt(note: Note, witness: Key): Promise<number | null> {
  const times: number[] = [];
  for (const { signature } of linesBy(note, witness)) {
    demand(signature.length === 72, "a cosignature of another length");
    const time = Number(new DataView(signature.buffer, signature.byteOffset).getBigUint64(0));
    const message = utf8(`cosignature/v1\ntime ${time}\n${note.text}`);
    demand(time > 0 && Number.isSafeInteger(time), "a cosignature of no time");
    demand(await verifies(witness.raw, signature.subarray(8), message), "a cosignature does not verify");
    times.push(time);
  }
  return times.length === 0 ? null : Math.min(...times);
}

/** The key that a vkey states, `name+hex(key id)+b64(kind | key)`. */
export async function readKey(text: string): Promise<Key> {
  const [name, id, ...rest] = text.split("+");
  const data = fromBase64(rest.join("+"));
  demand(name !== undefined && id !== undefined && data.length === 33, "no key of a witness");
  const raw = data.slice(1);
  demand(data[0] === 1 || data[0] === 4, "another kind of signature");
  await readHallKey({ v: 1, alg: "Ed25519", kid: await kidOf(raw), x: base64url(raw) }); // refuses keys of small order
  const key: Key = { name: checkName(name), kind: data[0], raw };
  demand(keyId(key) === id, "the id of a key is not its own");
  return key;
}

export function sameKey(a: Key, b: Key): boolean {
  return a.name === b.name || equal(a.raw, b.raw);
}
