/** The log of receipts, entry by entry, and what became of those that are not of the set (sessions/ARCHIVE.md). */

import { type Bytes, concat, equal, fromHex, hex, u32, utf8 } from "../bytes.js";
import { canonical, type Json, parseCanonical } from "../canonical.js";
import { asHex, members } from "../fields.js";
import { type HallKey, verifyByCertificate } from "../jws.js";
import { bidderId, readCertificate } from "../x509.js";
import { member } from "./bids.js";
import type { Opening } from "./ceremony.js";
import { receiptOf, same } from "./intake.js";
import type { Told } from "./log.js";
import { cosignedAt, openCheckpoint, readNote } from "./note.js";
import { witnessKeys } from "./openinglog.js";
import { fromPem } from "./pem.js";
import { demand, type Found, found } from "./report.js";
import type { Replayed } from "./rules.js";
import { digest, digestHex, hmac } from "../sha256.js";
import type { Data } from "./shapes.js";
import { Tree } from "./tree.js";
import type { Files } from "./zipped.js";

const ENTRIES = "log/intake.entries";
const DECOYS = "log/intake.json";
const CHECKPOINT = "log/intake.checkpoint";

/** The members that the log of receipts leaves. */
export function receiptLogNames(o: Opening): readonly string[] {
  if ((o.plan.form["intake_log"] ?? null) === null || o.frozen === null) return [];
  return o.watch === null ? [DECOYS, ENTRIES] : [DECOYS, ENTRIES, CHECKPOINT];
}

/** The entry of a receipt or of a decoy (crypto/FORMAT.md, "The log of receipts"). */
function entryOf(salt: Bytes, payload: Json): string {
  return digestHex(concat(utf8("SBID1/leaf"), digest(concat(salt, digest(canonical(payload))))));
}

/** Every entry is that of one receipt or a decoy, and every receipt has one; the entries in hex, null without a log. */
export async function receiptLog(
  files: Files,
  { opening: o, log }: Replayed,
  intake: readonly Told[],
  hall: HallKey,
): Promise<Found<ReadonlySet<string> | "none">> {
  const grows = (o.plan.form["intake_log"] ?? null) as { every: number; leaves: number } | null;
  if (grows === null) return found("none", "announced without one");
  if (o.frozen === null) return found("none", "aborted before the opening time");
  const bytes = member(files, ENTRIES);
  demand(bytes.length === 32 * ((o.frozen.data["intake_log_size"] as number | null) ?? 0), "the log has another size than was locked");
  const tree = new Tree();
  const entries: string[] = [];
  for (let at = 0; at < bytes.length; at += 32) {
    tree.add(bytes.subarray(at, at + 32));
    entries.push(hex(bytes.subarray(at, at + 32)));
  }
  demand(hex(tree.root()) === o.frozen.data["intake_log_root"], "the root is not the one that was locked");
  const known = new Set(entries);
  demand(known.size === entries.length, "an entry is there twice");
  const held = await signedAs(files, o, entries.length, tree.root(), hall);
  const shown = members(parseCanonical(member(files, DECOYS), 65_536), ["v", "session", "decoy_key"]);
  demand(shown.v === 1 && shown.session === o.plan.session, "the key of the decoys is that of another session");
  const key = asHex(shown.decoy_key, 32);
  const decoy = (i: number): string => {
    const salt = hmac(key, concat(utf8("SBID1/decoy"), u32(i)));
    return entryOf(salt, { v: 1, session: o.plan.session, decoy: i });
  };
  const real = new Map<string, number>();
  entries.forEach((entry, i) => {
    if (entry !== decoy(i)) real.set(entry, i);
  });
  const ticks = Math.max(0, Math.ceil((o.t0 - log[0]!.at) / grows.every) - 1);
  const ticked = ticks * grows.leaves;
  const waited = [...real.values()].filter((i) => i >= ticked).length;
  const size = ticked + Math.max(grows.leaves, waited);
  demand(entries.length === size, `the clock makes it ${size} entries, not ${entries.length}`);
  if (intake.length > 0) inOrder(intake, real, (i) => Math.floor(Math.min(i, ticked) / grows.leaves), o.plan);
  else demand(real.size >= o.frozen.received, "there are fewer receipts than bids");
  const root = String(o.frozen.data["intake_log_root"]);
  return found(known, `${real.size} receipts, ${entries.length - real.size} decoys, root ${root}${held}`);
}

/** Check the checkpoint over the closed log; how many witnesses hold it, for people to read. */
async function signedAs(files: Files, o: Opening, size: number, root: Bytes, hall: HallKey): Promise<string> {
  if (o.watch === null) return "";
  const note = readNote(member(files, CHECKPOINT));
  const checkpoint = await openCheckpoint(note, hall.raw, `${o.watch["origin"] as string}/intake`);
  demand(checkpoint.size === size && equal(checkpoint.root, root), "the checkpoint is of another log than was locked");
  const keys = await witnessKeys(o.watch["witnesses"] as readonly string[], o.watch["quorum"] as number);
  const times = await Promise.all([...keys.values()].map((key) => cosignedAt(note, key)));
  return `, cosigned by ${times.filter((time) => time !== null).length}`;
}

/** Each receipt has an entry, there are no others, and who came first is not in a later batch. */
function inOrder(
  intake: readonly Told[],
  real: ReadonlyMap<string, number>,
  turn: (index: number) => number,
  plan: Parameters<typeof receiptOf>[2],
): void {
  const met = new Set<number>();
  let last = 0;
  for (const { type, data, when, n } of intake) {
    if (type !== "BidReceived") continue;
    const index = real.get(receiptEntry(receiptOf(data, when, plan)));
    demand(index !== undefined, `the receipt of intake event ${n} is not in the log`);
    demand(turn(index) >= last, "a later receipt came into the log before an earlier one");
    last = turn(index);
    met.add(index);
  }
  demand(met.size === real.size, "an entry is neither a decoy nor the receipt of a bid that intake received");
}

/** The entry of this receipt, in hex. */
export function receiptEntry(payload: Data): string {
  return entryOf(fromHex(payload["leaf_salt"] as string), payload);
}

/** Every withdrawal was signed with the certificate that had signed the bid. */
export async function withdrawals(files: Files, { opening: o }: Replayed, intake: readonly Told[]): Promise<Found<true>> {
  const received = new Map<string, Data>();
  let withdrawn = 0;
  for (const { type, data } of intake) {
    const header = data["header_sha256"] as string;
    if (type === "BidReceived") received.set(header, data);
    if (type !== "BidWithdrawn") continue;
    withdrawn++;
    const bidder = data["bidder"] as string;
    const der = fromPem(member(files, `withdrawn/${withdrawn}.pem`), "CERTIFICATE");
    const bid = received.get(header);
    demand(bid !== undefined, `${bidder} withdrew what it had not sent`);
    demand(digestHex(der) === bid["signing_certificate"], `${bidder}: another certificate`);
    const certificate = readCertificate(der);
    demand(bidderId(certificate) === bidder, `${bidder}: somebody else's certificate`);
    const said = await verifyByCertificate(data["statement"] as string, "withdraw", certificate);
    demand(same(said, { v: 1, session: o.plan.session, bidder, header_sha256: header }), `${bidder} signed something else`);
  }
  const there = [...files.keys()].filter((name) => name.startsWith("withdrawn/")).length;
  demand(there === withdrawn, `${there} certificates for ${withdrawn} withdrawals`);
  return found(true, `${withdrawn} withdrawn`);
}
