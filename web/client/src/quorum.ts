/**
 * Shares of a key in the hands of named people: who holds one, what each must be, and how they come together
 * (crypto/FORMAT.md section 13).
 */

import { type Bytes, concat, equal, fromBase64url, hex, lv, utf8 } from "./bytes.js";
import type { Json, JsonObject } from "./canonical.js";
import { form, reading, Refused, require } from "./errors.js";
import { asCount, asHex, asList, asText } from "./fields.js";
import { expand } from "./kdf.js";
import { checkThreshold, combine, MOST_SHARES, type Share } from "./shares.js";
import { type Certificate, readCertificate } from "./x509.js";

/** People of whom any `threshold` act together; share i is for the i-th certificate, counted from 1. */
export interface Quorum {
  readonly threshold: number;
  readonly certificates: readonly Certificate[];
}

/** One share's place: whose sharing it is of (`where`), its number, t, n, and the commitment to it. */
export interface Place {
  /** The lock's id in a release; `slot/tenderer` or `slot/escrow` in a header. */
  readonly where: string;
  readonly index: number;
  readonly threshold: number;
  readonly count: number;
  readonly kcs: Bytes;
}

/** Shares that do not give a key back; `where` and `index` name the one at fault, if one is. */
export class ShareRefused extends Refused {
  readonly where: string;
  readonly index: number;

  constructor(code: string, message: string, where: string, index = 0, cause?: unknown) {
    super(code, message, "Ask those who hold the shares to open theirs again.", cause);
    this.name = "ShareRefused";
    this.where = where;
    this.index = index;
  }
}

/** kcs: what the share of this place is recognised by. */
export function shareCommitment(where: string, { index, value }: Share, context: Bytes): Promise<Bytes> {
  return expand(value, concat(utf8("SBID1/kc/s"), lv(where), Uint8Array.of(index), context), 32);
}

/** `value` as the share of `place`; `share_mismatch` if it is not the one that was committed to. */
export async function checkShare(place: Place, context: Bytes, value: Bytes): Promise<Share> {
  const share = { index: place.index, value };
  if (value.length !== 32 || !equal(await shareCommitment(place.where, share, context), place.kcs)) {
    throw new ShareRefused("share_mismatch", "the share is not the one that was committed to", place.where, place.index);
  }
  return share;
}

/**
 * What `shares`, all of one sharing, are shares of; each is compared with its commitment first.
 *
 * @remarks `share_mismatch`, `malformed_shares`, `too_few_shares`, all with `where`; and `commitment_mismatch` when
 * every share is right and they do not belong together: then whoever dealt them made it so.
 */
export async function recover(context: Bytes, places: readonly Place[], shares: readonly Share[]): Promise<Bytes> {
  const first = places[0];
  if (first === undefined) throw new ShareRefused("too_few_shares", "there are no shares", "");
  for (const { index, value } of shares) {
    const place = places.find((each) => each.index === index);
    if (place === undefined) throw new ShareRefused("malformed_shares", "a share of no such number", first.where, index);
    await checkShare(place, context, value);
  }
  try {
    return combine(shares, first.threshold);
  } catch (error) {
    if (!(error instanceof Refused)) throw error;
    const code = error.code === "shares_disagree" ? "commitment_mismatch" : error.code;
    throw new ShareRefused(code, error.message, first.where, 0, error);
  }
}

/** The members of a place in JSON; `where` is not among them. */
export function placeJson({ index, threshold, count, kcs }: Place): JsonObject {
  return { i: index, t: threshold, n: count, kcs: hex(kcs) };
}

/** The place that JSON members say; `Malformed` for a number out of range. */
export function readPlace(where: string, { i, t, n, kcs }: { readonly [name in "i" | "t" | "n" | "kcs"]: Json }): Place {
  const [index, threshold, count] = [asCount(i), asCount(t), asCount(n)];
  form(count <= MOST_SHARES && threshold >= 1 && threshold <= count && index >= 1 && index <= count, "no such share");
  return { where, index, threshold, count, kcs: asHex(kcs, 32) };
}

/** Raise `Malformed` unless `places` are the shares 1 to n of one t-of-n, in order. */
export function checkComplete(places: readonly Place[]): void {
  const complete = places.every(
    ({ index, threshold, count }, i) => index === i + 1 && count === places.length && threshold === places[0]!.threshold,
  );
  form(complete, "the shares are not 1 to n of one sharing");
}

/**
 * A quorum as a tender file announces it: `{threshold, officers: [{certificate, ..}]}`, or `trustees`.
 *
 * @remarks Certificates are DER in base64url or base64. `malformed_tender`; `malformed_shares` for a threshold that
 * cannot be; `wrong_key_usage` and `weak_key` for a certificate nothing may be sealed to.
 */
export function readQuorum(value: Json, people: "officers" | "trustees" = "officers"): Quorum {
  const quorum = reading("malformed_tender", "tender", () => {
    form(typeof value === "object" && value !== null && !Array.isArray(value), "an object is expected");
    const said = value as JsonObject;
    const certificates = asList(said[people]).map((each) => {
      form(typeof each === "object" && each !== null && !Array.isArray(each), "an object is expected");
      const text = asText((each as JsonObject)["certificate"]);
      return readCertificate(fromBase64url(text.replaceAll("+", "-").replaceAll("/", "_").replace(/=+$/, "")));
    });
    return { threshold: asCount(said["threshold"]), certificates };
  });
  checkQuorum(quorum);
  return quorum;
}

/** Refuse a quorum nothing can be sealed to. */
export function checkQuorum({ threshold, certificates }: Quorum): void {
  checkThreshold(threshold, certificates.length);
  const once = new Set(certificates.map(({ der }) => hex(der))).size === certificates.length;
  require(once, "malformed_shares", "one certificate twice");
  for (const { keyKind, keyUsage, isAuthority } of certificates) {
    require(keyKind === "P-256" || keyKind === "RSA", "weak_key", "shares are for keys on P-256 and RSA keys");
    const fits = keyUsage.has(keyKind === "RSA" ? "keyEncipherment" : "keyAgreement");
    const signs = keyUsage.has("digitalSignature") || keyUsage.has("nonRepudiation");
    require(fits && !signs && !isAuthority, "wrong_key_usage", "a share is sealed to an encryption certificate");
  }
}
