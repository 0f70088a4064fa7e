/** Taking parsed JSON apart, one typed member at a time. All raise `Malformed`. */

import { type Bytes, fromBase64url, fromHex } from "./bytes.js";
import type { Json, JsonObject } from "./canonical.js";
import { form } from "./errors.js";

/**
 * `value` as an object with exactly the members `names`.
 *
 * @remarks With `extensions`, members named `x-...` are let by and ignored (crypto/FORMAT.md section 2).
 */
export function members<N extends string>(
  value: Json | undefined,
  names: readonly N[],
  extensions: "extensions" | "none" = "none",
): { readonly [key in N]: Json } {
  form(typeof value === "object" && value !== null && !Array.isArray(value), "an object is expected");
  const object = value as JsonObject;
  for (const name of names) form(Object.hasOwn(object, name), `the member ${name} is missing`);
  for (const name of Object.keys(object)) {
    const known = (names as readonly string[]).includes(name) || (extensions === "extensions" && name.startsWith("x-"));
    form(known, `an unknown member ${JSON.stringify(name)}`);
  }
  return object as { readonly [key in N]: Json };
}

/** `value` as text, matching `pattern` where one is given. */
export function asText(value: Json | undefined, pattern?: RegExp): string {
  form(typeof value === "string" && (pattern === undefined || pattern.test(value)), "text of another form is expected");
  return value;
}

/** `value` as a whole number, zero or more. */
export function asCount(value: Json | undefined): number {
  form(typeof value === "number" && Number.isSafeInteger(value) && value >= 0, "a whole number is expected");
  return value;
}

/** `value` as a list of `least` to `most` items. */
export function asList(value: Json | undefined, least = 0, most = Infinity): readonly Json[] {
  form(Array.isArray(value) && value.length >= least && value.length <= most, "a list of another length is expected");
  return value as readonly Json[];
}

/** `value` as an identifier: 1 to 128 characters, none of them a control character. */
export function asIdentifier(value: Json | undefined): string {
  const text = asText(value);
  const length = [...text].length;
  form(length >= 1 && length <= 128 && text.isWellFormed(), "an identifier has 1 to 128 characters");
  form(!/[\u0000-\u001f\u007f-\u009f]/.test(text), "an identifier has no control characters");
  return text;
}

/** `value` as the bytes of lower-case hex, `length` of them. */
export function asHex(value: Json | undefined, length: number): Bytes {
  const bytes = fromHex(asText(value));
  form(bytes.length === length, `${length} bytes are expected`);
  return bytes;
}

/** `value` as the bytes of base64url. */
export function asBase64url(value: Json | undefined): Bytes {
  return fromBase64url(asText(value));
}

/** `value` as a moment in UTC, to the second or to the millisecond. */
export function asMoment(value: Json | undefined, precision: "seconds" | "milliseconds"): string {
  const pattern = precision === "seconds" ? /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/ : /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/;
  const text = asText(value, pattern);
  const date = new Date(text);
  const full = precision === "seconds" ? text.replace("Z", ".000Z") : text;
  // Date turns 30 February into 2 March; a real moment survives the round trip.
  form(!Number.isNaN(date.getTime()) && date.toISOString() === full, "no such moment");
  return text;
}
