// The relays beside a WHIP answer, as the hall writes them and as others do.

import assert from "node:assert/strict";
import { test } from "node:test";

import { relays } from "../../static/js/media/relays.js";

test("every relay of an answer is one to try, with its credentials", () => {
  const given = 'rel="ice-server"; username="1792000000:ab"; credential="a+b/c="; credential-type="password"';
  assert.deepEqual(
    relays(`<turn:turn.example.org:3478?transport=udp>; ${given}, <turns:turn.example.org:443?transport=tcp>; ${given}`),
    [
      { urls: "turn:turn.example.org:3478?transport=udp", username: "1792000000:ab", credential: "a+b/c=" },
      { urls: "turns:turn.example.org:443?transport=tcp", username: "1792000000:ab", credential: "a+b/c=" },
    ],
  );
});

test("links of another kind are none, and neither is nothing", () => {
  assert.deepEqual(relays(null), []);
  assert.deepEqual(relays('<https://example.org/next>; rel="next", <https://example.org/x>; rel=ice-server'), []);
  assert.deepEqual(relays("<stun:stun.example.org>; rel=ice-server"), [{ urls: "stun:stun.example.org" }]);
});
