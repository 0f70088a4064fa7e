/**
 * Shamir's sharing of a secret over GF(2^8), polynomial 0x11b (crypto/FORMAT.md section 13).
 *
 * @remarks Secret and shares are only shifted, masked and added, and multiplied only by numbers everybody knows (a
 * share's index, a Lagrange coefficient): no table is read and no branch taken that depends on them. What an engine
 * makes of that is not promised.
 */

import { type Bytes, equal } from "./bytes.js";
import { require } from "./errors.js";

export const MOST_SHARES = 16;

/** The value of the sharing polynomials at `index`, which counts from 1: the secret itself is at 0. */
export interface Share {
  readonly index: number;
  readonly value: Bytes;
}

/** `count` shares of `secret` of which any `threshold` give it back; 1 <= t <= n <= 16, else `malformed_shares`. */
export function split(secret: Bytes, threshold: number, count: number): readonly Share[] {
  checkThreshold(threshold, count);
  require(secret.length > 0, "malformed_shares", "there is nothing to share");
  const coefficients = [secret];
  // The highest coefficient may be zero like any other: leaving zero out would tell t - 1 holders something.
  while (coefficients.length < threshold) coefficients.push(crypto.getRandomValues(new Uint8Array(secret.length)));
  return Array.from({ length: count }, (_, i) => ({ index: i + 1, value: evaluate(coefficients, i + 1) }));
}

/**
 * The secret `shares` are of; more than `threshold` must all lie on one polynomial.
 *
 * @remarks `malformed_shares` for a share given twice, of another length or of no such number; `too_few_shares`;
 * `shares_disagree`. A wrong share cannot be told from a right one here: compare each with its commitment first.
 */
export function combine(shares: readonly Share[], threshold: number): Bytes {
  const indexes = shares.map(({ index }) => index);
  const numbered = indexes.every((index) => Number.isInteger(index) && index >= 1 && index <= MOST_SHARES);
  require(numbered && new Set(indexes).size === indexes.length, "malformed_shares", "a share twice, or of no such number");
  const lengths = new Set(shares.map(({ value }) => value.length));
  require(lengths.size <= 1 && !lengths.has(0), "malformed_shares", "shares of different lengths");
  require(threshold >= 1 && shares.length >= threshold, "too_few_shares", `${shares.length} shares of ${threshold} that are needed`);
  const enough = shares.slice(0, threshold);
  for (const { index, value } of shares.slice(threshold)) {
    require(equal(interpolate(enough, index), value), "shares_disagree", "the shares do not belong together");
  }
  return interpolate(enough, 0);
}

/** Refuse as `malformed_shares` unless 1 <= t <= n <= 16. */
export function checkThreshold(threshold: number, count: number): void {
  const fine = Number.isInteger(threshold) && threshold >= 1 && threshold <= count && count <= MOST_SHARES;
  require(fine, "malformed_shares", `${threshold} of ${count} is no sharing`);
}

/** The polynomials with these coefficients, lowest first, at `x` (Horner's rule). */
function evaluate(coefficients: readonly Bytes[], x: number): Bytes {
  let value: Bytes = new Uint8Array(coefficients[0]!.length);
  for (const coefficient of coefficients.toReversed()) value = add(times(x, value), coefficient);
  return value;
}

/** The polynomials through `shares` at `x` (Lagrange). The coefficients come from public numbers alone. */
function interpolate(shares: readonly Share[], x: number): Bytes {
  let value: Bytes = new Uint8Array(shares[0]!.value.length);
  for (const share of shares) {
    let [above, below] = [1, 1];
    for (const other of shares) {
      if (other === share) continue;
      above = product(above, x ^ other.index);
      below = product(below, share.index ^ other.index);
    }
    value = add(value, times(product(above, inverse(below)), share.value));
  }
  return value;
}

/** The sum of two byte strings of one length: XOR. */
export function add(one: Bytes, other: Bytes): Bytes {
  return one.map((byte, i) => byte ^ other[i]!);
}

/** `secret`, byte by byte, times `known`; only the bits of `known` decide what is done. */
function times(known: number, secret: Bytes): Bytes {
  const sum = new Uint8Array(secret.length);
  const power = secret.slice();
  for (let bits = known; bits > 0; bits >>= 1) {
    for (const [i, byte] of power.entries()) {
      sum[i]! ^= byte & -(bits & 1);
      power[i] = ((byte & 0x7f) << 1) ^ (0x1b & -(byte >> 7)); // x^8 is x^4 + x^3 + x + 1
    }
  }
  return sum;
}

function product(one: number, other: number): number {
  return times(one, Uint8Array.of(other))[0]!;
}

/** The inverse of a known number that is not 0: its power of 254 = 2 + 4 + .. + 128 (Fermat). */
function inverse(known: number): number {
  let [result, power] = [1, known];
  for (let i = 0; i < 7; i++) {
    power = product(power, power);
    result = product(result, power);
  }
  return result;
}
