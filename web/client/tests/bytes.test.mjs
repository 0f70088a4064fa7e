import assert from "node:assert/strict";
import { test } from "node:test";

import * as bytes from "../../static/js/bytes.js";
import { refusal, someBytes } from "./support.mjs";

test("hex, base64 and base64url give back what they were given", () => {
  for (const length of [0, 1, 2, 3, 31, 32, 33, 70_000]) {
    const data = someBytes(length);
    assert.deepEqual(bytes.fromHex(bytes.hex(data)), data);
    assert.deepEqual(bytes.fromBase64(bytes.base64(data)), data);
    assert.deepEqual(bytes.fromBase64url(bytes.base64url(data)), data);
  }
});

test("base64url uses the alphabet of RFC 4648 section 5 without padding", () => {
  assert.equal(bytes.base64url(Uint8Array.of(0xfb, 0xff, 0xfe)), "-__-");
  assert.equal(bytes.base64url(Uint8Array.of(0xff)), "_w");
});

for (const [text, why] of [
  ["_w==", "padding"],
  ["_x", "stray bits"],
  ["+w", "the other alphabet"],
  ["a", "an impossible length"],
  ["_w\n", "white space"],
]) {
  test(`base64url with ${why} is refused`, () => {
    assert.throws(() => bytes.fromBase64url(text), refusal("malformed_field"));
  });
}

for (const text of ["A0", "0", "0g", "00 "]) {
  test(`${JSON.stringify(text)} is no hex`, () => {
    assert.throws(() => bytes.fromHex(text), refusal("malformed_field"));
  });
}

test("length-prefixed text counts its UTF-8 bytes", () => {
  assert.deepEqual(bytes.lv("标"), Uint8Array.of(0, 3, 0xe6, 0xa0, 0x87));
  assert.throws(() => bytes.lv(new Uint8Array(65_536)), refusal("malformed_field"));
});

test("text that is not Unicode is refused both ways", () => {
  assert.throws(() => bytes.utf8("\ud800"), refusal("malformed_field"));
  assert.throws(() => bytes.fromUtf8(Uint8Array.of(0xff)), refusal("malformed_field"));
});

test("equal tells bytes apart by value and by length", () => {
  assert.ok(bytes.equal(Uint8Array.of(1, 2), Uint8Array.of(1, 2)));
  assert.ok(!bytes.equal(Uint8Array.of(1, 2), Uint8Array.of(1, 3)));
  assert.ok(!bytes.equal(Uint8Array.of(1, 2), Uint8Array.of(1, 2, 0)));
});
