/**
 * SHA-256 (FIPS 180-4) in one call that does not wait.
 *
 * @remarks For what is public and hashed by the ten thousand: a log of 20,000 events, certificates, statements.
 * `crypto.subtle` makes a promise of every digest, which costs more than the digest of a few hundred bytes.
 */

import { type Bytes, hex, utf8 } from "./bytes.js";
import { sha256 } from "./kdf.js";

/** The first 32 bits of the fractional parts of the cube roots of the first 64 primes (section 4.2.2). */
const K = new Int32Array(64);
/** And of the square roots of the first eight (section 5.3.3). */
const H = new Int32Array(8);

{
  const fraction = (root: number): number => Math.floor((root - Math.floor(root)) * 2 ** 32) | 0;
  const primes: number[] = [];
  for (let n = 2; primes.length < 64; n++) if (primes.every((prime) => n % prime !== 0)) primes.push(n);
  primes.forEach((prime, i) => {
    K[i] = fraction(Math.cbrt(prime));
    if (i < 8) H[i] = fraction(Math.sqrt(prime));
  });
}

// Used again by every call, which ends before another begins: making them costs as much as a short digest.
const W = new Int32Array(64);
const STATE = new Int32Array(8);
const TAIL = new Uint8Array(128);
const END = new DataView(TAIL.buffer);
const OUT = new Uint8Array(32);
const WORDS = new DataView(OUT.buffer);

/** SHA-256 of `data`. */
export function digest(data: Uint8Array): Bytes {
  return absorb(data).slice();
}

/** The same in lower-case hex, of bytes or of the UTF-8 of a text. */
export function digestHex(data: Uint8Array | string): string {
  return hex(absorb(typeof data === "string" ? utf8(data) : data));
}

/** The digest, in memory that the next call writes over. */
function absorb(data: Uint8Array): Bytes {
  STATE.set(H);
  const whole = data.length - (data.length % 64);
  for (let at = 0; at < whole; at += 64) block(STATE, data, at);
  const rest = data.length - whole;
  const size = rest < 56 ? 64 : 128;
  TAIL.fill(0);
  for (let i = 0; i < rest; i++) TAIL[i] = data[whole + i]!;
  TAIL[rest] = 0x80;
  END.setUint32(size - 8, Math.floor(data.length / 2 ** 29));
  END.setUint32(size - 4, (data.length << 3) >>> 0);
  for (let at = 0; at < size; at += 64) block(STATE, TAIL, at);
  for (let i = 0; i < 8; i++) WORDS.setInt32(4 * i, STATE[i]!);
  return OUT;
}

const SHORT = 4096; // bytes; from about there on WebCrypto is done sooner

/** The same in lower-case hex of a file, which may be long. */
export async function fileDigest(file: Bytes): Promise<string> {
  return file.length <= SHORT ? digestHex(file) : hex(await sha256(file));
}

/** HMAC (RFC 2104) with a key of at most 64 bytes. */
export function hmac(key: Uint8Array, data: Uint8Array): Bytes {
  const pad = (byte: number, inside: Uint8Array): Bytes => {
    const padded = new Uint8Array(64 + inside.length).fill(byte, 0, 64);
    key.forEach((one, i) => (padded[i]! ^= one));
    padded.set(inside, 64);
    return digest(padded);
  };
  return pad(0x5c, pad(0x36, data));
}

function block(state: Int32Array, data: Uint8Array, at: number): void {
  for (let t = 0, i = at; t < 16; t++, i += 4) W[t] = (data[i]! << 24) | (data[i + 1]! << 16) | (data[i + 2]! << 8) | data[i + 3]!;
  for (let t = 16; t < 64; t++) {
    const x = W[t - 15]!;
    const y = W[t - 2]!;
    const s0 = ((x >>> 7) | (x << 25)) ^ ((x >>> 18) | (x << 14)) ^ (x >>> 3);
    const s1 = ((y >>> 17) | (y << 15)) ^ ((y >>> 19) | (y << 13)) ^ (y >>> 10);
    W[t] = (W[t - 16]! + s0 + W[t - 7]! + s1) | 0;
  }
  let a = state[0]!;
  let b = state[1]!;
  let c = state[2]!;
  let d = state[3]!;
  let e = state[4]!;
  let f = state[5]!;
  let g = state[6]!;
  let h = state[7]!;
  for (let t = 0; t < 64; t++) {
    const s1 = ((e >>> 6) | (e << 26)) ^ ((e >>> 11) | (e << 21)) ^ ((e >>> 25) | (e << 7));
    const t1 = (h + s1 + (g ^ (e & (f ^ g))) + K[t]! + W[t]!) | 0;
    const s0 = ((a >>> 2) | (a << 30)) ^ ((a >>> 13) | (a << 19)) ^ ((a >>> 22) | (a << 10));
    const t2 = (s0 + ((a & b) | (c & (a | b)))) | 0;
    h = g;
    g = f;
    f = e;
    e = (d + t1) | 0;
    d = c;
    c = b;
    b = a;
    a = (t1 + t2) | 0;
  }
  state[0] = (state[0]! + a) | 0;
  state[1] = (state[1]! + b) | 0;
  state[2] = (state[2]! + c) | 0;
  state[3] = (state[3]! + d) | 0;
  state[4] = (state[4]! + e) | 0;
  state[5] = (state[5]! + f) | 0;
  state[6] = (state[6]! + g) | 0;
  state[7] = (state[7]! + h) | 0;
}
