/**
 * Whether a bidder's own receipt stands in the log of receipts that the opening has to consume (crypto/FORMAT.md
 * sections 7 and 12).
 *
 * @remarks Nothing that could not be fetched counts against the hall: only what it signed, or fixed in its first fact
 * after the opening time, can contradict the receipt. Then the key stays here, and the {@link Contradiction} is kept.
 */

import { type Bytes, equal, fromHex } from "../bytes.js";
import { parseStrict } from "../canonical.js";
import { Refused } from "../errors.js";
import { type HallKey, readStatement } from "../jws.js";
import { logLeaf, readReceiptFile, type Receipt, verifyReceipt } from "../receipt.js";
import { readProof, verifyProof } from "../tlog.js";
import { Tree } from "../audit/tree.js";
import type { Heard } from "./facts.js";
import { grew, type Head } from "./grown.js";
import { readPath } from "./keep.js";

/** `without`: this opening was announced without such a log. `unknown`: what it needs could not be had. */
export type Counted = "in" | "without" | "unknown";

/** The hall's own words against its receipt, and what it gave, to be judged by others. */
export class Contradiction extends Refused {
  readonly evidence: Evidence;

  constructor(code: "not_logged" | "wrong_log" | "older_bid", message: string, evidence: Evidence) {
    super(code, message);
    this.name = "Contradiction";
    this.evidence = evidence;
  }
}

/** Texts as they came, by what they are. */
export type Evidence = { readonly [what: string]: unknown };

/** Asks the hall for something below this opening: null if the hall says there is none; throws without an answer. */
export interface Source {
  text(path: string): Promise<string | null>;
  bytes(path: string): Promise<Bytes | null>;
}

/**
 * Hold the receipt in `token`, by `hall`, against the log that `SetFrozen` closed. `history` was recomputed already.
 * `kept` is the last receipt that this browser was given here, if it kept one.
 */
export async function counted(
  token: string,
  hall: HallKey,
  history: readonly Heard[],
  source: Source,
  kept: string | null = null,
): Promise<Counted> {
  const receipt = await verifyReceipt(token, hall);
  const frozen = history.find(({ type }) => type === "SetFrozen");
  const given: Record<string, unknown> = { receipt: token, hall_key: hall.kid, set_frozen: frozen ?? null };
  const later = kept === null || kept === token ? null : await newer(kept, receipt, hall);
  if (later !== null) {
    throw new Contradiction("older_bid", "the hall opens an older bid than the last it gave a receipt for", { ...given, newer_receipt: later });
  }
  const size = frozen?.data["intake_log_size"] as number | null | undefined;
  const root = frozen?.data["intake_log_root"] as string | null | undefined;
  if (frozen === undefined) return "unknown";
  if (size == null || root == null) return "without";
  const closed: Head = { size, root: fromHex(root) };
  const entry = await logLeaf(readStatement(token).payload, receipt.leafSalt);
  try {
    return (await byProof(entry, receipt, hall, closed, source, given)) ?? (await byReading(entry, closed, source, given));
  } catch (error) {
    if (error instanceof Contradiction) throw error;
    return "unknown"; // no answer, or one that no hall gives
  }
}

/** `kept` if it is a receipt of a later bid of the same bidder: a withdrawal takes the kept one away, so it still counts. */
export async function newer(kept: string, than: Receipt, hall: HallKey): Promise<string | null> {
  const mine = await verifyReceipt(kept, hall).catch(() => null);
  const same = mine !== null && mine.session === than.session && mine.bidder === than.bidder;
  return same && mine.receivedAt > than.receivedAt ? kept : null;
}

/** Null if the hall gave no proof that holds: then the log itself says. */
async function byProof(
  entry: Bytes,
  { session, tracker }: Receipt,
  hall: HallKey,
  closed: Head,
  source: Source,
  given: Record<string, unknown>,
): Promise<"in" | null> {
  const text = await source.text(`uploads/mine/${tracker}`).catch(() => null);
  if (text === null) return null;
  const proved = await place(text, entry, hall).catch(() => null);
  if (proved === null || !proved.origin.endsWith(`/s/${session}/intake`)) return null;
  const [old, next] = proved.size <= closed.size ? [proved, closed] : [closed, proved];
  given["receipt_file"] = text;
  const path = old.size === next.size ? "" : await source.text(`log/intake/consistency?old=${old.size}&new=${next.size}`);
  given["consistency"] = path;
  // The hall signed one log in the receipt's proof and fixed another, or added the receipt when it was closed.
  const fits = path !== null && proved.index < closed.size && grew(old, next, readPath(path));
  if (!fits) throw new Contradiction("wrong_log", "the log in the receipt's proof is not the one that was closed", given);
  return "in";
}

async function place(text: string, entry: Bytes, hall: HallKey): Promise<Head & { index: number; origin: string }> {
  const bytes = new TextEncoder().encode(text);
  parseStrict(bytes, 1_048_576);
  const { proof } = await readReceiptFile(bytes);
  if (proof === null) throw new Error("not logged yet");
  const read = readProof(proof);
  const { size, root, origin } = await verifyProof(read, entry, hall);
  return { size, root, origin, index: read.index };
}

const WIDTH = 256;

/** Read the whole log that was closed, and look for the entry. */
async function byReading(entry: Bytes, closed: Head, source: Source, given: Record<string, unknown>): Promise<Counted> {
  const tree = new Tree();
  let found = false;
  for (let start = 0; start < closed.size; start += WIDTH) {
    const bundle = await source.bytes(`log/intake/tile/${bundlePath(start / WIDTH, Math.min(WIDTH, closed.size - start))}`);
    if (bundle === null) return "unknown";
    for (const each of entriesOf(bundle)) {
      tree.add(each);
      found ||= equal(each, entry);
    }
  }
  if (tree.size !== closed.size || !equal(tree.root(), closed.root)) return "unknown"; // unsigned bytes convict nobody
  if (!found) throw new Contradiction("not_logged", "the receipt is not in the log that was closed at the opening time", given);
  return "in";
}

/** The path of a bundle of entries, as c2sp.org/tlog-tiles writes it. */
export function bundlePath(index: number, width: number): string {
  const digits = String(index);
  const groups = digits.padStart(Math.ceil(digits.length / 3) * 3, "0").match(/.{3}/g)!;
  const name = groups.map((group, i) => (i < groups.length - 1 ? `x${group}` : group)).join("/");
  return `entries/${name}${width === WIDTH ? "" : `.p/${width}`}`;
}

function entriesOf(bundle: Bytes): readonly Bytes[] {
  if (bundle.length % 34 !== 0) throw new Error("entries of 32 bytes, each after its length");
  return Array.from({ length: bundle.length / 34 }, (_, i) => {
    if (bundle[34 * i] !== 0 || bundle[34 * i + 1] !== 32) throw new Error("an entry of another length");
    return bundle.slice(34 * i + 2, 34 * i + 34);
  });
}

/** The file that shows it to others: the receipt, what the hall fixed, and what it answered. */
export function evidenceFile(session: string, at: Date, code: string, evidence: Evidence): string {
  return `${JSON.stringify({ v: 1, kind: "receipt-contradicted", session, code, seen_at: at.toISOString(), ...evidence }, null, 2)}\n`;
}
