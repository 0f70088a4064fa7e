/** Bytes: writing them down, reading them back, joining and comparing them. */

import { form, Malformed } from "./errors.js";

/** Bytes that WebCrypto takes: never backed by shared memory. */
export type Bytes = Uint8Array<ArrayBuffer>;

const encoder = new TextEncoder();
const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/** UTF-8 of `text`; refuses a lone surrogate, which has none. */
export function utf8(text: string): Bytes {
  form(text.isWellFormed(), "the text holds half a character (a lone surrogate)");
  return encoder.encode(text);
}

/** The text whose UTF-8 is `bytes`; refuses anything else. A byte order mark is kept as a character. */
export function fromUtf8(bytes: Uint8Array): string {
  try {
    return decoder.decode(bytes);
  } catch (error) {
    throw new Malformed("these bytes are not UTF-8 text", "malformed_field", error);
  }
}

/** All `parts`, one after the other, in new memory. */
export function concat(...parts: readonly Uint8Array[]): Bytes {
  const joined = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    joined.set(part, at);
    at += part.length;
  }
  return joined;
}

/** Whether both are the same bytes. The time taken depends on the lengths alone. */
export function equal(a: Uint8Array, b: Uint8Array): boolean {
  if (a.length !== b.length) return false;
  let difference = 0;
  for (let i = 0; i < a.length; i++) difference |= a[i]! ^ b[i]!;
  return difference === 0;
}

const PAIRS = Array.from({ length: 256 }, (_, byte) => byte.toString(16).padStart(2, "0"));

/** Lower-case hexadecimal. */
export function hex(bytes: Uint8Array): string {
  let text = "";
  for (let i = 0; i < bytes.length; i++) text += PAIRS[bytes[i]!]!;
  return text;
}

/** The bytes of lower-case hexadecimal; refuses capitals and odd lengths, so each value has one spelling. */
export function fromHex(text: string): Bytes {
  form(/^(?:[0-9a-f]{2})*$/.test(text), "expected lower-case hexadecimal, two digits a byte");
  return Uint8Array.from(text.match(/../g) ?? [], (pair) => parseInt(pair, 16));
}

/** Base64 with padding (RFC 4648 section 4). */
export function base64(bytes: Uint8Array): string {
  let binary = "";
  // fromCharCode takes its bytes as arguments, and engines limit how many there may be.
  for (let at = 0; at < bytes.length; at += 0x8000) {
    binary += String.fromCharCode(...bytes.subarray(at, at + 0x8000));
  }
  return btoa(binary);
}

/** The bytes of padded base64; refuses blanks, missing padding and stray bits, so each value has one spelling. */
export function fromBase64(text: string): Bytes {
  form(/^[A-Za-z0-9+/]*={0,2}$/.test(text) && text.length % 4 === 0, "expected padded base64");
  const binary = atob(text);
  const bytes = new Uint8Array(binary.length);
  for (let i = 0; i < bytes.length; i++) bytes[i] = binary.charCodeAt(i);
  const end = bytes.subarray(3 * Math.max(0, Math.ceil(bytes.length / 3) - 1)); // what the last four characters say
  form(base64(end) === text.slice(-4), "this base64 has stray bits at its end");
  return bytes;
}

/** Base64url without padding (RFC 4648 section 5, as JOSE writes it). */
export function base64url(bytes: Uint8Array): string {
  return base64(bytes).replaceAll("+", "-").replaceAll("/", "_").replace(/=+$/, "");
}

/** The bytes of unpadded base64url, as strict as {@link fromBase64}. */
export function fromBase64url(text: string): Bytes {
  form(/^[A-Za-z0-9_-]*$/.test(text), "expected base64url without padding");
  const padded = text.replaceAll("-", "+").replaceAll("_", "/");
  return fromBase64(padded.padEnd(Math.ceil(text.length / 4) * 4, "="));
}

/** LV(x): the length as u16 big-endian, then the bytes; text counts as its UTF-8. */
export function lv(value: string | Uint8Array): Bytes {
  const bytes = typeof value === "string" ? utf8(value) : value;
  form(bytes.length <= 0xffff, "a length-prefixed value holds at most 65535 bytes");
  return concat(u16(bytes.length), bytes);
}

/** `n` as u16 big-endian. */
export function u16(n: number): Bytes {
  form(Number.isInteger(n) && n >= 0 && n <= 0xffff, "expected a number of 16 bits");
  return Uint8Array.of(n >> 8, n & 0xff);
}

/** `n` as u32 big-endian. */
export function u32(n: number): Bytes {
  form(Number.isInteger(n) && n >= 0 && n <= 0xffffffff, "expected a number of 32 bits");
  const bytes = new Uint8Array(4);
  new DataView(bytes.buffer).setUint32(0, n);
  return bytes;
}
