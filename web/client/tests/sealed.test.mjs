// What openGroup refuses in a bid that a faulty or hostile program sealed: written by hand from the same keys.

import assert from "node:assert/strict";
import { test } from "node:test";

import { utf8 } from "../../static/js/bytes.js";
import { collect, seal, sealedLength } from "../../static/js/chunked.js";
import { sealBid } from "../../static/js/envelope.js";
import { contextOf, GroupKey, keyCommitment } from "../../static/js/keys.js";
import { checkSealed, openGroup, readSealed } from "../../static/js/sealed.js";
import { blobSink } from "../../static/js/sinks.js";
import * as der from "../../static/js/der.js";
import { anIdentity, aPair, edited, refusal, someBytes } from "./support.mjs";

const KEY = someBytes(32);
const BINDING = { suite: "INTL-1", tender: "T", lot: "1", bidder: "B", deadline: "2026-12-01T01:30:00Z", env: someBytes(16) };

/** A bid in one group with these plain texts, by part id. */
async function aBidOf(plain) {
  const context = await contextOf(BINDING, "A");
  const groupKey = await GroupKey.derive(KEY, context);
  const [parts, streams] = [[], []];
  let offset = 0;
  for (const [id, text] of Object.entries(plain)) {
    const content = new Blob([text]);
    const key = await groupKey.part(id, someBytes(24));
    const length = sealedLength(content.size);
    parts.push({ id, group: "A", media: "x/y", plainLength: content.size, offset, length, salt: key.salt, commitment: key.commitment });
    streams.push(await collect(seal(key, content)));
    offset += length;
  }
  const groups = [{ id: "A", kcb: await keyCommitment(KEY, context), kct: null, slots: [] }];
  return { file: new Blob(streams), partsAt: 0, header: { ...BINDING, signer: someBytes(32), groups, parts } };
}

test("parts are labelled by the sealed names, and by their id where there is none", async () => {
  const bid = await aBidOf({ quote: '{"total":"1"}', f1: "one", f2: "two", "names-A": '{"f1":"一.pdf"}' });
  const { quote, files } = await openGroup(bid, "A", KEY);
  assert.deepEqual(quote, { total: "1" });
  assert.deepEqual(files.map(({ id, name }) => [id, name]), [["f1", "一.pdf"], ["f2", "f2"]]);
  assert.deepEqual(await collect(files[1].content()), utf8("two"));
});

for (const names of ['{"f9":"a"}', '{"f1":""}', `{"f1":"${"x".repeat(256)}"}`, '{"f1":"../a"}', '{"f1":"a\\\\b"}', '{"f1":"a\\nb"}', '{"f1":1}', "[]", '{ "f1":"a"}']) {
  test(`names that read ${names.slice(0, 20)} are refused`, async () => {
    const bid = await aBidOf({ quote: "{}", f1: "one", "names-A": names });
    await assert.rejects(openGroup(bid, "A", KEY), refusal("malformed_names"));
  });
}

test("a quote that is no canonical object is refused", async () => {
  for (const quote of ["[]", "1", '{"b":1,"a":1}', '{"a": 1}', "{"]) {
    await assert.rejects(openGroup(await aBidOf({ quote }), "A", KEY), refusal("malformed_quote"));
  }
});

test("a part whose commitment in the header is not its key's is refused before it is opened", async () => {
  const bid = await aBidOf({ quote: "{}" });
  bid.header.parts[0].commitment = someBytes(32);
  await assert.rejects(openGroup(bid, "A", KEY), refusal("commitment_mismatch"));
});

test("another key, and an envelope that is not there, open nothing", async () => {
  const bid = await aBidOf({ quote: "{}" });
  await assert.rejects(openGroup(bid, "A", new Uint8Array(32)), refusal("commitment_mismatch"));
  await assert.rejects(openGroup(bid, "B", KEY), refusal("wrong_bid"));
});

test("a declaration that carries a certificate nothing names is refused", async () => {
  const identity = await anIdentity();
  const request = { tender: "T", lot: "1", deadline: BINDING.deadline, groups: ["A"], quote: { a: "1" }, files: [] };
  const { file } = await sealBid({ ...request, identity, sink: blobSink() });
  const sealed = await readSealed(file);
  await checkSealed(sealed);
  const { certificate } = await aPair("sign");
  const declaration = edited(sealed.declaration, [1, 0, 3], (set) => {
    const carried = der.children(der.read(set)).map(({ raw }) => raw);
    return der.retagged(der.setOf(...carried, certificate.der), 0xa0);
  });
  await assert.rejects(checkSealed({ ...sealed, declaration }), refusal("wrong_certificate"));
});
