// Sending a bid over a line that breaks: the hall's count of bytes is the truth, and only a refusal ends it.
import assert from "node:assert/strict";
import { beforeEach, test } from "node:test";

import { Declined } from "../../static/js/api.js";
import { upload } from "../../static/js/tus.js";

const PLACE = "/uploads/1";
const FILE = new Blob(["0123456789"]);

/** A hall that takes bytes where it ends and nowhere else; `weather` may break what a request does. */
class Line {
  held = "";
  asked = [];
  constructor(weather = {}) {
    this.weather = weather;
  }
  async fetch(url, { method, headers, body }) {
    this.asked.push(method);
    if (method === "POST") return new Response(null, { status: 201, headers: { Location: PLACE } });
    assert.equal(url, PLACE);
    if (method === "HEAD") {
      const headers = { "Upload-Offset": String(this.held.length) };
      this.weather.afterHead?.(this);
      return new Response(null, { headers });
    }
    const piece = await body.text();
    this.weather.onPatch?.(this, piece);
    if (Number(headers["Upload-Offset"]) !== this.held.length) return problem("wrong_offset");
    this.held += piece;
    return Response.json({ accepted: true, receipt: "a.b.c" });
  }
}

function problem(code) {
  return Response.json({ code, title: { zh: "否", en: "no" }, next_step: { zh: "无", en: "none" } }, { status: 409 });
}

function once(act) {
  let done = false;
  return (...given) => (done ? undefined : ((done = true), act(...given)));
}

async function send(line) {
  globalThis.fetch = line.fetch.bind(line);
  return upload("", FILE, () => {});
}

beforeEach(() => {
  Math.random = () => 0; // no waiting between tries
});

test("bytes of a broken request that come in after the hall was asked are not sent twice", async () => {
  const line = new Line({
    onPatch: once((line, piece) => {
      line.held = piece.slice(0, 3);
      throw new TypeError("the connection broke");
    }),
    afterHead: once((line) => (line.held = "01234")),
  });
  assert.equal((await send(line))["accepted"], true);
  assert.equal(line.held, "0123456789");
  assert.deepEqual(line.asked, ["POST", "PATCH", "HEAD", "PATCH", "HEAD", "PATCH"]);
});

test("a hall that never agrees about the place is given up", async () => {
  const line = new Line();
  line.held = "01234";
  line.weather.afterHead = (line) => (line.held = line.held === "01234" ? "012345" : "01234");
  await assert.rejects(send(line), (error) => error instanceof Declined && error.code === "wrong_offset");
  assert.equal(line.asked.filter((method) => method === "PATCH").length, 31);
});

test("a refusal is final at once", async () => {
  const line = new Line();
  const { fetch } = line;
  line.fetch = (url, request) => (request.method === "PATCH" ? (line.asked.push("PATCH"), problem("late")) : fetch.call(line, url, request));
  await assert.rejects(send(line), (error) => error instanceof Declined && error.code === "late");
  assert.deepEqual(line.asked, ["POST", "PATCH"]);
});
