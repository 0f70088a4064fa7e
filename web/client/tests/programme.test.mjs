// The ladder to the programme, how playback keeps close, and playlists as the hall writes them.

import assert from "node:assert/strict";
import { test } from "node:test";

import { after, begins, LADDERS, ladder, pace, playlist, rest } from "../../static/js/media/ladder.js";

test("the ladder begins with the best, and on the next visit with what worked", () => {
  assert.deepEqual(ladder("full", LADDERS.full, null), ["whep-udp", "whep-tcp", "ws", "hls"]);
  assert.deepEqual(ladder("full", LADDERS.full, "ws"), ["ws", "hls", "whep-udp", "whep-tcp"]);
  assert.deepEqual(ladder("full", ["ws", "hls"], "whep-udp"), ["ws", "hls"]);
  assert.deepEqual(ladder("full", ["hls"], "nonsense"), ["hls"]);
});

test("what is less comes by every way that carries it, and everything where none does", () => {
  assert.deepEqual(ladder("sound", LADDERS.full, null), ["ws", "whep-udp", "whep-tcp", "hls"]);
  assert.deepEqual(ladder("sound", LADDERS.full, "whep-tcp"), ["whep-tcp", "hls", "ws", "whep-udp"]);
  assert.deepEqual(ladder("low", LADDERS.full, "whep-udp"), ["ws", "hls"]);
  assert.deepEqual(ladder("low", ["whep-udp", "whep-tcp", "hls"], null), ["hls"]);
  assert.deepEqual(ladder("low", ["whep-udp", "whep-tcp"], null), ["whep-udp", "whep-tcp"]);
});

test("after a break the others come first, and what ends at the same place last", () => {
  assert.deepEqual(after(LADDERS.full, "whep-udp"), ["ws", "hls", "whep-udp", "whep-tcp"]);
  assert.deepEqual(after(["ws", "hls", "whep-udp", "whep-tcp"], "ws"), ["hls", "whep-udp", "whep-tcp", "ws"]);
  assert.deepEqual(after(["ws"], "ws"), ["ws"]);
});

test("it begins with what the link asks for, else what was chosen, else little for who saves data", () => {
  assert.equal(begins("", null, false), "full");
  assert.equal(begins("", null, true), "low");
  assert.equal(begins("?lang=en&lite=1", "full", false), "sound");
  assert.equal(begins("?lite=0", "sound", true), "full");
  assert.equal(begins("?lite=yes", "sound", true), "sound");
  assert.equal(begins("", "full", true), "full");
  assert.equal(begins("", "nonsense", false), "full");
});

test("a crowd does not come back as one, and nobody waits long", () => {
  assert.ok(rest(1, 0) >= 500);
  assert.ok(rest(1, 1) <= 1000);
  assert.ok(rest(99, 1) <= 8000);
  assert.notEqual(rest(3, 0.1), rest(3, 0.9));
});

test("playback goes to where the pictures are, once", () => {
  const first = pace(0, 3600, 3600.4);
  assert.ok(first.jump >= 3600 && first.jump < 3600.4);
  assert.equal(pace(first.jump, 3600, 3600.4).jump, null);
});

test("a little behind is caught up with by and by, far behind at once", () => {
  assert.deepEqual(pace(10, 0, 10.3), { rate: 1, jump: null });
  assert.deepEqual(pace(10, 0, 10.5), { rate: 1.1, jump: null });
  assert.deepEqual(pace(10, 0, 10.9), { rate: 1.25, jump: null });
  assert.ok(pace(10, 0, 13).jump > 12.5);
});

test("a playlist says what to load", () => {
  const text = [
    "#EXTM3U",
    "#EXT-X-MEDIA-SEQUENCE:41",
    '#EXT-X-MAP:URI="init7.mp4"',
    "#EXT-X-PROGRAM-DATE-TIME:2026-11-22T01:30:00.000Z",
    "#EXTINF:2.000,",
    "s7-0.m4s",
    "#EXT-X-PROGRAM-DATE-TIME:2026-11-22T01:30:02.000Z",
    "#EXTINF:2.100,",
    "s7-1.m4s",
    "",
  ].join("\n");
  const list = playlist(text);
  assert.equal(list.head, "init7.mp4");
  assert.deepEqual(
    list.segments.map(({ number, name }) => [number, name]),
    [
      [41, "s7-0.m4s"],
      [42, "s7-1.m4s"],
    ],
  );
  assert.equal(list.segments[1].at - list.segments[0].at, 2000);
  assert.equal(list.over, false);
  assert.equal(playlist(`${text}#EXT-X-ENDLIST\n`).over, true);
  assert.throws(() => playlist("<html>"));
  assert.throws(() => playlist("#EXTM3U\n"));
});
