/** Transparency logs as C2SP writes them down: notes, checkpoints, inclusion proofs (crypto/FORMAT.md section 12). */

import { type Bytes, concat, equal, fromBase64, utf8 } from "./bytes.js";
import { form, reading, require } from "./errors.js";
import type { HallKey } from "./jws.js";
import { sha256 } from "./kdf.js";
import { includes, leafHash } from "./merkle.js";

/** A text and the signatures under it, none of them verified. */
export interface Note {
  /** Ends in a newline. */
  readonly text: string;
  readonly signatures: readonly { readonly name: string; readonly id: Bytes; readonly signature: Bytes }[];
}

/** The root of a log at one size, and who put a signature line under it. */
export interface Checkpoint {
  readonly origin: string;
  readonly size: number;
  readonly root: Bytes;
  readonly note: Note;
}

/** One entry's place in a log, the way up from it, and the checkpoint as a note. Nothing is verified. */
export interface Proof {
  readonly index: number;
  readonly path: readonly Bytes[];
  readonly checkpoint: string;
}

const MOST = 131_072;
const LONGEST = 262_144;
const ED25519 = 1;

/** The parts of a note; `malformed_note` or `too_large` for another form. Verifies nothing. */
export function readNote(text: string): Note {
  require(utf8(text).length <= MOST, "too_large", "the note is too large");
  return reading("malformed_note", "note", () => {
    const at = text.lastIndexOf("\n\n");
    form(at >= 0 && text.endsWith("\n") && at + 2 < text.length, "no signatures after an empty line");
    // Control characters other than the newline have no place in a note.
    form(![...text].some((letter) => letter < " " && letter !== "\n"), "control characters");
    const lines = text.slice(at + 2, -1).split("\n");
    form(lines.length <= 64, "too many signatures");
    return { text: text.slice(0, at + 1), signatures: lines.map(readSignature) };
  });
}

function readSignature(line: string): Note["signatures"][number] {
  const [, name, encoded] = /^— ([^\s+]+) ([A-Za-z0-9+/=]+)$/u.exec(line) ?? [];
  form(name !== undefined && encoded !== undefined, "not a signature line");
  const data = fromBase64(encoded);
  form(data.length >= 5, "too short for a signature");
  return { name, id: data.subarray(0, 4), signature: data.subarray(4) };
}

/** The checkpoint in a note that the hall signed as the log it names; `wrong_signer` or `bad_signature` if it did not. */
export async function openCheckpoint(text: string, hall: HallKey): Promise<Checkpoint> {
  const note = readNote(text);
  const checkpoint = reading("malformed_checkpoint", "checkpoint", () => {
    const lines = note.text.split("\n");
    form(lines.length >= 4 && lines.slice(0, -1).every((line) => line !== ""), "three lines or more, none empty");
    return { origin: lines[0]!, size: asDecimal(lines[1]!), root: asHash(lines[2]!), note };
  });
  const id = (await sha256(utf8(`${checkpoint.origin}\n`), Uint8Array.of(ED25519), hall.raw)).subarray(0, 4);
  const own = note.signatures.filter((one) => one.name === checkpoint.origin && equal(one.id, id));
  require(own.length > 0, "wrong_signer", "the checkpoint is not signed by this hall");
  const key = await crypto.subtle.importKey("raw", hall.raw, "Ed25519", false, ["verify"]);
  for (const { signature } of own) {
    const holds = signature.length === 64 && (await crypto.subtle.verify("Ed25519", key, signature, utf8(note.text)));
    require(holds, "bad_signature", "the checkpoint's signature does not verify");
  }
  return checkpoint;
}

/** The parts of a `.tlog-proof`; `malformed_proof` for another form. */
export function readProof(text: string): Proof {
  require(text.length <= LONGEST, "too_large", "the proof is too large");
  return reading("malformed_proof", "proof", () => {
    const at = text.indexOf("\n\n");
    const lines = text.slice(0, Math.max(at, 0)).split("\n");
    form(at >= 0 && lines.shift() === "c2sp.org/tlog-proof@v1", "another version");
    if (lines[0]?.startsWith("extra ")) fromBase64(lines.shift()!.slice(6));
    const [, index] = /^index (.*)$/.exec(lines.shift() ?? "") ?? [];
    form(index !== undefined && lines.length <= 63, "no index, or too many hashes");
    return { index: asDecimal(index), path: lines.map(asHash), checkpoint: text.slice(at + 2) };
  });
}

/** The checkpoint under which `entry` stands in the log, signed by the hall; `wrong_proof` if it does not. */
export async function verifyProof(proof: Proof, entry: Bytes, hall: HallKey): Promise<Checkpoint> {
  const checkpoint = await openCheckpoint(proof.checkpoint, hall);
  const { size, root } = checkpoint;
  const stands = await includes(await leafHash(entry), proof.index, size, proof.path, root);
  require(stands, "wrong_proof", "the entry does not stand in this log");
  return checkpoint;
}

function asDecimal(text: string): number {
  form(/^(?:0|[1-9][0-9]{0,15})$/.test(text) && Number.isSafeInteger(Number(text)), "expected a decimal");
  return Number(text);
}

function asHash(line: string): Bytes {
  const hash = fromBase64(line);
  form(hash.length === 32, "expected a hash");
  return concat(hash);
}
