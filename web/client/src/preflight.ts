/**
 * The check-up of a seat before the opening (开标体检): clock, connection, keys, certificates, on this device, today.
 *
 * @remarks The keys are tried on a value made here, never on one from a server (identity.ts, `rehearse`).
 */

import type { ServerClock } from "./clock.js";
import { moment, type Speech } from "./dom.js";
import { explain } from "./forms.js";
import { type Identity, type KeyPair, rehearse } from "./identity.js";

/** What came of one check: `skip` when there was nothing to check yet. */
export interface Finding {
  readonly value: "pass" | "fail" | "skip";
  readonly detail: string;
}

export type Check = "clock" | "link" | "speed" | "features" | "storage" | "sign" | "open" | "expiry";

/** What this device can do by itself: each may be missing, and each is a stand-in in a test. */
export interface Device {
  /** Milliseconds that 256 KiB took to reach the hall; rejects when it cannot be reached. */
  readonly send: () => Promise<number>;
  /** What of the browser this page needs and does not find. */
  readonly missing: () => readonly string[];
  /** Whether what is stored can be read again. */
  readonly stores: () => Promise<boolean>;
}

const SENT = 262_144;
const SLOWEST = 20_000; // milliseconds for 256 KiB: 13 KiB/s, on which a release of half a KiB still takes no time

/** This browser; `source` is where bytes are sent to measure the line. */
export function thisDevice(source: string): Device {
  return {
    async send() {
      const began = performance.now();
      const answer = await fetch(`${source}/ready/speed`, { method: "POST", body: crypto.getRandomValues(new Uint8Array(65_536)) });
      if (!answer.ok) throw new Error(String(answer.status));
      return ((performance.now() - began) * SENT) / 65_536;
    },
    missing() {
      const wanted: readonly (readonly [string, boolean])[] = [
        ["WebCrypto", typeof crypto.subtle?.sign === "function"],
        ["IndexedDB", typeof indexedDB === "object"],
        ["WebSocket", typeof WebSocket === "function" || typeof EventSource === "function"],
        ["Streams", typeof ReadableStream === "function"],
      ];
      return wanted.filter(([, there]) => !there).map(([name]) => name);
    },
    async stores() {
      try {
        const value = String(Math.random());
        localStorage.setItem("kaibiao-preflight", value);
        const same = localStorage.getItem("kaibiao-preflight") === value;
        localStorage.removeItem("kaibiao-preflight");
        return same;
      } catch {
        return false;
      }
    },
  };
}

const AHEAD = 2_000;
const SLOW = 1_000;
const DAY = 86_400_000; // whoever unlocks in the last minute of a long day must still be valid

/** Run every check; each says for itself what it found. */
export async function preflight(
  clock: Pick<ServerClock, "measure" | "offset">,
  identity: Identity | null,
  t0: number,
  speech: Speech,
  device: Device,
): Promise<Record<Check, Finding>> {
  const reached = await clock.measure();
  const offset = clock.offset();
  const seconds = (milliseconds: number): string => `${(milliseconds / 1000).toFixed(2)} s`;
  const trip = offset === null ? Infinity : 2 * offset.uncertainty;
  return {
    clock: offset === null ? SKIPPED : found(Math.abs(offset.ahead) <= AHEAD, `${offset.ahead > 0 ? "+" : ""}${seconds(offset.ahead)}`),
    speed: await sending(device),
    features: found(device.missing().length === 0, device.missing().join(", ")),
    storage: found(await device.stores(), ""),
    link: reached ? found(trip <= SLOW, `${Math.round(trip)} ms`) : found(false, speech.words["ui.network"]!),
    sign: await tried(identity?.sign, speech),
    open: await tried(identity?.encrypt, speech),
    expiry: identity === null ? SKIPPED : lasting([identity.sign, identity.encrypt], t0, speech),
  };
}

async function sending(device: Device): Promise<Finding> {
  try {
    const took = await device.send();
    return found(took <= SLOWEST, `${Math.round(SENT / 1.024 / took)} KiB/s`);
  } catch {
    return SKIPPED; // the round trip says that the hall cannot be reached, or that it is asked too often
  }
}

const SKIPPED: Finding = { value: "skip", detail: "" };

function found(good: boolean, detail: string): Finding {
  return { value: good ? "pass" : "fail", detail };
}

async function tried(pair: KeyPair | undefined, speech: Speech): Promise<Finding> {
  if (pair === undefined) return SKIPPED;
  try {
    await rehearse(pair);
    return found(true, "");
  } catch (error) {
    return found(false, explain(error, speech).join(" "));
  }
}

function lasting(pairs: readonly KeyPair[], t0: number, speech: Speech): Finding {
  const until = Math.min(...pairs.map(({ certificate }) => certificate.notAfter.getTime()));
  return found(until > t0 + DAY, moment(until, "day", speech.language));
}

/** Show the findings in the list that the page came with, each with its remedy if it failed. */
export function tellFindings(box: ParentNode, findings: Readonly<Record<string, Finding>>): void {
  for (const [name, { value, detail }] of Object.entries(findings)) {
    const line = box.querySelector<HTMLElement>(`[data-check="${name}"]`);
    if (line === null) continue;
    line.dataset["value"] = value;
    line.querySelector("[data-detail]")!.textContent = detail;
    line.querySelector<HTMLElement>("[data-fix]")!.hidden = value !== "fail";
    line.querySelector<HTMLElement>("[data-skipped]")!.hidden = value !== "skip";
  }
}
