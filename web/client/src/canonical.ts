/**
 * The one canonical JSON (RFC 8785), and the strict reader (crypto/FORMAT.md section 0).
 *
 * @remarks Only text, whole numbers, true, false, null, lists and objects. Fractions are refused: amounts
 * travel as text, because two languages print fractions differently. `JSON.parse` cannot read for us: it takes
 * a key given twice, and rounds large numbers, without a word.
 */

import { type Bytes, equal, fromUtf8, utf8 } from "./bytes.js";
import { form, Malformed } from "./errors.js";

/** A value the canonical form can carry. Numbers are whole and no larger than 2^53 - 1. */
export type Json = string | number | boolean | null | readonly Json[] | { readonly [key: string]: Json };

/** A JSON object, as messages and headers are. */
export type JsonObject = { readonly [key: string]: Json };

const MAX_DEPTH = 16; // the outermost list or object counts 1
const BAD = "malformed_json";

/** The canonical text of `value`: keys sorted by UTF-16 code unit, no blanks (RFC 8785 section 3.2). */
export function canonicalText(value: Json, depth = 1): string {
  if (value === null || typeof value === "boolean") return String(value);
  if (typeof value === "number") {
    form(Number.isSafeInteger(value) && !Object.is(value, -0), "only whole numbers up to 2^53 - 1", BAD);
    return String(value);
  }
  if (typeof value === "string") {
    form(value.isWellFormed(), "text with a lone surrogate", BAD);
    return JSON.stringify(value); // RFC 8785 takes its string rules from ECMAScript
  }
  form(typeof value === "object", "only text, whole numbers, true, false, null, lists and objects", BAD);
  form(depth <= MAX_DEPTH, `nested deeper than ${MAX_DEPTH}`, BAD);
  if (Array.isArray(value)) {
    return `[${value.map((item: Json) => canonicalText(item, depth + 1)).join(",")}]`;
  }
  const object = value as JsonObject;
  const members = Object.keys(object)
    .sort()
    .map((key) => `${canonicalText(key)}:${canonicalText(object[key]!, depth + 1)}`);
  return `{${members.join(",")}}`;
}

/** The UTF-8 bytes of {@link canonicalText}: what is hashed and signed. */
export function canonical(value: Json): Bytes {
  return utf8(canonicalText(value));
}

/** The value in `bytes`, at most `limit` of them: one JSON value by the strict rules and nothing else. */
export function parseStrict(bytes: Uint8Array, limit: number): Json {
  form(bytes.length <= limit, `more than ${limit} bytes of JSON`, "too_large");
  let text: string;
  try {
    text = fromUtf8(bytes);
  } catch (error) {
    throw new Malformed("not UTF-8", BAD, error);
  }
  return new Reader(text).whole();
}

/** As {@link parseStrict}, for bytes that must also be the canonical form of their value. */
export function parseCanonical(bytes: Uint8Array, limit: number): Json {
  const quick = bytes.length <= limit ? quickly(bytes) : undefined;
  return quick === undefined ? strictly(bytes, limit) : quick;
}

/** As {@link parseCanonical}, for whoever has `text` already: what `bytes` are in UTF-8. */
export function parseCanonicalText(text: string, bytes: Uint8Array, limit: number): Json {
  const quick = bytes.length <= limit ? quicklyText(text) : undefined;
  return quick === undefined ? strictly(bytes, limit) : quick;
}

function strictly(bytes: Uint8Array, limit: number): Json {
  const value = parseStrict(bytes, limit);
  form(equal(canonical(value), bytes), "not in canonical form (RFC 8785)", "not_canonical");
  return value;
}

function quickly(bytes: Uint8Array): Json | undefined {
  try {
    return quicklyText(fromUtf8(bytes));
  } catch {
    return undefined;
  }
}

/**
 * The value, if the engine's own reader gives one that its own writer writes as these very bytes: then nothing was
 * there twice, rounded or spaced. Undefined where that does not prove everything, and the strict reader says why.
 *
 * @remarks RFC 8785 takes the form of values from that writer, but not the order of members. It would also write
 * half a character, fractions and any depth: the first only as an escape.
 */
function quicklyText(text: string): Json | undefined {
  try {
    const value = JSON.parse(text) as Json;
    return JSON.stringify(value) === text && !text.includes("\\u") && isOrderly(value, 1) ? value : undefined;
  } catch {
    return undefined;
  }
}

/** Whether every number is whole and safe, the members are in order, and nothing is too deep. */
function isOrderly(value: Json, depth: number): boolean {
  if (typeof value === "number") return Number.isSafeInteger(value);
  if (typeof value !== "object" || value === null) return true;
  if (depth > MAX_DEPTH) return false;
  if (Array.isArray(value)) return value.every((item: Json) => isOrderly(item, depth + 1));
  let last: string | null = null;
  for (const key of Object.keys(value)) {
    if ((last !== null && key <= last) || !isOrderly((value as JsonObject)[key]!, depth + 1)) return false;
    last = key;
  }
  return true;
}

const WHITE = /[ \t\n\r]*/y;
const NUMBER = /-?(?:0|[1-9][0-9]*)(?![0-9.eE])/y;
// Not the quote, the backslash or a control character; or an escape.
const STRING = /"(?:[^"\\\u0000-\u001f]|\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4}))*"/y;
const WORD = /true|false|null/y;

class Reader {
  readonly #text: string;
  #at = 0;

  constructor(text: string) {
    this.#text = text;
  }

  whole(): Json {
    const value = this.#value(1);
    this.#match(WHITE);
    form(this.#at === this.#text.length, "something follows the value", BAD);
    return value;
  }

  #value(depth: number): Json {
    this.#match(WHITE);
    const char = this.#text[this.#at];
    if (char === "{" || char === "[") {
      form(depth <= MAX_DEPTH, `nested deeper than ${MAX_DEPTH}`, BAD);
      return char === "{" ? this.#object(depth) : this.#list(depth);
    }
    if (char === '"') return this.#string();
    const word = this.#match(WORD);
    if (word !== null) return JSON.parse(word) as boolean | null;
    const digits = this.#match(NUMBER);
    form(digits !== null && digits !== "-0", "no value where one is expected", BAD);
    const number = Number(digits);
    form(Number.isSafeInteger(number), "a number beyond 2^53 - 1", BAD);
    return number;
  }

  #object(depth: number): JsonObject {
    const members = new Map<string, Json>();
    this.#series("}", () => {
      this.#match(WHITE);
      const key = this.#string();
      form(!members.has(key), "a key given twice", BAD);
      this.#punctuation(":");
      members.set(key, this.#value(depth + 1));
    });
    return Object.fromEntries(members); // defines own members, so a key "__proto__" is only a key
  }

  #list(depth: number): Json[] {
    const items: Json[] = [];
    this.#series("]", () => items.push(this.#value(depth + 1)));
    return items;
  }

  #series(end: string, item: () => void): void {
    this.#at++;
    this.#match(WHITE);
    if (this.#text[this.#at] === end) {
      this.#at++;
      return;
    }
    for (;;) {
      item();
      this.#match(WHITE);
      if (this.#text[this.#at] === end) break;
      this.#punctuation(",");
    }
    this.#at++;
  }

  #string(): string {
    const quoted = this.#match(STRING);
    form(quoted !== null, "no text where one is expected", BAD);
    const value = JSON.parse(quoted) as string;
    form(value.isWellFormed(), "text with a lone surrogate", BAD);
    return value;
  }

  #punctuation(char: string): void {
    this.#match(WHITE);
    form(this.#text[this.#at] === char, `no ${char} where one is expected`, BAD);
    this.#at++;
  }

  #match(pattern: RegExp): string | null {
    pattern.lastIndex = this.#at;
    const match = pattern.exec(this.#text);
    if (match === null) return null;
    this.#at = pattern.lastIndex;
    return match[0];
  }
}
