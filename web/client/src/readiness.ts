/**
 * The ready slip: what this device found, signed by the bidder, with what the hall could see, signed by the hall.
 *
 * @remarks Only its bidder can ask for it. Nothing that the hall sends is opened here (preflight.ts).
 */

import { ask } from "./api.js";
import { base64url, hex } from "./bytes.js";
import { moment, type Speech } from "./dom.js";
import type { Members } from "./hall.js";
import type { Identity } from "./identity.js";
import { signStatement } from "./jws.js";
import { textFile } from "./keyring.js";
import type { Check, Finding } from "./preflight.js";
import { mine } from "./tus.js";
import { fingerprint } from "./x509.js";

/** What the clock of this page knows: how far this device is ahead, and how sure that is, in milliseconds. */
export interface Offset {
  readonly ahead: number;
  readonly uncertainty: number;
}

/** Sign what was found and ask the hall to countersign it; null where the hall saw something amiss. */
export async function certify(
  source: string,
  session: string,
  bidder: string,
  identity: Identity,
  findings: Readonly<Record<Check, Finding>>,
  offset: Offset | null,
  now: number,
): Promise<Members> {
  const { bid } = (await mine(source)) as { bid: Members | null };
  const payload = {
    v: 1,
    session,
    bidder,
    at: new Date(now).toISOString(),
    header_sha256: bid === null ? null : (bid["header_sha256"] as string),
    sign_cert: hex(fingerprint(identity.sign.certificate)),
    encrypt_cert: hex(fingerprint(identity.encrypt.certificate)),
    checks: Object.fromEntries(Object.entries(findings).map(([name, { value }]) => [name, value])),
    rtt_ms: Math.round(2 * (offset?.uncertainty ?? 0)),
    ahead_ms: Math.round(offset?.ahead ?? 0),
  };
  const ready = await signStatement("ready", payload, identity.sign);
  return ask("POST", `${source}/ready`, { ready, encrypt: base64url(identity.encrypt.certificate.der) });
}

/** What the hall saw, as findings of the list: both certificates, and whether the sealed bid is for this key. */
export function seen(told: Members): Record<"path" | "slots", Finding> {
  const saw = told["saw"] as Readonly<Record<string, string>>;
  const wrong = [saw["sign"], saw["encrypt"], saw["pair"]].filter((code) => code !== "ok");
  const slots = saw["slots"]!;
  return {
    path: { value: wrong.length === 0 ? "pass" : "fail", detail: wrong.join(", ") },
    slots: { value: slots === "ok" ? "pass" : slots === "no_bid" ? "skip" : "fail", detail: "" },
  };
}

/** Show the newest slip, and whether it still says anything. */
export async function showSlip(source: string, session: string, speech: Speech): Promise<void> {
  const told = await ask("GET", `${source}/ready`);
  const box = document.querySelector<HTMLElement>("[data-slip]")!;
  const slip = told["slip"] as string | null;
  box.hidden = slip === null;
  if (slip === null) return;
  const stale = (told["stale"] as string | null) ?? null;
  box.querySelector("[data-slip-at]")!.textContent = moment(Date.parse(told["at"] as string), "moment", speech.language);
  box.querySelector("[data-slip-until]")!.textContent = moment(Date.parse(told["good_until"] as string), "day", speech.language);
  const line = box.querySelector<HTMLElement>("[data-slip-stale]")!;
  line.hidden = stale === null;
  line.textContent = stale === null ? "" : (speech.words[`ui.stale_${stale}`] ?? stale);
  const link = box.querySelector<HTMLAnchorElement>("a")!;
  link.href = textFile(slip, "application/jose");
  link.download = `ready-${session}.jws`;
}
