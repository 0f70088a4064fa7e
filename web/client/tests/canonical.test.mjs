import assert from "node:assert/strict";
import { test } from "node:test";

import { utf8 } from "../../static/js/bytes.js";
import { canonicalText, parseCanonical, parseStrict } from "../../static/js/canonical.js";
import { refusal } from "./support.mjs";

const strict = (text) => parseStrict(utf8(text), 65_536);

test("members are sorted by UTF-16 code units and blanks are gone (RFC 8785 section 3.2.3)", () => {
  const value = { "\u20ac": "Euro", "\r": "CR", "\ufb33": "Dalet", 1: "One", "\ud83d\ude00": "Smiley", "\u0080": "C", "\u00f6": "o" };
  assert.equal(
    canonicalText(value),
    '{"\\r":"CR","1":"One","\u0080":"C","\u00f6":"o","\u20ac":"Euro","\ud83d\ude00":"Smiley","\ufb33":"Dalet"}',
  );
});

for (const value of [1.5, NaN, 2 ** 53, -0, undefined, () => 1, "\ud800", 10n]) {
  test(`${String(value)} has no canonical form`, () => {
    assert.throws(() => canonicalText({ value }), refusal("malformed_json"));
  });
}

test("strict JSON allows white space, escapes and negative numbers", () => {
  assert.deepEqual(strict(' { "a" : [ -1 , 0 , true , null , "\\u6807\\n" ] } '), { a: [-1, 0, true, null, "标\n"] });
});

for (const [text, why] of [
  ['{"a":1,"a":1}', "a member twice"],
  ['{"a":1,"\\u0061":1}', "a member twice in two spellings"],
  ["1.0", "a fraction"],
  ["1e2", "an exponent"],
  ["-0", "minus zero"],
  ["01", "a leading zero"],
  ["9007199254740992", "a number too large to be exact"],
  ["NaN", "NaN"],
  ['"\\ud800"', "half a character"],
  ['"\u0001"', "a bare control character"],
  ['"a', "an open string"],
  ["[1,]", "a comma too many"],
  ["[1 2]", "a comma too few"],
  ['{"a" 1}', "no colon"],
  ["{a:1}", "a bare name"],
  ["1 1", "two values"],
  ["", "nothing"],
  ["\ufeff1", "a byte order mark"],
  ["[".repeat(17) + "]".repeat(17), "seventeen levels"],
]) {
  test(`strict JSON refuses ${why}`, () => {
    assert.throws(() => strict(text), refusal("malformed_json"));
  });
}

test("sixteen levels are read and written", () => {
  const text = "[".repeat(16) + "]".repeat(16);
  assert.equal(canonicalText(strict(text)), text);
});

test("a member called __proto__ is only a member", () => {
  const value = strict('{"__proto__":{"x":1}}');
  assert.equal(value.x, undefined);
  assert.equal(canonicalText(value), '{"__proto__":{"x":1}}');
});

test("canonical bytes are demanded where the format says so", () => {
  assert.deepEqual(parseCanonical(utf8('{"a":1,"b":2}'), 100), { a: 1, b: 2 });
  assert.throws(() => parseCanonical(utf8('{"b":2,"a":1}'), 100), refusal("not_canonical"));
  assert.throws(() => parseCanonical(utf8('{"a": 1}'), 100), refusal("not_canonical"));
  assert.throws(() => parseCanonical(utf8('{"a":1}'), 6), refusal("too_large"));
});
