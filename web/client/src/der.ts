/**
 * ASN.1: a small bounded reader (DER, and BER where files from elsewhere need it) and a DER writer.
 *
 * @remarks Source: X.690. Only one-byte tags; nesting and size are limited, so a hostile file costs little.
 */

import { type Bytes, concat, fromUtf8, utf8 } from "./bytes.js";
import { form, Malformed } from "./errors.js";

/** Universal tags in use, and makers of context tags. */
export const TAG = {
  boolean: 0x01,
  integer: 0x02,
  bits: 0x03,
  octets: 0x04,
  null: 0x05,
  oid: 0x06,
  utf8: 0x0c,
  printable: 0x13,
  utcTime: 0x17,
  time: 0x18,
  sequence: 0x30,
  set: 0x31,
} as const;

/** The context tag `[n]`, constructed. */
export function context(n: number): number {
  return 0xa0 | n;
}

/** The context tag `[n]`, primitive. */
export function contextPrimitive(n: number): number {
  return 0x80 | n;
}

/** `der` demands the one encoding of X.690 section 10; `ber` also takes indefinite and long-winded lengths. */
export type Rules = "der" | "ber";

/** One element: its tag byte, its content and the whole of it, as views into the input. */
export interface Element {
  readonly tag: number;
  readonly body: Bytes;
  readonly raw: Bytes;
  readonly rules: Rules;
  readonly depth: number;
}

const MAX_DEPTH = 24;
const MAX_SIZE = 16 * 1024 * 1024;

function bad(message: string): Malformed {
  return new Malformed(`malformed ASN.1: ${message}`);
}

function readAt(bytes: Bytes, start: number, rules: Rules, depth: number): Element {
  if (depth > MAX_DEPTH) throw bad("nested too deeply");
  let at = start;
  const next = (): number => {
    const byte = bytes[at++];
    if (byte === undefined) throw bad("it ends too early");
    return byte;
  };
  const tag = next();
  if ((tag & 0x1f) === 0x1f) throw bad("a tag of several bytes");
  let length = next();
  if (length === 0x80) {
    if (rules === "der" || (tag & 0x20) === 0) throw bad("an indefinite length");
    const bodyStart = at;
    while (!(bytes[at] === 0 && bytes[at + 1] === 0)) at += readAt(bytes, at, rules, depth + 1).raw.length;
    return { tag, body: bytes.subarray(bodyStart, at), raw: bytes.subarray(start, at + 2), rules, depth };
  }
  if (length > 0x80) {
    const count = length & 0x7f;
    if (count > 4) throw bad("a length of more than four bytes");
    length = 0;
    for (let i = 0; i < count; i++) length = length * 256 + next();
    const shortest = length < 0x80 ? 0 : Math.ceil((32 - Math.clz32(length)) / 8);
    if (rules === "der" && count !== shortest) throw bad("a length not in its shortest form");
  }
  if (length > bytes.length - at) throw bad("an element runs past the end");
  const body = bytes.subarray(at, at + length);
  if (rules === "der") checkForm(tag, body);
  return {
    tag,
    body,
    raw: bytes.subarray(start, at + length),
    rules,
    depth,
  };
}

/** Refuse a value that DER writes otherwise (X.690 sections 8.2 to 8.19, 11.1 and 11.2); of most kinds any content will do. */
function checkForm(tag: number, body: Bytes): void {
  switch (tag) {
    case TAG.boolean:
      if (body.length !== 1 || (body[0] !== 0 && body[0] !== 0xff)) throw bad("neither true nor false");
      return;
    case TAG.integer: {
      const idle = body.length > 1 && (body[0] === 0 ? body[1]! < 0x80 : body[0] === 0xff && body[1]! >= 0x80);
      if (body.length === 0 || idle) throw bad("a number not in its shortest form");
      return;
    }
    case TAG.bits: {
      const unused = body[0] ?? 8;
      if (unused > 7 || (body.length === 1 && unused > 0) || (body.at(-1)! & ((1 << unused) - 1)) !== 0) throw bad("a bit string with a broken last byte");
      return;
    }
    case TAG.null:
      if (body.length > 0) throw bad("a null with something inside");
      return;
    case TAG.oid: {
      const begins = (i: number): boolean => i === 0 || body[i - 1]! < 0x80;
      if (body.length === 0 || body.at(-1)! >= 0x80) throw bad("an object identifier that ends too early");
      if (body.some((byte, i) => byte === 0x80 && begins(i))) throw bad("an object identifier not in its shortest form");
    }
  }
}

/** The single element that `bytes` are; refuses anything after it. */
export function read(bytes: Bytes, rules: Rules = "der"): Element {
  if (bytes.length > MAX_SIZE) throw bad("larger than 16 MiB");
  const element = readAt(bytes, 0, rules, 0);
  if (element.raw.length !== bytes.length) throw bad("bytes after the end");
  return element;
}

/** The elements inside `element`, which must carry `tag` if that is given. */
export function children(element: Element | undefined, tag?: number): Element[] {
  const parent = expect(element, tag);
  const inside: Element[] = [];
  for (let at = 0; at < parent.body.length; ) {
    const child = readAt(parent.body, at, parent.rules, parent.depth + 1);
    inside.push(child);
    at += child.raw.length;
  }
  return inside;
}

/** The only element inside an explicit tag such as `[0]`. */
export function inner(element: Element | undefined, tag?: number): Element {
  const inside = children(element, tag);
  if (inside.length !== 1) throw bad("one element expected inside a tag");
  return inside[0]!;
}

/** `element` if it is there and carries `tag` (any, when omitted). */
export function expect(element: Element | undefined, tag?: number): Element {
  if (element === undefined) throw bad("an element is missing");
  if (tag !== undefined && element.tag !== tag) {
    throw bad(`tag 0x${element.tag.toString(16)} where 0x${tag.toString(16)} is expected`);
  }
  return element;
}

/** The bytes of an OCTET STRING, or of an implicit `tag`; in BER it may come in pieces. */
export function octets(element: Element | undefined, tag: number = TAG.octets): Bytes {
  const whole = expect(element);
  if (whole.tag === tag) return whole.body;
  if (whole.rules === "ber" && whole.tag === (tag | 0x20)) {
    return concat(...children(whole).map((piece) => octets(piece)));
  }
  throw bad(`tag 0x${whole.tag.toString(16)} where bytes are expected`);
}

/** The bytes of a BIT STRING of whole bytes, as keys and signatures are. */
export function bitString(element: Element | undefined): Bytes {
  const { body } = expect(element, TAG.bits);
  if (body[0] !== 0) throw bad("a bit string with a broken last byte");
  return body.subarray(1);
}

/** A whole number, zero or more, that fits a JavaScript number. */
export function smallInteger(element: Element | undefined): number {
  const { body } = expect(element, TAG.integer);
  if (body.length === 0 || body.length > 6 || body[0]! >= 0x80) throw bad("a number out of range");
  return body.reduce((sum, byte) => sum * 256 + byte, 0);
}

/** An object identifier in dotted form. */
export function oid(element: Element | undefined): string {
  const { body } = expect(element, TAG.oid);
  const arcs: number[] = [];
  let arc = 0;
  for (const byte of body) {
    arc = arc * 128 + (byte & 0x7f);
    if (arc > Number.MAX_SAFE_INTEGER / 128) throw bad("an object identifier out of range");
    if (byte < 0x80) {
      arcs.push(arc);
      arc = 0;
    }
  }
  if (arcs.length === 0 || body.at(-1)! >= 0x80) throw bad("an object identifier that ends too early");
  const top = Math.min(2, Math.floor(arcs[0]! / 40));
  return [top, arcs[0]! - top * 40, ...arcs.slice(1)].join(".");
}

/** Text of any string type certificates use. */
export function text(element: Element | undefined): string {
  const { tag, body } = expect(element);
  switch (tag) {
    case 0x0c: // UTF8String
      return fromUtf8(body);
    case 0x12: // NumericString
    case 0x13: // PrintableString
    case 0x16: { // IA5String
      if (body.some((byte) => byte > 0x7f)) throw bad("a character outside ASCII");
      const said = String.fromCharCode(...body);
      if (tag === 0x13 && !/^[A-Za-z0-9 '()+,\-./:=?]*$/.test(said)) throw bad("a character that is not in PrintableString");
      return said;
    }
    case 0x14: // TeletexString, in practice Latin-1
      return String.fromCharCode(...body);
    case 0x1e: // BMPString
      if (body.length % 2 !== 0) throw bad("half a character");
      return String.fromCharCode(...Array.from({ length: body.length / 2 }, (_, i) => body[2 * i]! * 256 + body[2 * i + 1]!));
    default:
      throw bad(`tag 0x${tag.toString(16)} where text is expected`);
  }
}

/** A UTCTime or GeneralizedTime in the form RFC 5280 section 4.1.2.5 demands: to the second, ending in Z. */
export function time(element: Element | undefined): Date {
  const { tag, body } = expect(element);
  const digits = String.fromCharCode(...body);
  const match = (tag === TAG.utcTime ? /^(\d\d)(\d{10})Z$/ : tag === TAG.time ? /^(\d{4})(\d{10})Z$/ : /$^/).exec(digits);
  if (match === null) throw bad("a time not in the form of RFC 5280");
  const year = tag === TAG.utcTime ? (Number(match[1]) < 50 ? 2000 : 1900) + Number(match[1]) : Number(match[1]);
  return momentOf(year, match[2]!);
}

/** The moment of a year and ten digits (month to second); refuses one that no calendar or clock has. */
export function momentOf(year: number, digits: string): Date {
  const [month, day, hour, minute, second] = digits.match(/../g)!.map(Number);
  const when = new Date(Date.UTC(year, month! - 1, day, hour, minute, second));
  if (when.toISOString().replace(/\D/g, "").slice(4, 14) !== digits) throw bad("a moment that there is not");
  return when;
}

/** One element with `tag` and the joined `parts` as content. */
export function write(tag: number, ...parts: readonly Uint8Array[]): Bytes {
  const body = concat(...parts);
  const n = body.length;
  if (n < 0x80) return concat(Uint8Array.of(tag, n), body);
  const length: number[] = [];
  for (let rest = n; rest > 0; rest = Math.floor(rest / 256)) length.unshift(rest % 256);
  return concat(Uint8Array.of(tag, 0x80 | length.length, ...length), body);
}

/** A SEQUENCE of `parts`. */
export function sequence(...parts: readonly Uint8Array[]): Bytes {
  return write(TAG.sequence, ...parts);
}

/** A SET OF `parts`, sorted as DER demands (X.690 section 11.6). */
export function setOf(...parts: readonly Uint8Array[]): Bytes {
  return write(TAG.set, ...[...parts].sort(compare));
}

/** `element` under another tag, as implicit tags put it. */
export function retagged(element: Bytes, tag: number): Bytes {
  return concat(Uint8Array.of(tag), element.subarray(1));
}

function compare(a: Uint8Array, b: Uint8Array): number {
  const n = Math.min(a.length, b.length);
  for (let i = 0; i < n; i++) if (a[i] !== b[i]) return a[i]! - b[i]!;
  return a.length - b.length;
}

/** An INTEGER from big-endian bytes without sign, or from a small number. */
export function integer(value: number | Uint8Array): Bytes {
  let bytes: number[];
  if (typeof value === "number") {
    form(Number.isSafeInteger(value) && value >= 0, "expected a whole number");
    bytes = [];
    for (let rest = value; rest > 0; rest = Math.floor(rest / 256)) bytes.unshift(rest % 256);
  } else {
    bytes = [...value];
    while (bytes.length > 0 && bytes[0] === 0) bytes.shift();
  }
  if (bytes.length === 0 || bytes[0]! >= 0x80) bytes.unshift(0);
  return write(TAG.integer, Uint8Array.from(bytes));
}

/** An OBJECT IDENTIFIER from its dotted form. */
export function objectId(dotted: string): Bytes {
  const [first, second, ...rest] = dotted.split(".").map(Number);
  const bytes: number[] = [];
  for (const arc of [first! * 40 + second!, ...rest]) {
    const groups = [arc % 128];
    for (let left = Math.floor(arc / 128); left > 0; left = Math.floor(left / 128)) groups.unshift(0x80 | left % 128);
    bytes.push(...groups);
  }
  return write(TAG.oid, Uint8Array.from(bytes));
}

/** A NULL. */
export function nothing(): Bytes {
  return write(TAG.null);
}

/** An OCTET STRING. */
export function octetString(bytes: Uint8Array): Bytes {
  return write(TAG.octets, bytes);
}

/** A BIT STRING of whole bytes. */
export function bitStringOf(bytes: Uint8Array): Bytes {
  return write(TAG.bits, Uint8Array.of(0), bytes);
}

/** A UTCTime until 2049 and a GeneralizedTime after, to the second (RFC 5652 section 11.3). */
export function timeOf(when: Date): Bytes {
  const full = when.toISOString().replace(/\D/g, "").slice(0, 14);
  const year = when.getUTCFullYear();
  return year >= 1950 && year < 2050 ? write(TAG.utcTime, utf8(`${full.slice(2)}Z`)) : write(TAG.time, utf8(`${full}Z`));
}
