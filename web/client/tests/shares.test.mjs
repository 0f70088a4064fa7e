import assert from "node:assert/strict";
import { test } from "node:test";

import { combine, split } from "../../static/js/shares.js";
import { refusal, someBytes } from "./support.mjs";

test("any t of n shares give the secret, in any order", () => {
  const secret = someBytes(32);
  for (const [t, n] of [[1, 1], [1, 4], [2, 3], [3, 5], [16, 16]]) {
    const dealt = split(secret, t, n);
    assert.deepEqual(dealt.map(({ index }) => index), Array.from({ length: n }, (_, i) => i + 1));
    assert.deepEqual(combine(dealt.slice(-t), t), secret);
    assert.deepEqual(combine(dealt.toReversed(), t), secret);
  }
});

test("t - 1 shares go with every secret", () => {
  const dealt = split(someBytes(1), 3, 5);
  const known = dealt.slice(1, 3).map(({ index, value }) => ({ index, value: new Uint8Array(256).fill(value[0]) }));
  const all = Uint8Array.from({ length: 256 }, (_, i) => i);
  assert.equal(new Set(combine([...known, { index: 5, value: all }], 3)).size, 256);
});

test("the field is the one of AES", () => {
  const line = [{ index: 1, value: Uint8Array.of(0x57) }, { index: 2, value: Uint8Array.of(0xae) }];
  // FIPS 197 section 4.2.1: {57} times {02} is {ae} and times {10} is {07}. So a line through the origin has these.
  assert.deepEqual(combine([...line, { index: 0x10, value: Uint8Array.of(0x07) }], 2), Uint8Array.of(0));
  assert.throws(() => combine([...line, { index: 0x10, value: Uint8Array.of(0x06) }], 2), refusal("shares_disagree"));
});

for (const [t, n] of [[0, 1], [2, 1], [1, 17], [1.5, 2], [1, 0]]) {
  test(`${t} of ${n} is no sharing`, () => {
    assert.throws(() => split(someBytes(32), t, n), refusal("malformed_shares"));
  });
}
