// On air: levels, devices, lines, and the rounds of a sender: by stand-ins, without a browser.

import assert from "node:assert/strict";
import { test } from "node:test";

import { Declined, Unreachable } from "../../static/js/api.js";
import { trouble } from "../../static/js/media/devices.js";
import { heard, loudness } from "../../static/js/media/level.js";
import { overall, quality, underway } from "../../static/js/media/line.js";
import { passing, pause, Sender } from "../../static/js/media/sender.js";
import { counted, kept, NoWay } from "../../static/js/media/whip.js";

const tone = (amplitude) => Float32Array.from({ length: 2048 }, (_, at) => amplitude * Math.sin((2 * Math.PI * at) / 64));

test("silence is nothing, full scale is everything, and half as loud is a tenth less", () => {
  assert.equal(loudness(new Float32Array(2048)), 0);
  assert.equal(loudness(new Float32Array(0)), 0);
  assert.equal(loudness(Float32Array.from({ length: 64 }, () => 1)), 1);
  assert.ok(Math.abs(loudness(tone(0.5)) - loudness(tone(0.25)) - 0.1) < 0.005);
});

test("what is said of a microphone goes by the loudest of the last seconds", () => {
  assert.equal(heard([]), "silent");
  assert.equal(heard([0, 0.05, 0.1]), "silent");
  assert.equal(heard([0, 0.3, 0]), "low");
  assert.equal(heard([0, 0.7, 0]), "good");
  assert.equal(heard([0.5, 1]), "loud");
});

test("each way a browser says no has its own words", () => {
  const named = (name) => trouble(Object.assign(new Error(name), { name }));
  assert.equal(named("NotAllowedError"), "refused");
  assert.equal(named("NotFoundError"), "none");
  assert.equal(named("NotReadableError"), "busy");
  assert.equal(named("OverconstrainedError"), "gone");
  assert.equal(trouble(new TypeError("undefined is not a function")), "unsupported");
});

const LINE = { way: "udp", rtt: 40, kbit: 900, lost: 0, narrow: false };

test("a line is as good as its worst property", () => {
  assert.equal(quality(LINE), "good");
  assert.equal(quality({ ...LINE, rtt: 500 }), "fair");
  assert.equal(quality({ ...LINE, lost: 0.05 }), "fair");
  assert.equal(quality({ ...LINE, kbit: 300 }), "fair");
  assert.equal(quality({ ...LINE, rtt: 2000 }), "poor");
  assert.equal(quality({ ...LINE, lost: 0.2 }), "poor");
  assert.equal(quality({ ...LINE, kbit: 90 }), "poor");
  assert.equal(quality(null), "none");
});

test("in use a line is judged by what it carries only when it carries no more", () => {
  assert.equal(underway({ ...LINE, kbit: 60 }), "good");
  assert.equal(underway({ ...LINE, kbit: 60, narrow: true }), "poor");
  assert.equal(underway({ ...LINE, kbit: 60, lost: 0.2 }), "poor");
});

test("what counts is the transport that will be used", () => {
  assert.equal(overall({ udp: LINE, tcp: null, relay: null }), "good");
  assert.equal(overall({ udp: null, tcp: { ...LINE, kbit: 300 }, relay: null }), "fair");
  assert.equal(overall({ udp: null, tcp: null, relay: LINE }), "good");
  assert.equal(overall({ udp: null, tcp: null, relay: null }), "none");
});

test("an answer keeps the candidates of one transport, and everything else", () => {
  const answer = ["v=0", "a=candidate:1 1 udp 9 192.0.2.1 8189 typ host", "a=candidate:2 1 tcp 8 192.0.2.1 8189 typ host", "a=x", ""];
  assert.equal(kept(answer.join("\r\n"), "tcp"), [answer[0], answer[2], answer[3], ""].join("\r\n"));
  assert.equal(kept(answer.join("\r\n"), undefined), answer.join("\r\n"));
});

test("the statistics of the pair in use are read, and those of both streams are added", () => {
  const stats = new Map(
    [
      { id: "a", type: "candidate-pair", nominated: true, bytesSent: 9, bytesReceived: 77, currentRoundTripTime: 0.04, localCandidateId: "l" },
      { id: "b", type: "candidate-pair", nominated: true, bytesSent: 1, bytesReceived: 1, localCandidateId: "m" },
      { id: "l", type: "local-candidate", protocol: "tcp" },
      { id: "v", type: "outbound-rtp", packetsSent: 90, bytesSent: 9000, qualityLimitationReason: "bandwidth" },
      { id: "s", type: "outbound-rtp", packetsSent: 10, bytesSent: 1000 },
      { id: "r", type: "remote-inbound-rtp", packetsLost: 3 },
    ].map((each) => [each.id, each]),
  );
  assert.deepEqual(counted(stats), { way: "tcp", rtt: 40, sent: 100, bytes: 10000, lost: 3, received: 77, narrow: true });
  const relayed = new Map([...stats, ["l", { id: "l", type: "local-candidate", protocol: "udp", relayProtocol: "tcp" }]]);
  assert.equal(counted(relayed).way, "tcp");
  assert.equal(counted(new Map()).way, null);
});

/** A hall that grants and connects as told, one entry a round; what happened is written down. */
function aHall(...rounds) {
  const written = [];
  let round = -1;
  let over;
  const hall = {
    written,
    end: (how) => over(how),
    states: () => written.filter((line) => !/^(grant|send|rest|close)/.test(line)),
    door: {
      grant: async () => {
        const { grant } = rounds[Math.min(++round, rounds.length - 1)];
        written.push("grant");
        if (grant instanceof Error) throw grant;
        return { token: `t${round}`, url: "/media/s/whip", ...grant };
      },
      send: ({ token }, tracks) => {
        const { up } = rounds[Math.min(round, rounds.length - 1)];
        written.push(`send ${token} ${tracks.video ?? "-"}`);
        return {
          up: up instanceof Error ? Promise.reject(up) : Promise.resolve(),
          over: new Promise((done) => (over = done)),
          change: async (now) => written.push(`change ${now.video}`),
          close: async () => {
            written.push("close");
            over?.("goodbye");
          },
        };
      },
      rest: async (milliseconds) => void written.push(`rest ${milliseconds}`),
    },
  };
  hall.sender = new Sender(hall.door, (state) => written.push(state));
  hall.until = async (state, times = 1) => {
    while (written.filter((line) => line === state).length < times) await new Promise((done) => setImmediate(done));
  };
  return hall;
}

test("after the edge was killed a new token brings the picture back", async () => {
  const hall = aHall({});
  hall.sender.change({ video: "camera", audio: null });
  const going = hall.sender.go();
  await hall.until("live");
  hall.end("silence");
  await hall.until("live", 2);
  assert.deepEqual(hall.states(), ["connecting", "live", "again", "again", "live"]);
  assert.deepEqual(hall.written.filter((line) => line.startsWith("send")), ["send t0 camera", "send t1 camera"]);
  await hall.sender.stop();
  await going;
  assert.equal(hall.states().at(-1), "off");
  assert.equal(hall.written.at(-1), "close");
});

test("an edge that stopped in order is waited for, and gone to again", async () => {
  const hall = aHall({}, { grant: { sending: false } });
  const going = hall.sender.go();
  await hall.until("live");
  hall.end("goodbye");
  await hall.until("live", 2);
  assert.ok(hall.written.includes("rest 3000"));
  await hall.sender.stop();
  await going;
});

test("two devices of one person do not throw each other out for ever", async () => {
  const hall = aHall({}, { grant: { sending: true } });
  const going = hall.sender.go();
  await hall.until("live");
  hall.end("goodbye");
  await going;
  assert.equal(hall.states().at(-1), "elsewhere");
});

test("one's own dead connection is no other device", async () => {
  const hall = aHall({}, { grant: { sending: true } });
  const going = hall.sender.go();
  await hall.until("live");
  hall.end("silence");
  await hall.until("live", 2);
  await hall.sender.stop();
  await going;
});

test("a refusal ends it, and says which; an edge that is away is tried again, ever more slowly", async () => {
  const away = new Declined(503, { code: "media_away" });
  const no = new Declined(409, { code: "media_closed" });
  const hall = aHall({ up: away }, { up: new NoWay("") }, { grant: new Unreachable("") }, { grant: no });
  await hall.sender.go();
  assert.deepEqual(hall.written.filter((line) => line.startsWith("rest")), ["rest 1000", "rest 2000", "rest 4000"]);
  assert.equal(hall.states().at(-1), "refused");
});

test("what passes is told from what does not", () => {
  assert.ok(passing(new Declined(429, {})));
  assert.ok(passing(new Declined(401, { code: "no_token" })));
  assert.ok(!passing(new Declined(401, { code: "no_login" })));
  assert.ok(!passing(new Declined(403, { code: "not_your_role" })));
  assert.ok(!passing(new TypeError("a fault of ours")));
  assert.equal(pause(99), 8000);
});

test("what is chosen while it connects goes out as soon as it does", async () => {
  const hall = aHall({});
  const going = hall.sender.go();
  await hall.until("grant");
  await hall.until("send t0 -");
  hall.sender.change({ video: "screen", audio: null });
  await hall.until("live");
  assert.ok(hall.written.includes("change screen"));
  await hall.sender.stop();
  await going;
});

test("whoever stopped while it connected stays off", async () => {
  const hall = aHall({});
  let granted;
  hall.door.grant = () => new Promise((done) => (granted = done));
  const going = hall.sender.go();
  await hall.sender.stop();
  granted({ token: "t", url: "/" });
  await going;
  assert.deepEqual(hall.written, ["connecting", "off"]);
});
