/**
 * What became of a bid, by its bidder's own receipt: in the set, replaced, withdrawn, or dropped?
 *
 * @remarks A bundle can agree with itself and lack a bid. Whoever holds that bid's receipt can show it with this
 * (sessions/ARCHIVE.md, "A receipt beside the bundle").
 */

import { type Bytes, equal, utf8 } from "../bytes.js";
import { Refused } from "../errors.js";
import { type HallKey, readStatement } from "../jws.js";
import { type Receipt, type ReceiptFile, readReceiptFile, verifyLogged, verifyReceipt } from "../receipt.js";
import { type Checkpoint, readProof } from "../tlog.js";
import { receiptOf } from "./intake.js";
import type { Opening } from "./ceremony.js";
import type { Told } from "./log.js";
import { cosignedAt, readNote } from "./note.js";
import { witnessKeys } from "./openinglog.js";
import { receiptEntry } from "./receiptlog.js";
import { Failed } from "./report.js";
import type { Replayed } from "./rules.js";
import type { Data } from "./shapes.js";
import { Tree } from "./tree.js";
import type { Files } from "./zipped.js";

export type Fate =
  | "counted"
  | "replaced"
  | "withdrawn"
  | "never_frozen"
  | "dropped"
  | "altered"
  | "forked"
  | "foreign"
  | "forged"
  | "untold";

/** What became of the bid, and the evidence for it, a sentence each. */
export interface Verdict {
  readonly fate: Fate;
  /** Whether all is as it should be; what proves nothing against anybody is not. */
  readonly ok: boolean;
  readonly evidence: readonly string[];
}

/** What the checks found in the bundle; null where one of them did not pass. */
export interface Archived {
  readonly files: Files | null;
  readonly hall: HallKey | null;
  readonly session: string | null;
  readonly replayed: Replayed | null;
  readonly intake: readonly Told[] | null;
  /** Every withdrawal in it was signed by its bidder. */
  readonly withdrawals: boolean;
  /** The bidders whose bid of the set is in it with their own signature. */
  readonly declared: ReadonlySet<string>;
}

const HARMLESS: readonly Fate[] = ["counted", "replaced", "withdrawn", "never_frozen"];
const ENTRIES = "log/intake.entries";

const verdict = (fate: Fate, ...evidence: readonly string[]): Verdict => ({ fate, ok: HARMLESS.includes(fate), evidence });

/** What became of the bid of the receipt `kept` (a receipt file, or the bare JWS) by this bundle. Never throws for either. */
export async function weigh(kept: Bytes, archived: Archived): Promise<Verdict> {
  const { files, hall, session, replayed } = archived;
  if (files === null || hall === null) return verdict("untold", "the archive's own signature does not hold");
  let file: ReceiptFile;
  try {
    file = await read(kept, hall);
  } catch (error) {
    return verdict("forged", why(error));
  }
  if (file.hall.kid !== hall.kid || !equal(file.hall.raw, hall.raw)) {
    return verdict("foreign", `the receipt names hall key ${file.hall.kid}, the archive ${hall.kid}`);
  }
  let receipt: Receipt;
  try {
    receipt = await verifyReceipt(file.token, hall);
  } catch (error) {
    return verdict(error instanceof Refused && error.code === "wrong_signer" ? "foreign" : "forged", why(error));
  }
  if (receipt.session !== session) return verdict("foreign", `it is for the opening ${receipt.session}`);
  const signed = `hall key ${hall.kid} signed the receipt: bid ${receipt.tracker} came in at ${receipt.receivedAt}`;
  const { checkpoint, note } = await logged(file, replayed);
  if (replayed === null) return verdict("untold", signed, note, "the archive's opening does not follow the rules");
  const o = replayed.opening;
  if (checkpoint !== null && o.frozen !== null && !continues(checkpoint, files)) {
    return verdict("forked", signed, note, "the log in the archive is another one");
  }
  const entry = receiptEntry(readStatement(file.token).payload as Data);
  const [fate, reason] = fateOf(receipt, entry, o, archived);
  return verdict(fate, signed, note, reason);
}

const why = (error: unknown): string => (error instanceof Error ? error.message : String(error));

async function read(kept: Bytes, hall: HallKey): Promise<ReceiptFile> {
  const text = new TextDecoder().decode(kept);
  if (/^\s*\{/.test(text)) return readReceiptFile(kept);
  return { token: text.trim(), hall, proof: null };
}

/** The checkpoint in which the receipt stands, and a sentence about it. A proof that does not hold is left aside. */
async function logged(file: ReceiptFile, replayed: Replayed | null): Promise<{ checkpoint: Checkpoint | null; note: string }> {
  try {
    const checkpoint = await verifyLogged(file);
    if (checkpoint === null) return { checkpoint, note: "there is no proof beside it that it was logged" };
    const by = await cosigners(file.proof!, replayed?.opening ?? null);
    const outside = by.length > 0 ? ` and ${by.join(", ")} cosigned` : "";
    return { checkpoint, note: `it stands in the log ${checkpoint.origin} of ${checkpoint.size} entries, which the hall signed${outside}` };
  } catch (error) {
    if (!(error instanceof Refused || error instanceof Failed)) throw error;
    return { checkpoint: null, note: `the proof beside it does not hold and is left aside: ${error.message}` };
  }
}

async function cosigners(proof: string, o: Opening | null): Promise<readonly string[]> {
  const watch = o?.watch ?? null;
  if (watch === null) return [];
  const note = readNote(utf8(readProof(proof).checkpoint));
  const keys = await witnessKeys(watch["witnesses"] as readonly string[], watch["quorum"] as number);
  const found: string[] = [];
  for (const [name, key] of keys) if ((await cosignedAt(note, key)) !== null) found.push(name);
  return found;
}

/** Whether the log in the bundle begins with what the checkpoint covers. */
function continues({ size, root }: Checkpoint, files: Files): boolean {
  const data = files.get(ENTRIES) ?? new Uint8Array(0);
  if (data.length < 32 * size) return false;
  const tree = new Tree();
  for (let at = 0; at < 32 * size; at += 32) tree.add(data.subarray(at, at + 32));
  return equal(tree.root(), root);
}

function fateOf(receipt: Receipt, entry: string, o: Opening, archived: Archived): readonly [Fate, string] {
  if (o.frozen === null) return ["never_frozen", `the opening ended as ${o.status}`];
  const counted = (o.frozen.data["headers"] as readonly string[]).includes(receipt.headerSha256);
  if (archived.intake === null) return ["untold", "the events of intake do not hold"];
  if (archived.intake.length === 0) {
    if (counted) return ["counted", "its header is one of those frozen; nothing was opened"];
    return ["untold", "its header is not frozen, and why is withheld because the opening was not held"];
  }
  const taken = (told: Told): boolean => told.type === "BidReceived";
  const at = archived.intake.findIndex((told) => taken(told) && receiptEntry(receiptOf(told.data, told.when, o.plan)) === entry);
  if (at >= 0) return ended(archived.intake.slice(at), o.frozen.data, archived);
  if (counted || archived.intake.some((told) => taken(told) && told.data["header_sha256"] === receipt.headerSha256)) {
    return ["altered", "the bid is there, and no event of intake says what the receipt says"];
  }
  return ["dropped", "no event of intake received it, and its header is not among those frozen"];
}

/** Follow a bidder's bid from its receipt to what became of it at the opening time. */
function ended(events: readonly Told[], frozen: Data, { withdrawals, declared }: Archived): readonly [Fate, string] {
  const first = events[0]!.data;
  const own = events.filter(({ type, data }) => ["BidReceived", "BidWithdrawn"].includes(type) && data["bidder"] === first["bidder"]);
  const last = own.at(-1)!;
  const header = last.data["header_sha256"] as string;
  if (last.type === "BidWithdrawn") {
    if (withdrawals) return ["withdrawn", `the withdrawal of ${header} is signed with the bid's own certificate`];
    return ["dropped", "a withdrawal is claimed that its bidder is not shown to have signed"];
  }
  if (!(frozen["headers"] as readonly string[]).includes(header)) {
    return ["dropped", "it was received, nothing replaced or withdrew it, and its header is not among those frozen"];
  }
  if (header === first["header_sha256"]) return ["counted", `its header ${header} is one of the ${frozen["received"] as number} frozen`];
  const tracker = last.data["tracker"] as string;
  if (!declared.has(first["bidder"] as string)) {
    return ["dropped", `${tracker} is said to replace it, but not shown to be signed by this bidder`];
  }
  return ["replaced", `by ${tracker}, which its bidder signed; if that was not you, object`];
}
