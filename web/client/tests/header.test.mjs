import assert from "node:assert/strict";
import { test } from "node:test";

import { utf8 } from "../../static/js/bytes.js";
import { canonical } from "../../static/js/canonical.js";
import { sealedLength } from "../../static/js/chunked.js";
import { bodyLength, readHeader } from "../../static/js/header.js";
import { refusal } from "./support.mjs";

const JSON_MEDIA = "application/json";

/** A header with these parts, given as [id, group, plain length, media]. */
function aHeader({ parts = [["quote", "A", 100, JSON_MEDIA]], groups = ["A"], ...changes } = {}) {
  let off = 0;
  const entries = parts.map(([id, group, plain_len, media = "application/pdf"]) => {
    const len = sealedLength(plain_len);
    off += len;
    return { id, group, media, plain_len, off: off - len, len, salt: "00".repeat(24), kc: "00".repeat(32) };
  });
  const slot = { role: "bidder", fmt: "cms", cert: "00".repeat(32), data: "AAAA" };
  return {
    v: 1,
    suite: "INTL-1",
    env: "00".repeat(16),
    tender: "T",
    lot: "1",
    bidder: "B",
    deadline: "2026-12-01T01:30:00Z",
    sig_cert: "00".repeat(32),
    groups: groups.map((id) => ({ id, kcb: "00".repeat(32), kct: null, slots: [slot] })),
    parts: entries,
    ...changes,
  };
}

const read = (header) => readHeader(canonical(header));

/** `count` slots of one role, each a share for another certificate. */
const holders = (role, count) =>
  Array.from({ length: count }, (_, i) => ({
    role,
    fmt: "cms",
    cert: (i + 1).toString(16).padStart(64, "0"),
    data: "AA",
    i: i + 1,
    t: 2,
    n: count,
    kcs: "00".repeat(32),
  }));

test("a header with the most holders there may be is read, slot by slot", () => {
  const header = aHeader();
  header.groups[0].kct = "00".repeat(32);
  header.groups[0].slots.push(...holders("tenderer", 16), ...holders("escrow", 16));
  const [{ kct, slots }] = read(header).groups;
  assert.equal(kct.length, 32);
  assert.deepEqual(slots.map(({ role }) => role), ["bidder", ...Array(16).fill("tenderer"), ...Array(16).fill("escrow")]);
  assert.deepEqual([slots[0].place, slots[32].place.where, slots[32].place.index], [null, "slot/escrow", 16]);
});

for (const [why, header] of [
  ["a quote alone", {}],
  ["two envelopes", { groups: ["A", "B"], parts: [["f1", "A", 5], ["names-A", "A", 9, JSON_MEDIA], ["quote", "B", 2, JSON_MEDIA], ["f2", "B", 16384], ["names-B", "B", 9, JSON_MEDIA]] }],
  ["two hundred parts", { parts: [["quote", "A", 2, JSON_MEDIA], ...[...Array(199).keys()].map((i) => [`f${i}`, "A", i])] }],
  ["members that are not critical", { "x-note": { any: ["thing"] } }],
]) {
  test(`a header with ${why} is read`, () => {
    const value = aHeader(header);
    const found = read(value);
    assert.equal(bodyLength(found), value.parts.reduce((sum, { len }) => sum + len, 0));
  });
}

test("a header that is not canonical is read all the same, because its bytes are what is hashed", () => {
  assert.equal(readHeader(utf8(JSON.stringify(aHeader(), null, 2))).tender, "T");
});

for (const [why, code, header] of [
  ["more than 1 MiB", "too_large", { "x-note": "x".repeat(1_048_576) }],
  ["no parts", "malformed_header", { parts: [] }],
  ["201 parts", "malformed_header", { parts: [["quote", "A", 2, JSON_MEDIA], ...[...Array(200).keys()].map((i) => [`f${i}`, "A", i])] }],
  ["a part twice", "malformed_header", { parts: [["quote", "A", 2, JSON_MEDIA], ["f1", "A", 1], ["f1", "A", 1]] }],
  ["groups in another order", "malformed_header", { groups: ["B", "A"] }],
  ["a group without parts", "malformed_header", { groups: ["A", "B"], parts: [["quote", "B", 2, JSON_MEDIA]] }],
  ["a part of a group that is not there", "malformed_header", { parts: [["quote", "A", 2, JSON_MEDIA], ["f1", "B", 1]] }],
  ["parts of A after parts of B", "malformed_header", { groups: ["A", "B"], parts: [["f1", "A", 1], ["quote", "B", 2, JSON_MEDIA], ["f2", "A", 1]] }],
  ["the quote in the first of two groups", "malformed_header", { groups: ["A", "B"], parts: [["quote", "A", 2, JSON_MEDIA], ["f1", "B", 1]] }],
  ["the quote after a file", "malformed_header", { parts: [["f1", "A", 1], ["quote", "A", 2, JSON_MEDIA]] }],
  ["a quote of one byte", "malformed_header", { parts: [["quote", "A", 1, JSON_MEDIA]] }],
  ["a quote over 64 KiB", "malformed_header", { parts: [["quote", "A", 65_537, JSON_MEDIA]] }],
  ["a quote of another media type", "malformed_header", { parts: [["quote", "A", 2]] }],
  ["names before a file", "malformed_header", { parts: [["quote", "A", 2, JSON_MEDIA], ["names-A", "A", 2, JSON_MEDIA], ["f1", "A", 1]] }],
  ["names of another group", "malformed_header", { parts: [["quote", "A", 2, JSON_MEDIA], ["names-B", "A", 2, JSON_MEDIA]] }],
  ["names of another media type", "malformed_header", { parts: [["quote", "A", 2, JSON_MEDIA], ["names-A", "A", 2]] }],
  ["a media type with parameters", "malformed_header", { parts: [["quote", "A", 2, JSON_MEDIA], ["f1", "A", 1, "text/plain; charset=utf-8"]] }],
  ["no v", "malformed_header", { v: undefined }],
  ["v of 2", "malformed_header", { v: 2 }],
  ["a critical member that is not known", "malformed_header", { note: "" }],
  ["another suite", "unsupported_suite", { suite: "SM-1" }],
]) {
  test(`a header with ${why} is refused`, () => {
    const value = JSON.parse(JSON.stringify(aHeader(header)));
    assert.throws(() => read(value), refusal(code));
  });
}

for (const change of [{ off: 1 }, { len: 1 }, { plain_len: 3 }]) {
  test(`a part with its ${Object.keys(change)[0]} off is refused`, () => {
    const header = aHeader();
    Object.assign(header.parts[0], change);
    assert.throws(() => read(header), refusal("wrong_sizes"));
  });
}

for (const [why, change] of [
  ["a tenderer's key and no slot of the tenderer", (group) => (group.kct = "00".repeat(32))],
  ["no slots", (group) => (group.slots = [])],
  ["nine slots", (group) => (group.slots = Array(9).fill(group.slots[0]))],
  ["an escrow slot without a share", (group) => group.slots.push({ ...group.slots[0], role: "escrow" })],
  ["seventeen trustees", (group) => group.slots.push(...holders("escrow", 17))],
  ["a slot in another format", (group) => (group.slots[0].fmt = "hpke")],
  ["a slot over 8 KiB", (group) => (group.slots[0].data = "A".repeat(10_924))],
  ["a short commitment", (group) => (group.kcb = "00")],
]) {
  test(`a group with ${why} is refused`, () => {
    const header = aHeader();
    change(header.groups[0]);
    assert.throws(() => read(header), refusal("malformed_header"));
  });
}
