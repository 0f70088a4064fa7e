import assert from "node:assert/strict";
import { test } from "node:test";

import { fromHex, hex } from "../../static/js/bytes.js";
import * as der from "../../static/js/der.js";
import { refusal, someBytes } from "./support.mjs";

const malformed = refusal("malformed_field");

test("what is written is read back", () => {
  for (const n of [0, 1, 127, 128, 255, 256, 65_537, 2 ** 40]) {
    assert.equal(der.smallInteger(der.read(der.integer(n))), n);
  }
  for (const dotted of ["2.5.4.97", "1.2.840.113549.1.9.16.1.23", "1.2.156.10197.1.301", "2.999.1"]) {
    assert.equal(der.oid(der.read(der.objectId(dotted))), dotted);
  }
  for (const length of [0, 127, 128, 255, 256, 65_536]) {
    assert.deepEqual(der.octets(der.read(der.octetString(someBytes(length)))), someBytes(length));
  }
  for (const when of ["1999-12-31T23:59:59.000Z", "2049-12-31T23:59:59.000Z", "2050-01-01T00:00:00.000Z"]) {
    assert.equal(der.time(der.read(der.timeOf(new Date(when)))).toISOString(), when);
  }
});

test("a set is sorted when it is written", () => {
  assert.equal(hex(der.setOf(fromHex("020102"), fromHex("0101ff"), fromHex("020101"))), "31090101ff020101020102");
});

for (const [bytes, why] of [
  ["04810100", "a length in two bytes where one does"],
  ["0482000100", "a length with a leading zero"],
  ["30800000", "an indefinite length"],
  ["040200", "content cut short"],
  ["0400ff", "something after the end"],
  ["1f8101", "a tag of several bytes"],
  ["04", "no length"],
  ["", "nothing"],
  ["010101", "a truth that is neither"],
  ["0200", "a number of no bytes"],
  ["02020001", "a number with a leading zero"],
  ["0202ff80", "a negative number with a leading one"],
  ["030101", "unused bits of nothing"],
  ["03020803", "more unused bits than a byte has"],
  ["03020103", "an unused bit that is set"],
  ["050100", "a null with something inside"],
  ["06022a80", "an object identifier cut short"],
  ["06038001aa", "an object identifier with a leading zero"],
]) {
  test(`DER refuses ${why}`, () => {
    assert.throws(() => der.read(fromHex(bytes)), malformed);
  });
}

for (const when of ["261301000000Z", "260230000000Z", "260101240000Z", "260101006000Z"]) {
  test(`there is no moment ${when}`, () => {
    assert.throws(() => der.time(der.read(der.write(der.TAG.utcTime, new TextEncoder().encode(when)))), malformed);
  });
}

test("BER in pieces and of indefinite length is read where it is allowed", () => {
  const pieces = fromHex("2480040201020401030000");
  assert.deepEqual(der.octets(der.read(pieces, "ber")), Uint8Array.of(1, 2, 3));
});

test("nesting beyond the limit is refused in either rules, and costs little", () => {
  let nested = fromHex("0500");
  for (let i = 0; i < 40; i++) nested = der.sequence(nested);
  const dig = (element) => (element.tag === 0x30 ? dig(der.children(element)[0]) : element);
  assert.throws(() => dig(der.read(nested)), malformed);
  assert.throws(() => der.read(fromHex("3080".repeat(5000)), "ber"), malformed);
});
