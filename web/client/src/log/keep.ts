/** What this browser keeps of one opening's log between visits, and what a newer checkpoint says to it. */

import { type Bytes, equal, fromBase64, fromBase64url, fromHex, utf8 } from "../bytes.js";
import { type Checkpoint, cosignedAt, linesBy, type Note, openCheckpoint, readCheckpoint, readKey, readNote } from "../audit/note.js";
import { leafOf } from "../audit/tree.js";
import { includes } from "../merkle.js";
import { readProof } from "../tlog.js";
import { grew } from "./grown.js";

/** Learnt at the first visit and held to at every later one. */
export interface Pinned {
  readonly v: 1;
  readonly origin: string;
  /** The id and the raw Ed25519 key of the hall, base64url. */
  readonly kid: string;
  readonly key: string;
  /** The digest of the first event, which states key and witnesses. */
  readonly first: string;
  readonly witnesses: readonly string[];
  readonly quorum: number;
}

/** Two notes that no single log can have given, kept for whoever has to judge. */
export interface Dispute {
  readonly why: "root" | "path" | "short" | "key" | "chain";
  readonly at: string;
  readonly held: string;
  readonly shown: string;
  /** The proof that was given for the two, as it came. */
  readonly proof: string;
}

export interface Kept extends Pinned {
  readonly note: string;
  readonly at: string;
  readonly dispute?: Dispute;
}

/** What a checkpoint is to the one that was kept. */
export type Verdict =
  | { readonly kind: "same" | "grown" | "older" }
  | { readonly kind: "split"; readonly why: Dispute["why"]; readonly proof: string };

/** A note that this browser could read and that the pinned key signed. */
export interface Opened {
  readonly text: string;
  readonly note: Note;
  readonly checkpoint: Checkpoint;
}

/** The hall signed this, but not with the key that this browser knows; the text is a checkpoint all the same. */
export class ForeignKey extends Error {}

/** Open a checkpoint. {@link ForeignKey} if the pinned key did not sign it; any other error: it is no checkpoint at all. */
export async function openNote(text: string, pinned: Pinned): Promise<Opened> {
  const note = readNote(utf8(text));
  readCheckpoint(note.text);
  const raw = fromBase64url(pinned.key);
  await crypto.subtle.importKey("raw", raw, "Ed25519", false, ["verify"]); // a browser that cannot is no forger
  try {
    return { text, note, checkpoint: await openCheckpoint(note, raw, pinned.origin) };
  } catch (error) {
    throw new ForeignKey(error instanceof Error ? error.message : String(error));
  }
}

/**
 * Compare `next` with what was `kept`. `prove` fetches the consistency proof between two sizes as it was given,
 * null if the hall says that there is none; what it throws (no network) is thrown on.
 */
export async function compare(
  kept: Opened,
  next: Opened,
  prove: (old: number, next: number) => Promise<string | null>,
): Promise<Verdict> {
  const [a, b] = [kept.checkpoint, next.checkpoint];
  if (a.size === b.size) return equal(a.root, b.root) ? { kind: "same" } : { kind: "split", why: "root", proof: "" };
  const [old, later] = a.size < b.size ? [a, b] : [b, a];
  const given = await prove(old.size, later.size);
  if (given === null) return { kind: "split", why: a.size < b.size ? "path" : "short", proof: "" };
  if (!grew(old, later, readPath(given))) return { kind: "split", why: "path", proof: given };
  return { kind: a.size < b.size ? "grown" : "older" };
}

/** Whether the fact `n` with this digest stands in the log, by a `.tlog-proof` whose checkpoint `open` opens. */
export async function stands(
  text: string,
  n: number,
  digest: string,
  open: (note: string) => Promise<Opened>,
): Promise<{ readonly holds: boolean; readonly opened: Opened }> {
  const { index, path, checkpoint } = readProof(text);
  const opened = await open(checkpoint);
  const { size, root } = opened.checkpoint;
  const holds = index === n - 1 && (await includes(leafOf(fromHex(digest)), index, size, path, root));
  return { holds, opened };
}

/** The hashes of a consistency proof, base64, one a line. */
export function readPath(text: string): readonly Bytes[] {
  return text
    .split("\n")
    .slice(0, -1)
    .map((line) => {
      const hash = fromBase64(line);
      if (hash.length !== 32) throw new Error("no hash");
      return hash;
    });
}

/** A witness of the plan, and when it cosigned a checkpoint, if it did: `broken` when its line does not verify. */
export interface Seen {
  readonly name: string;
  readonly at: number | null;
  readonly broken: boolean;
}

export async function seenBy(note: Note, witnesses: readonly string[]): Promise<readonly Seen[]> {
  return Promise.all(
    witnesses.map(async (text) => {
      const key = await readKey(text);
      try {
        return { name: key.name, at: await cosignedAt(note, key), broken: false };
      } catch {
        return { name: key.name, at: null, broken: linesBy(note, key).length > 0 };
      }
    }),
  );
}

/** Where things are kept: nowhere but in this visit, if the browser refuses. */
export function storage(): Pick<Storage, "getItem" | "setItem" | "removeItem"> {
  try {
    return localStorage;
  } catch {
    const held = new Map<string, string>();
    return { getItem: (name) => held.get(name) ?? null, setItem: (name, text) => void held.set(name, text), removeItem: (name) => void held.delete(name) };
  }
}

type Place = ReturnType<typeof storage>;

const place = (session: string): string => `kaibiao-log/${session}`;

/** What was kept of `session`; null if nothing was, or nothing that can be read. */
export function recall(storage: Place, session: string): Kept | null {
  try {
    const kept = JSON.parse(storage.getItem(place(session)) ?? "null") as Kept | null;
    const whole = kept !== null && kept.v === 1 && [kept.origin, kept.key, kept.first, kept.note].every((each) => typeof each === "string");
    return whole && Array.isArray(kept.witnesses) ? kept : null;
  } catch {
    return null;
  }
}

export function keep(storage: Place, session: string, kept: Kept): void {
  try {
    storage.setItem(place(session), JSON.stringify(kept));
  } catch {
    // A browser that keeps nothing compares within this visit only.
  }
}

export function forget(storage: Place, session: string): void {
  storage.removeItem(place(session));
}

/** Both notes and the proof between them, as a file that says what it is. */
export function evidence(session: string, { why, at, held, shown, proof }: Dispute): string {
  const part = (title: string, text: string): string => `== ${title}\n\n${text}\n`;
  return `Kaibiao: two histories of the opening log of ${session} (${why}), seen at ${at}\n\n${part("held by this browser", held)}${part("shown by the hall", shown)}${part("proof given", proof)}`;
}
