// The read model in the browser: patches, the chain, the clock and the doors.

import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { test } from "node:test";

import { backOff, nextDoor, segments } from "../../static/js/channel.js";
import { best, countdown } from "../../static/js/clock.js";
import { holds, moment, shown } from "../../static/js/dom.js";
import { merge, reduce } from "../../static/js/hall.js";
import { rowsRead, screen } from "../../static/js/screen.js";

const WIRE = new URL("../../../tests/vectors/wire/", import.meta.url);
const SCREENS = JSON.parse(readFileSync(new URL("../../../tests/vectors/screen.json", import.meta.url), "utf8"));

const DATA = SCREENS.cases.find(({ name }) => name === "readout").view;

/** What a reader that knows only patches holds: null members are absent. */
function withoutNulls(value) {
  if (typeof value !== "object" || value === null || Array.isArray(value)) return value;
  return Object.fromEntries(
    Object.entries(value).flatMap(([name, inner]) => (inner === null ? [] : [[name, withoutNulls(inner)]])),
  );
}

for (const file of readdirSync(WIRE)) {
  const { messages, views, audience } = JSON.parse(readFileSync(new URL(file, WIRE), "utf8"));
  if (messages === undefined || views === undefined) continue;
  test(`${audience}: the facts from the first to the last give each view`, () => {
    let view = { n: 0, at: messages[0].at, head: messages[0].prev };
    for (const message of messages) {
      const outcome = reduce(view, message);
      assert.equal(outcome.kind, "applied", `fact ${message.n}`);
      view = outcome.view;
      const fresh = views[message.n];
      if (fresh !== undefined) assert.deepEqual(withoutNulls(view), withoutNulls(fresh), `view ${message.n}`);
    }
  });
}

const { messages } = JSON.parse(readFileSync(new URL("public.json", WIRE), "utf8"));
const upTo = (n) =>
  messages.slice(0, n).reduce((view, message) => reduce(view, message).view, { n: 0, at: "", head: messages[0].prev });

test("a fact that was seen already changes nothing", () => {
  assert.deepEqual(reduce(upTo(3), messages[2]), { kind: "known" });
});

test("a fact that skips a number is a gap", () => {
  assert.deepEqual(reduce(upTo(3), messages[4]), { kind: "gap", reason: "number" });
});

test("a fact that follows another history is a gap", () => {
  const foreign = { ...messages[3], prev: "0".repeat(64) };
  assert.deepEqual(reduce(upTo(3), foreign), { kind: "gap", reason: "chain" });
});

test("a fact whose patch leads to another head is a gap", () => {
  const lying = { ...messages[3], patch: { ...messages[3].patch, head: "f".repeat(64) } };
  assert.deepEqual(reduce(upTo(3), lying), { kind: "gap", reason: "chain" });
});

// RFC 7396, appendix A
for (const [target, patch, expected] of [
  [{ a: "b" }, { a: "c" }, { a: "c" }],
  [{ a: "b" }, { b: "c" }, { a: "b", b: "c" }],
  [{ a: "b" }, { a: null }, {}],
  [{ a: "b", b: "c" }, { a: null }, { b: "c" }],
  [{ a: ["b"] }, { a: "c" }, { a: "c" }],
  [{ a: { b: "c" } }, { a: { b: "d", c: null } }, { a: { b: "d" } }],
  [{ a: [{ b: "c" }] }, { a: [1] }, { a: [1] }],
  [["a", "b"], ["c", "d"], ["c", "d"]],
  [{ a: "b" }, ["c"], ["c"]],
  [{ e: null }, { a: 1 }, { e: null, a: 1 }],
  [[1, 2], { a: "b", c: null }, { a: "b" }],
  [{}, { a: { bb: { ccc: null } } }, { a: { bb: {} } }],
]) {
  test(`merge ${JSON.stringify(target)} with ${JSON.stringify(patch)}`, () => {
    assert.deepEqual(merge(target, patch), expected);
  });
}

test("a member called __proto__ is only a member", () => {
  const merged = merge({}, JSON.parse('{"__proto__": {"polluted": true}}'));
  assert.ok(Object.hasOwn(merged, "__proto__"));
  assert.equal({}.polluted, undefined);
});

for (const { name, view, reading, screen: expected } of SCREENS.cases) {
  test(`screen of ${name}`, () => {
    assert.deepEqual(withoutNulls(screen(view, reading, SCREENS.said).screen), withoutNulls(expected));
  });
  test(`screen of ${name}, from patches alone`, () => {
    assert.deepEqual(withoutNulls(screen(withoutNulls(view), reading, SCREENS.said).screen), withoutNulls(expected));
  });
}

for (const { now, rows } of SCREENS.reading) {
  test(`rows begun at ${now}`, () => {
    assert.equal(rowsRead(DATA, Date.parse(now)), rows);
  });
}

for (const { path, as, zh, en } of SCREENS.shown) {
  test(`${path} as ${as}`, () => {
    assert.equal(shown(DATA, path, as, { language: "zh", words: SCREENS.words.zh }), zh);
    assert.equal(shown(DATA, path, as, { language: "en", words: SCREENS.words.en }), en);
  });
}

for (const { condition, held } of SCREENS.conditions) {
  test(`condition ${condition}`, () => assert.equal(holds(condition, DATA), held));
}

test("the quickest probe sets the clock, and half its round trip is the doubt", () => {
  const probes = [
    { sent: 0, answered: 400, server: 1_000_300 },
    { sent: 500, answered: 540, server: 1_000_520 },
    { sent: 600, answered: 800, server: 1_000_600 },
  ];
  assert.deepEqual(best(probes), { epoch: 1_000_000, uncertainty: 20 });
});

test("without an answer there is no reading", () => assert.equal(best([]), null));

for (const [left, text] of [
  [0, "00:00"],
  [1, "00:01"],
  [1_548_000, "25:48"],
  [3_600_000, "1:00:00"],
  [90_061_000, "1 d 01:01"],
  [-5_000, "00:00"],
]) {
  test(`${left} ms are shown as ${text}`, () => assert.equal(countdown(1_000_000 + left, 1_000_000), text));
}

test("waits grow to thirty seconds and are spread over their whole length", () => {
  assert.deepEqual([1, 2, 3, 4, 5, 6, 20].map((failures) => backOff(failures, 1)), [1000, 2000, 4000, 8000, 16000, 30000, 30000]);
  assert.equal(backOff(6, 0), 0);
});

test("a door that fails twice gives way to the next, and polling is the last", () => {
  assert.equal(nextDoor("ws", 1), "ws");
  assert.equal(nextDoor("ws", 2), "sse");
  assert.equal(nextDoor("sse", 2), "poll");
  assert.equal(nextDoor("poll", 9), "poll");
});

test("moments are shown in Beijing time", () => {
  assert.equal(moment(Date.parse("2026-11-22T16:30:00Z"), "moment", "en"), "2026-11-23 00:30:00");
});

test("a reader without a stream asks for the segments that hold what it lacks, and no others", () => {
  assert.deepEqual(segments(0, 49, 50), [0]);
  assert.deepEqual(segments(49, 50, 50), [0]);
  assert.deepEqual(segments(50, 50, 50), []);
  assert.deepEqual(segments(50, 51, 50), [1]);
  assert.deepEqual(segments(120, 260, 50), [2, 3, 4, 5]);
});
