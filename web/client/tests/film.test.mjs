// The recording on the clock of the log.

import assert from "node:assert/strict";
import { test } from "node:test";

import { momentOf, placeOf, secondIn } from "../../static/js/film.js";

const ZERO = Date.parse("2026-11-21T01:00:00.000Z");
const FILM = {
  zero: "2026-11-21T01:00:00.000Z",
  parts: [
    { url: "1", utc: "2026-11-21T01:00:00.000Z", from: 0, until: 60_000 },
    { url: "2", utc: "2026-11-21T01:01:10.000Z", from: 500, until: 30_000 },
  ],
};

test("a moment is found in the file that shows it", () => {
  assert.deepEqual(placeOf(FILM, ZERO + 12_000), { part: 0, second: 12 });
  assert.deepEqual(placeOf(FILM, ZERO + 80_000), { part: 1, second: 10 });
});

test("a moment in a gap, or before the first picture, is shown by the next picture there is", () => {
  assert.deepEqual(placeOf(FILM, ZERO + 65_000), { part: 1, second: 0.5 });
  assert.deepEqual(placeOf(FILM, ZERO - 9_000), { part: 0, second: 0 });
});

test("what comes after the film is shown by its end", () => {
  assert.deepEqual(placeOf(FILM, ZERO + 900_000), { part: 1, second: 30 });
});

test("a second of a file has its moment, and back", () => {
  for (const at of [ZERO, ZERO + 59_999, ZERO + 71_000]) assert.equal(momentOf(FILM, placeOf(FILM, at)), at);
});

test("only a number of seconds in the address is a link to one", () => {
  assert.equal(secondIn("#t=83"), 83);
  assert.equal(secondIn("#t=83.5"), 83.5);
  for (const other of ["", "#e12", "#t=", "#t=-1", "#t=1e9", "#t=12345678", "#t=8 "]) assert.equal(secondIn(other), null);
});
