// Signs of life over a hall that is busy, gone for a moment, or says no: what a bidder can show later must get there.
import assert from "node:assert/strict";
import { beforeEach, test } from "node:test";

import { Heartbeat } from "../../static/js/heartbeat.js";
import { readStatement } from "../../static/js/jws.js";
import { anIdentity } from "./support.mjs";

const identity = await anIdentity();

/** A hall that acknowledges what it hears, unless it has something else to say this time. */
class Hall {
  heard = [];
  asked = 0;
  next = 1;
  says = [];
  async fetch(_, { method, body }) {
    if (method === "GET") {
      this.asked++;
      return Response.json({ nonce: "ab".repeat(32), cadence_ms: 10, next: this.next });
    }
    const { beats } = JSON.parse(body);
    this.heard.push(beats.map((beat) => readStatement(beat).payload.n));
    const said = this.says.shift();
    if (said === "gone") throw new TypeError("the connection broke");
    if (said !== undefined) return Response.json({ code: "no" }, { status: said });
    this.next += beats.length;
    return Response.json({ acks: beats.map((beat) => `heard ${readStatement(beat).payload.n}`) });
  }
}

let hall, heart, kept, now;

beforeEach(() => {
  hall = new Hall();
  globalThis.fetch = hall.fetch.bind(hall);
  kept = new Map();
  now = 0;
  const shelf = { getItem: (name) => kept.get(name) ?? null, setItem: (name, text) => void kept.set(name, text) };
  const state = () => ({ on: true, identity, key: "ready", seen: 3, now: Date.parse("2026-11-21T01:00:00Z") });
  heart = new Heartbeat("/s", "s-1", "9133", state, shelf);
});

const beat = () => heart.round((now += 6_000));

test("each sign of life has the next number, and its acknowledgement is kept on this device", async () => {
  await beat();
  await beat();
  assert.deepEqual(hall.heard, [[1], [2]]);
  assert.deepEqual(heart.acknowledgements(), ["heard 1", "heard 2"]);
});

for (const said of [503, 429, "gone"]) {
  test(`what a hall did not take (${said}) is brought again with the next one`, async () => {
    hall.says = [said];
    await beat();
    await beat();
    assert.deepEqual(hall.heard, [[1], [1, 2]]);
    assert.deepEqual(heart.acknowledgements(), ["heard 1", "heard 2"]);
  });
}

test("a hall that says no is asked anew", async () => {
  hall.says = [409];
  await beat();
  hall.next = 5; // another device of this bidder was faster
  await beat();
  assert.deepEqual([hall.heard, hall.asked], [[[1], [5]], 2]);
});
