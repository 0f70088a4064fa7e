// The second verifier on one bundle with single bits flipped; tests/support/flips.py says which and counts beside it.
// JSON on stdin: {path, session, every, small, places, whole}; on stdout for each kind of work how many flips it named, and which not.

import { readFileSync } from "node:fs";
import { crc32 } from "node:zlib";

import { audit } from "../../static/js/audit/audit.js";
import { isListed, isOver, MANIFEST, SIGNATURE } from "../../static/js/audit/bundled.js";
import { readChain } from "../../static/js/audit/log.js";
import { digestHex } from "../../static/js/sha256.js";
import { unpack } from "../../static/js/audit/zipped.js";
import { readHallKey, verifyByHall } from "../../static/js/jws.js";

const { path, session, every, small, places, whole } = JSON.parse(readFileSync(0, "utf8"));
const bundle = new Uint8Array(readFileSync(path));
const files = unpack(bundle);
const json = (name) => JSON.parse(new TextDecoder().decode(files.get(name)));

/** Call `check` with `data` flipped at every byte, or every n-th of a large one; it has to fail each time. */
async function everywhere(name, data, check, tally) {
  const step = data.length > small ? every : 1;
  for (let at = 0; at < data.length; at += step) {
    const bit = (at / step) % 8;
    data[at] ^= 1 << bit;
    await expect(() => check(data), [name, at, bit], tally);
    data[at] ^= 1 << bit;
  }
}

async function expect(run, what, tally) {
  tally.flips++;
  try {
    await run();
  } catch {
    return;
  }
  tally.missed.push(what);
}

const none = () => ({ flips: 0, missed: [] });

async function digests() {
  const tally = none();
  const listed = json(MANIFEST).files;
  const key = await readHallKey(json("hall-key.json"));
  const token = new TextDecoder().decode(files.get(SIGNATURE));
  const payload = await verifyByHall(token, "manifest", key);
  for (const [name, file] of files) {
    const check =
      name === MANIFEST
        ? (bytes) => isOver(payload, { session, bytes })
        : name === SIGNATURE
          ? async (bytes) => isOver(await verifyByHall(new TextDecoder("utf-8", { fatal: true }).decode(bytes), "manifest", key), { session, bytes: files.get(MANIFEST) })
          : (bytes) => isListed(name, bytes, listed[name]);
    await everywhere(name, file.slice(), check, tally);
  }
  return tally;
}

/** Every byte of every event, with the next event behind it: the chain has to break there. */
async function chains() {
  const tally = none();
  for (const stream of ["opening", "intake"]) {
    const name = `events/${stream}.jsonl`;
    const lines = new TextDecoder().decode(files.get(name)).split("\n").slice(0, -1);
    let [start, after] = [0, { n: 0, digest: "0".repeat(64) }];
    for (const [i, line] of lines.entries()) {
      const length = new TextEncoder().encode(line).length + 1;
      const behind = lines[i + 1] === undefined ? "" : `${lines[i + 1]}\n`;
      const window = new TextEncoder().encode(`${line}\n${behind}`);
      const step = behind === "" ? 1 : every;
      const before = after;
      for (let at = (step - (start % step)) % step; at < length; at += step) {
        const bit = ((start + at) / step) % 8;
        window[at] ^= 1 << bit;
        await expect(() => readChain(window, session, stream, before), [name, start + at, bit], tally);
        window[at] ^= 1 << bit;
      }
      [start, after] = [start + length, { n: i + 1, digest: digestHex(line) }];
    }
  }
  return tally;
}

async function container() {
  const tally = none();
  for (const at of places) {
    bundle[at] ^= 1 << at % 8;
    await expect(() => unpack(bundle), [null, at, at % 8], tally);
    bundle[at] ^= 1 << at % 8;
  }
  return tally;
}

/** Where each member and its two checksums lie (APPNOTE 4.3.7, 4.3.12): a stranger mends those too. */
function layout() {
  const view = new DataView(bundle.buffer);
  const found = new Map();
  let at = view.getUint32(bundle.length - 6, true);
  while (view.getUint32(at, true) === 0x02014b50) {
    const [name, local] = [view.getUint16(at + 28, true), view.getUint32(at + 42, true)];
    const start = local + 30 + name;
    const member = new TextDecoder().decode(bundle.subarray(at + 46, at + 46 + name));
    found.set(member, { start, end: start + view.getUint32(at + 24, true), sums: [local + 14, at + 16] });
    at += 46 + name;
  }
  return found;
}

async function entire() {
  const tally = { ...none(), by: {} };
  const members = layout();
  for (const [name, at, bit] of whole) {
    const { start, end, sums } = members.get(name);
    const changed = bundle.slice();
    changed[start + at] ^= 1 << bit;
    const sum = crc32(changed.subarray(start, end));
    for (const place of sums) new DataView(changed.buffer).setUint32(place, sum, true);
    const bad = (await audit(changed)).checks.find(({ outcome }) => outcome === "failed");
    tally.flips++;
    if (bad === undefined) tally.missed.push([name, at, bit]);
    else tally.by[bad.id] = (tally.by[bad.id] ?? 0) + 1;
  }
  return tally;
}

const report = {};
for (const [kind, work] of Object.entries({ digests, chains, container, entire })) {
  const begun = performance.now();
  report[kind] = { ...(await work()), seconds: (performance.now() - begun) / 1000 };
}
process.stdout.write(JSON.stringify(report));
