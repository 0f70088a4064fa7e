// What a page reports of how late facts came, and the line that all reports make.

import assert from "node:assert/strict";
import { test } from "node:test";

import { Lag, line, REST } from "../../static/js/lag.js";

const WORDS = {
  "lag.all": "All {count} viewers within {seconds} s",
  "lag.some": "{count} of {of} viewers reported: all within {seconds} s",
  "lag.late": "{count} of {of} viewers reported: the latest after more than {seconds} s",
};

function watching(chance = 0, spread = 0) {
  const lag = new Lag(chance, spread);
  lag.begin(0);
  return lag;
}

test("a page says nothing while it has seen nothing", () => {
  assert.equal(watching().take(3, 1e9), null);
});

test("the latest of several facts is what a page reports, once", () => {
  const lag = watching();
  lag.saw(100.2, 20, 5000);
  lag.saw(400, 20, 5100);
  lag.saw(90, 20, 5200);
  assert.deepEqual(lag.take(3, 5300), { lag_ms: 400, within_ms: 20 });
  assert.equal(lag.take(3, 1e9), null);
});

test("a page reports no oftener than it may", () => {
  const lag = watching();
  lag.saw(100, 20, 5000);
  assert.notEqual(lag.take(3, 5000), null);
  lag.saw(200, 20, 5001);
  assert.equal(lag.take(3, 4999 + REST), null);
  assert.deepEqual(lag.take(3, 5000 + REST), { lag_ms: 200, within_ms: 20 });
  assert.ok(REST >= 15_000);
});

test("not all pages report at once", () => {
  const lag = watching(0, 1);
  lag.saw(100, 20, 5000);
  assert.equal(lag.take(3, 8999), null);
  assert.notEqual(lag.take(3, 9000), null);
});

test("facts of before the page was in view are not late", () => {
  const lag = new Lag(0, 0);
  lag.saw(100, 20, 5000);
  lag.begin(6000);
  lag.saw(1500, 20, 7000);
  assert.equal(lag.take(3, 1e9), null);
  lag.saw(900, 20, 7000);
  lag.end();
  lag.saw(100, 20, 8000);
  assert.deepEqual(lag.take(3, 1e9), { lag_ms: 900, within_ms: 20 });
});

test("a stream that was cut while somebody watched is late", () => {
  const lag = watching();
  lag.begin(9000);
  lag.saw(8000, 20, 9001);
  assert.deepEqual(lag.take(3, 1e9), { lag_ms: 8000, within_ms: 20 });
});

test("a fact of the future within the clock's uncertainty came at once, beyond it the clock is wrong", () => {
  const lag = watching();
  lag.saw(-21, 20, 5000);
  assert.equal(lag.take(3, 1e9), null);
  lag.saw(-19, 20, 6000);
  assert.deepEqual(lag.take(3, 1e9), { lag_ms: 0, within_ms: 20 });
});

test("of a crowd about a thousand report, and nobody where it is not known who watches", () => {
  const reports = (chance, count) => {
    const lag = watching(chance);
    lag.saw(100, 20, 5000);
    return lag.take(count, 1e9) !== null;
  };
  assert.ok(reports(0.99, 1_000));
  assert.ok(reports(0.09, 10_000));
  assert.ok(!reports(0.11, 10_000));
  assert.ok(!reports(0, null));
});

test("the line says all only of all", () => {
  assert.equal(line({ count: 312, of: 312, max_ms: 400 }, WORDS), "All 312 viewers within 0.4 s");
  assert.equal(line({ count: 298, of: 312, max_ms: 1500 }, WORDS), "298 of 312 viewers reported: all within 1.5 s");
  assert.equal(
    line({ count: 312, of: 312, max_ms: null }, WORDS),
    "312 of 312 viewers reported: the latest after more than 60 s",
  );
});
