/** Why a bid was not opened and what follows (sessions/LIFECYCLE.md, "Why a bid was not opened"). */

import type { Json } from "../canonical.js";
import type { Bid, Opening } from "./ceremony.js";
import { demand } from "./report.js";
import type { Data } from "./shapes.js";

/** Every cause that may stand in a record, and its consequence. */
export const CAUSES: { readonly [cause: string]: string } = {
  B1: "revoked",
  B2: "revoked",
  B3: "revoked",
  B4: "revoked",
  B5: "revoked",
  B6: "revoked",
  P1: "withdrawn",
  P2: "withdrawn",
  P3: "withdrawn",
  P4: "withdrawn",
  P5: "withdrawn",
  X1: "withdrawn",
  X2: "withdrawn",
};

/** What a bidder's own client may report, and the cause it shows. */
export const BY_CLIENT: { readonly [code: string]: string } = {
  wrong_key: "B2",
  wrong_recipient: "B2",
  wrong_certificate: "B2",
  slot_not_openable: "B2",
  commitment_mismatch: "B2",
  certificate_expired: "B3",
  certificate_changed: "B3",
  wrong_password: "B4",
  locked: "B4",
};

const BY_ATTEMPT: { readonly [code: string]: string } = {
  ...BY_CLIENT,
  bad_signature: "B2",
  other_subject: "B2", // a certificate of another organisation than the one that signed the bid
  wrong_signer: "B2",
  wrong_bid: "B2",
  expired: "B3",
  not_yet_valid: "B3",
  revoked: "B3",
  hall_error: "P1",
  revocation_unavailable: "P3",
  revocation_unknown: "P1", // the hall asks for evidence and was not told where to find it
  answered_late: "P4",
};

const UNREADABLE: { readonly [code: string]: string } = {
  commitment_mismatch: "B6",
  damaged_part: "B6",
  malformed_quote: "B6",
  malformed_names: "B6",
  key_mismatch: "B2", // every share is the one committed to, and what they make is not the sealed key
  tenderer_missing: "P5",
  stored_bytes_changed: "P2",
  hall_error: "P1",
};

/** What intake had found good: if it fails now, the stored bytes are no longer those of the receipt. */
export const STORAGE: readonly string[] = [
  "stored_bytes_changed",
  "not_a_sealed_bid",
  "malformed_header",
  "wrong_sizes",
  "wrong_header",
  "malformed_declaration",
  "bad_signature",
  "malformed_slot",
  "wrong_segments",
];

/** Cause, consequence and evidence of a bid that was not opened. `code`: why a released one could not be read. */
export function accuse(o: Opening, bid: Bid, code: string | null): Data {
  const found = causeOf(o, bid, code);
  // Had its authority answered when the bid was taken, its bidder could have sealed anew before the deadline.
  const cause = found === "B3" && bid.authority !== null && bid.authority !== "good" ? "P3" : found;
  return { cause, consequence: CAUSES[cause] ?? "pending", evidence: evidence(o, bid, code) };
}

function causeOf(o: Opening, bid: Bid, code: string | null): string {
  if (STORAGE.includes(bid.seal ?? "")) return "P2";
  if (bid.state === "released") return pick(UNREADABLE, code ?? "");
  const last = bid.attempts.at(-1);
  const seen = bid.gathered;
  if (last !== undefined && last.code !== null) {
    const cause = pick(BY_ATTEMPT, last.code);
    // While the hall was down nobody could try again, and more tries might have succeeded.
    return CAUSES[cause] === "revoked" && seen !== null && fault(seen) > 0 ? "unknown" : cause;
  }
  if (seen !== null) return unheardOf(bid, seen);
  if (last === undefined && bid.checkedIn === null) return "B1";
  return others(o, bid) > 0 ? "B5" : "unknown";
}

/** The cause where no try failed: from who was heard when. */
function unheardOf(bid: Bid, seen: Data): string {
  const gap = figure(seen, "gap_s");
  if (fault(seen) > 0) return figure(seen, "others_heard_while_down") > 0 ? "unknown" : "P1";
  const state = seen["key_state"] as string;
  if (state === "released") return "unknown"; // its program says that the key is in, and the hall has none
  if (figure(seen, "slow_answers") > 0) return "P4";
  if (Object.hasOwn(BY_CLIENT, state)) return BY_CLIENT[state]!; // its own signed word, without a try
  const heard = seen["last_heard_at"] !== "";
  if (heard && figure(seen, "silent_s") <= gap) return bid.attempts.length === 0 ? "B1" : "unknown"; // there to the end
  if (!heard && bid.checkedIn === null) return figure(seen, "others_heard") > 0 ? "B1" : "unknown";
  return figure(seen, "longest_unheard_s") <= gap ? "B5" : "unknown";
}

/** Seconds for which the hall stood still beyond what the window got back for it. */
function fault(seen: Data): number {
  return Math.max(0, figure(seen, "hall_down_s") - figure(seen, "made_up_s"));
}

function figure(seen: Data, name: string): number {
  const text = Object.hasOwn(seen, name) ? (seen[name] as string) : "";
  demand(/^-?[0-9]{1,15}$/.test(text), `the evidence has no figure ${name}`);
  return Number(text);
}

function pick(table: { readonly [code: string]: string }, code: string): string {
  return Object.hasOwn(table, code) ? table[code]! : "unknown";
}

function others(o: Opening, bid: Bid): number {
  return o.bids.filter((other) => other !== bid && (other.state === "released" || other.state === "opened")).length;
}

function evidence(o: Opening, bid: Bid, code: string | null): Data {
  const facts: { [fact: string]: Json } = {
    checked_in_at: bid.checkedIn ?? "",
    attempts: String(bid.attempts.length),
    others_released: String(others(o, bid)),
    seal: bid.seal ?? "",
  };
  const last = bid.attempts.at(-1);
  if (last !== undefined) {
    facts["last_attempt_at"] = last.at;
    facts["last_attempt_code"] = last.code || "accepted";
    if (last.release) facts["release_sha256"] = last.release;
  }
  Object.assign(facts, bid.gathered);
  if (bid.authority !== null) facts["authority"] = bid.authority;
  if (code) facts["open_code"] = code;
  return facts;
}
