/** Why a bid was not opened and what follows (sessions/LIFECYCLE.md, "Why a bid was not opened"). */

import type { Json } from "../canonical.js";
import type { Bid, Opening } from "./ceremony.js";
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
  wrong_signer: "B2",
  wrong_bid: "B2",
  expired: "B3",
  not_yet_valid: "B3",
  revoked: "B3",
  hall_error: "P1",
  revocation_unavailable: "P3",
  revocation_unknown: "P3",
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
  const cause = causeOf(o, bid, code);
  return { cause, consequence: CAUSES[cause] ?? "pending", evidence: evidence(o, bid, code) };
}

function causeOf(o: Opening, bid: Bid, code: string | null): string {
  if (STORAGE.includes(bid.seal ?? "")) return "P2";
  if (bid.state === "released") return pick(UNREADABLE, code ?? "");
  const last = bid.attempts.at(-1);
  if (last !== undefined && last.code !== null) return pick(BY_ATTEMPT, last.code);
  if (last === undefined && bid.checkedIn === null) return "B1";
  return others(o, bid) > 0 ? "B5" : "unknown";
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
  if (code) facts["open_code"] = code;
  return facts;
}
