// What was said, worked out from the facts: the very words and moments of the captions.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";

import { sayings, wordsAt } from "../../static/js/said.js";

const EXAMPLES = JSON.parse(readFileSync(new URL("../../../tests/vectors/said.json", import.meta.url), "utf8"));

test("the browser says what the captions say, at the same moments", () => {
  for (const { facts, said } of EXAMPLES) {
    const found = sayings(facts).map((one) => ({ ...one, at: new Date(one.at).toISOString() }));
    assert.deepEqual(found, said);
  }
});

test("what the log says of itself is found and not said", () => {
  const facts = [{ n: 1, at: "2026-11-21T01:00:00.000Z", type: "Anchored", words: { zh: "会签", en: "cosigned" }, patch: {} }];
  assert.deepEqual(sayings(facts), []);
  assert.equal(sayings(facts, true).length, 1);
});

test("a sentence stands for eight seconds, together with those of the second before", () => {
  const at = Date.parse("2026-11-21T01:00:00.000Z");
  const said = [0, 400, 5_000].map((ms, n) => ({ n, at: at + ms, words: { zh: `${n}`, en: `${n}` }, row: false }));
  assert.equal(wordsAt(said, at - 1, "zh"), "");
  assert.equal(wordsAt(said, at + 500, "zh"), "0 1");
  assert.equal(wordsAt(said, at + 5_100, "zh"), "2");
  assert.equal(wordsAt(said, at + 13_001, "zh"), "");
});
