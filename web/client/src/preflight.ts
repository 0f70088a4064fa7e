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

export type Check = "clock" | "link" | "sign" | "open" | "expiry";

const AHEAD = 2_000;
const SLOW = 1_000;
const DAY = 86_400_000; // whoever unlocks in the last minute of a long day must still be valid

/** Run every check; each says for itself what it found. */
export async function preflight(
  clock: Pick<ServerClock, "measure" | "offset">,
  identity: Identity | null,
  t0: number,
  speech: Speech,
): Promise<Record<Check, Finding>> {
  const reached = await clock.measure();
  const offset = clock.offset();
  const seconds = (milliseconds: number): string => `${(milliseconds / 1000).toFixed(2)} s`;
  const trip = offset === null ? Infinity : 2 * offset.uncertainty;
  return {
    clock: offset === null ? SKIPPED : found(Math.abs(offset.ahead) <= AHEAD, `${offset.ahead > 0 ? "+" : ""}${seconds(offset.ahead)}`),
    link: reached ? found(trip <= SLOW, `${Math.round(trip)} ms`) : found(false, speech.words["ui.network"]!),
    sign: await tried(identity?.sign, speech),
    open: await tried(identity?.encrypt, speech),
    expiry: identity === null ? SKIPPED : lasting([identity.sign, identity.encrypt], t0, speech),
  };
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
export function tellFindings(box: ParentNode, findings: Readonly<Record<Check, Finding>>): void {
  for (const [name, { value, detail }] of Object.entries(findings)) {
    const line = box.querySelector<HTMLElement>(`[data-check="${name}"]`)!;
    line.dataset["value"] = value;
    line.querySelector("[data-detail]")!.textContent = detail;
    line.querySelector<HTMLElement>("[data-fix]")!.hidden = value !== "fail";
    line.querySelector<HTMLElement>("[data-skipped]")!.hidden = value !== "skip";
  }
}
