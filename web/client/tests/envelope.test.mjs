import assert from "node:assert/strict";
import { test } from "node:test";

import { concat, fromHex, hex } from "../../static/js/bytes.js";
import { collect } from "../../static/js/chunked.js";
import { sealBid } from "../../static/js/envelope.js";
import { checkSealed, openGroup, openOwn, readSealed, unlockGroup } from "../../static/js/sealed.js";
import { blobSink } from "../../static/js/sinks.js";
import { anIdentity, flipped, refusal, someBytes } from "./support.mjs";

const QUOTE = { currency: "CNY", total: "1234567.89" };
const FILES = [
  { name: "投标函.pdf", content: new Blob([someBytes(40_000)], { type: "application/pdf" }), group: "A" },
  { name: "empty.txt", content: new Blob([]), group: "A" },
  { name: "prices 1.2.xlsx", content: new Blob([someBytes(16_384)]), group: "B" },
];

async function aSealedBid(changes = {}) {
  const identity = changes.identity ?? (await anIdentity());
  const request = {
    tender: "T-2026-01",
    lot: "1",
    deadline: "2026-12-01T01:30:00Z",
    groups: ["A", "B"],
    quote: QUOTE,
    files: FILES,
    sink: blobSink(),
    ...changes,
    identity,
  };
  return { identity, ...(await sealBid(request)) };
}

const bytesOf = async (blob) => new Uint8Array(await blob.arrayBuffer());

for (const [sign, encrypt] of [["P-256", "P-256"], ["RSA", "RSA"], ["P-384", "P-256"]]) {
  test(`a bid signed with ${sign} and sealed to ${encrypt} passes the intake's checks and opens`, async () => {
    const { identity, file, ...summary } = await aSealedBid({ identity: await anIdentity({ sign, encrypt }) });
    const sealed = await readSealed(file);
    const declaration = await checkSealed(sealed);
    assert.equal(hex(sealed.headerSha256), summary.headerSha256);
    assert.equal(hex(declaration.root), summary.root);
    assert.equal(file.size, summary.length);
    const a = await openOwn(sealed, "A", identity.encrypt);
    assert.equal(a.quote, null);
    assert.deepEqual(a.files.map(({ id, name, media, length }) => [id, name, media, length]), [
      ["f1", "投标函.pdf", "application/pdf", 40_000],
      ["f2", "empty.txt", "application/octet-stream", 0],
    ]);
    assert.deepEqual(await collect(a.files[0].content()), someBytes(40_000));
    const b = await openOwn(sealed, "B", identity.encrypt);
    assert.deepEqual(b.quote, QUOTE);
    assert.deepEqual(await collect(b.files[0].content()), someBytes(16_384));
  });
}

test("in one envelope the quote comes first, and a bid may be a quote alone", async () => {
  const { file } = await aSealedBid({ groups: ["A"], files: [] });
  const { header } = await readSealed(file);
  assert.deepEqual(header.parts.map(({ id }) => id), ["quote"]);
});

test("several segments have the root that is declared, and progress counts every byte", async () => {
  const big = { name: "big", content: new Blob([someBytes(9_000_000)]), group: "A" };
  const seen = [];
  const { file } = await aSealedBid({ groups: ["A"], files: [big], progress: (done, total) => seen.push([done, total]) });
  const sealed = await readSealed(file);
  assert.equal((await checkSealed(sealed)).segments, 3);
  assert.deepEqual(seen.at(-1), [sealed.declarationAt, sealed.declarationAt]);
});

test("file names and the quote are nowhere to be read in a sealed bid", async () => {
  const { file } = await aSealedBid();
  const text = Buffer.from(await bytesOf(file));
  for (const secret of ["投标函", "prices 1.2", "1234567.89"]) assert.equal(text.indexOf(secret), -1);
});

test("the two groups of a bid have keys that say nothing about each other", async () => {
  const { identity, file } = await aSealedBid();
  const sealed = await readSealed(file);
  const key = await unlockGroup(sealed.header, "A", identity.encrypt);
  await assert.rejects(openGroup(sealed, "B", key), refusal("commitment_mismatch"));
});

test("a stranger's key opens nothing", async () => {
  const { file } = await aSealedBid();
  const other = await anIdentity();
  await assert.rejects(openOwn(await readSealed(file), "A", other.encrypt), refusal("wrong_recipient"));
});

test("a changed byte is found wherever it is, without any key", async () => {
  const { file } = await aSealedBid();
  const whole = await bytesOf(file);
  const { partsAt, declarationAt } = await readSealed(file);
  const check = async (bytes) => checkSealed(await readSealed(new Blob([bytes])));
  for (const [at, code] of [
    [0, "not_a_sealed_bid"],
    [4, "unsupported_version"],
    [6, "not_a_sealed_bid"],
    [12, "malformed_header"],
    [partsAt, "commitment_mismatch"],
    [partsAt + 100, "wrong_segments"],
    [declarationAt - 1, "wrong_segments"],
    [declarationAt, "malformed_declaration"],
    [whole.length - 1, "wrong_sizes"],
  ]) {
    await assert.rejects(check(flipped(whole, at)), refusal(code));
  }
});

test("a file cut short or made longer is refused", async () => {
  const { file } = await aSealedBid();
  const whole = await bytesOf(file);
  await assert.rejects(readSealed(new Blob([whole.slice(0, 10)])), refusal("not_a_sealed_bid"));
  await assert.rejects(readSealed(new Blob([whole.slice(0, 200)])), refusal("wrong_sizes"));
  await assert.rejects(readSealed(new Blob([whole.slice(0, -1)])), refusal("wrong_sizes"));
  await assert.rejects(readSealed(new Blob([concat(whole, Uint8Array.of(0))])), refusal("wrong_sizes"));
});

test("another's declaration under one's bid is refused", async () => {
  const [one, two] = [await aSealedBid(), await aSealedBid()];
  const [mine, theirs] = [await readSealed(one.file), await readSealed(two.file)];
  await assert.rejects(checkSealed({ ...mine, declaration: theirs.declaration }), refusal("wrong_certificate"));
  const again = await readSealed((await aSealedBid({ identity: one.identity })).file);
  await assert.rejects(checkSealed({ ...mine, declaration: again.declaration }), refusal("wrong_header"));
});

for (const [changes, code, why] of [
  [{ files: [{ ...FILES[0], name: "a/b.pdf" }] }, "malformed_names", "a file name with a slash"],
  [{ files: [{ ...FILES[0], name: "" }] }, "malformed_names", "a file without a name"],
  [{ groups: ["A"], files: [FILES[2]] }, "malformed_header", "a file in an envelope that is not there"],
  [{ files: [FILES[2]] }, "malformed_header", "an empty technical envelope"],
  [{ deadline: "2026-12-01" }, "malformed_header", "a deadline without its time"],
  [{ tender: "" }, "malformed_header", "no tender"],
  [{ quote: { total: "1".repeat(70_000) } }, "too_large", "a quote over 64 KiB"],
  [{ quote: { total: 1.5 } }, "malformed_json", "an amount as a fraction"],
]) {
  test(`${why} is refused before anything is sealed`, async () => {
    const written = [];
    const sink = { write: async (bytes) => written.push(bytes), close: async () => new Blob([]) };
    await assert.rejects(aSealedBid({ ...changes, sink }), refusal(code));
    assert.equal(written.length, 0);
  });
}

test("sealing twice gives nothing in common", async () => {
  const identity = await anIdentity();
  const [one, two] = [await aSealedBid({ identity }), await aSealedBid({ identity })];
  const [a, b] = [(await readSealed(one.file)).header, (await readSealed(two.file)).header];
  assert.notDeepEqual(a.env, b.env);
  for (const [i, part] of a.parts.entries()) assert.notDeepEqual(part.salt, b.parts[i].salt);
});
