/** Receipts and refusal slips: what the hall signed when a bid arrived (crypto/FORMAT.md section 7). */

import { type Bytes, concat, fromHex, hex, utf8 } from "./bytes.js";
import { canonical, type Json, type JsonObject, parseStrict } from "./canonical.js";
import { form, reading, require } from "./errors.js";
import { asBase64url, asCount, asHex, asIdentifier, asList, asMoment, asText, members } from "./fields.js";
import { type HallKey, readHallKey, readStatement, verifyByHall } from "./jws.js";
import { sha256 } from "./kdf.js";
import { digest } from "./sha256.js";
import { type Checkpoint, readProof, verifyProof } from "./tlog.js";

/** A verified receipt. Digests are lower-case hex. */
export interface Receipt {
  readonly session: string;
  readonly tender: string;
  readonly lot: string;
  readonly bidder: string;
  readonly headerSha256: string;
  readonly root: string;
  readonly length: number;
  readonly declarationSha256: string;
  /** UTC, to the millisecond. */
  readonly receivedAt: string;
  readonly leafSalt: string;
  /** The short code on paper and screens. */
  readonly tracker: string;
}

/** A verified refusal slip: the hall did not take the bytes, and signed that it did not. */
export interface Slip {
  readonly session: string;
  readonly tender: string;
  readonly lot: string;
  /** Null where the hall could not tell. */
  readonly bidder: string | null;
  readonly headerSha256: string | null;
  readonly declarationSha256: string | null;
  readonly length: number;
  /** UTC, to the millisecond. */
  readonly receivedAt: string;
  /** Why, as a stable code. */
  readonly code: string;
  readonly tracker: string;
}

/** Verify a receipt by the hall; `malformed_token`, `wrong_kind`, `wrong_signer` or `bad_signature` if it is not one. */
export async function verifyReceipt(token: string, hall: HallKey): Promise<Receipt> {
  const payload = await verifyByHall(token, "receipt", hall);
  const receipt = reading("malformed_token", "receipt", () => {
    const names = ["header_sha256", "root", "declaration_sha256", "bidder", "leaf_salt", ...COMMON] as const;
    const value = members(payload, names);
    return {
      ...readCommon(value),
      bidder: asIdentifier(value.bidder),
      headerSha256: asDigest(value.header_sha256),
      root: asDigest(value.root),
      declarationSha256: asDigest(value.declaration_sha256),
      leafSalt: asDigest(value.leaf_salt),
    };
  });
  return { ...receipt, tracker: trackerCode(payload) };
}

/** Verify a refusal slip by the hall; codes as {@link verifyReceipt}. */
export async function verifySlip(token: string, hall: HallKey): Promise<Slip> {
  const payload = await verifyByHall(token, "slip", hall);
  const slip = reading("malformed_token", "slip", () => {
    const names = ["header_sha256", "declaration_sha256", "bidder", "code", ...COMMON] as const;
    const value = members(payload, names);
    return {
      ...readCommon(value),
      bidder: unlessNull(value.bidder, asIdentifier),
      headerSha256: unlessNull(value.header_sha256, asDigest),
      declarationSha256: unlessNull(value.declaration_sha256, asDigest),
      code: asIdentifier(value.code),
    };
  });
  return { ...slip, tracker: trackerCode(payload) };
}

/** The file a bidder keeps: its receipt, and the proof that it is logged once it is. Nothing of it is verified. */
export interface ReceiptFile {
  readonly token: string;
  readonly hall: HallKey;
  readonly proof: string | null;
}

const FILE_LIMIT = 1_048_576;

/** The parts of a receipt file; `malformed_receipt_file` for another form. */
export async function readReceiptFile(bytes: Uint8Array): Promise<ReceiptFile> {
  const value = reading("malformed_receipt_file", "receipt file", () => {
    const parts = members(parseStrict(bytes, FILE_LIMIT), ["v", "receipt", "hall_key", "proof", "stamps"]);
    form(parts.v === 1, "version 1 is expected");
    asList(parts.stamps, 0, 32).forEach((stamp) => {
      const { authority, token } = members(stamp, ["authority", "token"]);
      asIdentifier(authority);
      asBase64url(token);
    });
    return { token: asText(parts.receipt), key: parts.hall_key, proof: unlessNull(parts.proof, asText) };
  });
  return { token: value.token, hall: await readHallKey(value.key as JsonObject), proof: value.proof };
}

/**
 * The checkpoint in which the file's receipt stands, null without a proof.
 *
 * @remarks The file's own key signed both; whose it is, is for the caller to compare. Cosignatures are not checked.
 */
export async function verifyLogged(file: ReceiptFile): Promise<Checkpoint | null> {
  if (file.proof === null) return null;
  const { session, leafSalt } = await verifyReceipt(file.token, file.hall);
  const entry = await logLeaf(readStatement(file.token).payload, leafSalt);
  const checkpoint = await verifyProof(readProof(file.proof), entry, file.hall);
  const own = checkpoint.origin.endsWith(`/s/${session}/intake`);
  require(own, "malformed_receipt_file", "the proof is of the log of another session");
  return checkpoint;
}

const COMMON = ["v", "session", "tender", "lot", "length", "received_at"] as const;

function readCommon(value: { readonly [name in (typeof COMMON)[number]]: Json }) {
  form(value.v === 1, "version 1 is expected");
  return {
    session: asIdentifier(value.session),
    tender: asIdentifier(value.tender),
    lot: asIdentifier(value.lot),
    length: asCount(value.length),
    receivedAt: asMoment(value.received_at, "milliseconds"),
  };
}

function asDigest(value: Json): string {
  return hex(asHex(value, 32));
}

function unlessNull<T>(value: Json, read: (value: Json) => T): T | null {
  return value === null ? null : read(value);
}

const CROCKFORD = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";

/** The tracker code of a receipt or slip: 70 bits of its digest in Crockford base32, grouped 4-4-4-2. */
export function trackerCode(payload: JsonObject): string {
  const bits = Array.from(digest(concat(utf8("SBID1/tracker"), canonical(payload))).subarray(0, 9), (byte) => byte.toString(2).padStart(8, "0")).join("");
  const symbols = Array.from({ length: 14 }, (_, i) => CROCKFORD[parseInt(bits.slice(5 * i, 5 * i + 5), 2)]).join("");
  return [symbols.slice(0, 4), symbols.slice(4, 8), symbols.slice(8, 12), symbols.slice(12)].join("-");
}

/** A tracker code as typed, in its one spelling: capitals, `O` as 0, `I` and `L` as 1, dashes in place; null if it is none. */
export function readTrackerCode(typed: string): string | null {
  const plain = typed.toUpperCase().replace(/[\s-]/g, "").replaceAll("O", "0").replace(/[IL]/g, "1");
  const match = /^([0-9A-HJKMNP-TV-Z]{4})([0-9A-HJKMNP-TV-Z]{4})([0-9A-HJKMNP-TV-Z]{4})([0-9A-HJKMNP-TV-Z]{2})$/.exec(plain);
  return match === null ? null : match.slice(1).join("-");
}

/** The leaf this receipt has in the public log; it tells nothing to whoever lacks the salt. */
export async function logLeaf(payload: JsonObject, leafSalt: string): Promise<Bytes> {
  const inside = await sha256(concat(fromHex(leafSalt), await sha256(canonical(payload))));
  return sha256(utf8("SBID1/leaf"), inside);
}
