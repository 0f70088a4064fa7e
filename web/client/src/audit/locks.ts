/** The locks as they stand: who is ready, which are off, what is still shut (sessions/LIFECYCLE.md, "Locks"). */

import type { Bid, Lock, Opening } from "./ceremony.js";
import type { Told } from "./log.js";
import type { Data } from "./shapes.js";

const FAILURES = ["share_mismatch", "not_decryptable"];

/** Whether enough officers of every lock have tried their keys. Trustees come only when somebody asks for them. */
export function locksReady(o: Opening): boolean {
  return o.locks.every((lock) => {
    const ready = lock.officers.filter(({ account }) => o.ready.get(`${lock.id}:${account}`) === true).length;
    return lock.id === "escrow" || ready >= lock.threshold;
  });
}

/** The bids that `lock` holds shut; none while keys still come in. */
export function behind(o: Opening, lock: Lock): readonly Bid[] {
  if (o.barrier === null) return [];
  const released = o.bids.filter((bid) => bid.state !== "waiting" && o.groups.every((group) => bid.groups.has(group)));
  if (lock.id === "tenderer") return released;
  return released.filter(({ escrowed }) => escrowed === (lock.id === "escrow"));
}

/** Whether enough officers brought shares that hold, or all have come and nobody could bring better ones. */
function isOff(o: Opening, lock: Lock): boolean {
  const brought = o.removals.filter(({ data }) => data["lock"] === lock.id);
  const count = (some: typeof brought): number => new Set(some.map(({ data }) => data["officer"])).size;
  const able = brought.filter(({ data }) => (data["opened"] as readonly string[]).length > 0);
  return count(able) >= lock.threshold || count(brought) >= lock.officers.length;
}

function wasMissed(o: Opening, lock: Lock): boolean {
  return o.missedLocks.some(({ data }) => data["lock"] === lock.id);
}

/** Whether a lock keeps bids shut behind the barrier. */
export function stillLocked(o: Opening): boolean {
  return o.locks.some((lock) => behind(o, lock).length > 0 && !isOff(o, lock) && !wasMissed(o, lock));
}

/** Whether on every lock of `bid` enough officers brought a share that holds. */
export function canOpen(o: Opening, bid: Bid): boolean {
  return o.locks
    .filter(({ id }) => id === "tenderer" || (id === "escrow") === bid.escrowed)
    .every((lock) => {
      const brought = o.removals.filter(({ data }) => data["lock"] === lock.id && (data["opened"] as readonly string[]).includes(bid.bidder));
      return !wasMissed(o, lock) && new Set(brought.map(({ data }) => data["officer"])).size >= lock.threshold;
    });
}

/** Whether two persons may go on without this lock now. */
export function missable(o: Opening, id: string): boolean {
  const lock = o.locks.find((one) => one.id === id && (id === "tenderer" || id === "escrow"));
  return lock !== undefined && behind(o, lock).length > 0 && !isOff(o, lock) && !wasMissed(o, lock);
}

/** Whether two persons may let the trustees open this bid now. */
export function grantable(o: Opening, bidder: string): boolean {
  const bid = o.bid(bidder);
  return hasEscrow(o) && bid !== undefined && bid.escrowAskedAt !== null && bid.state === "waiting";
}

export function hasEscrow(o: Opening): boolean {
  return o.locks.some(({ id }) => id === "escrow");
}

function lockOf(o: Opening, { data, id }: Told): Lock | undefined {
  const lock = o.locks.find((one) => one.id === data["lock"]);
  return data["officer"] === id && lock?.officers.some(({ account }) => account === id) ? lock : undefined;
}

/** Whether an officer's rehearsal may be told: it shows something new, before the bids are opened. */
export function rehearses(o: Opening, told: Told): boolean {
  const lock = lockOf(o, told);
  return lock !== undefined && !o.opened && o.ready.get(`${lock.id}:${told.id}`) !== told.data["passed"];
}

/** Whether an officer may bring just these shares: on every bid behind the lock, and better than what it brought before. */
export function removes(o: Opening, told: Told): boolean {
  const lock = lockOf(o, told);
  if (lock === undefined || wasMissed(o, lock)) return false;
  const [opened, failed] = [told.data["opened"] as readonly string[], told.data["failed"] as Data];
  const held = new Set(behind(o, lock).map(({ bidder }) => bidder));
  const named = [...opened, ...Object.keys(failed)];
  if (named.length !== held.size || new Set(named).size !== held.size || !named.every((who) => held.has(who))) return false;
  if (!Object.values(failed).every((code) => FAILURES.includes(code as string))) return false;
  const past = o.removals.filter(({ data }) => data["lock"] === lock.id && data["officer"] === told.id);
  const known = new Set(past.flatMap(({ data }) => data["opened"] as readonly string[]));
  return held.size > 0 && (past.length === 0 || opened.some((who) => !known.has(who)));
}
