/** The second verifier beside the page: a bundle comes in, each check goes out as it is made, then the report. */

import { digestHex } from "../sha256.js";
import { hex } from "../bytes.js";
import { sha256 } from "../kdf.js";
import { ahead, audit, type Late } from "./audit.js";
import type { Check, Report } from "./report.js";
import { SENTENCES } from "./words.js";

/** What the worker says: that it is loaded and needs nothing more from anywhere, a check, the end, or what it made ahead. */
export type Said =
  | { readonly kind: "ready"; readonly checks: number }
  | { readonly kind: "check"; readonly check: Check }
  | { readonly kind: "report"; readonly report: Report; readonly sha256: string }
  | { readonly kind: "late"; readonly late: Late | null };

const tell = (said: Said): void => self.postMessage(said);

/**
 * What it is asked: to check a bundle, beside a checkpoint that the reader kept ("" if none) and a receipt. `beside`: where it
 * hears what a second worker made of the later checks.
 */
export interface Asked {
  readonly bundle: ArrayBuffer;
  readonly kept: string;
  readonly receipt: ArrayBuffer | null;
  readonly beside: MessagePort | null;
}

/** What the second one is asked: to make the later checks of this bundle ahead. */
export interface AskedAhead {
  readonly ahead: ArrayBuffer;
}

self.addEventListener("message", ({ data }: MessageEvent<Asked | AskedAhead>) => {
  if ("ahead" in data) void ahead(new Uint8Array(data.ahead)).then((late) => tell({ kind: "late", late }));
  else void run(new Uint8Array(data.bundle), data);
});

async function run(bundle: Uint8Array<ArrayBuffer>, { kept, receipt, beside }: Asked): Promise<void> {
  const digest = sha256(bundle);
  const checked = (check: Check): void => tell({ kind: "check", check });
  const report = await audit(bundle, checked, kept, receipt === null ? null : new Uint8Array(receipt), beside === null ? null : heard(beside));
  tell({ kind: "report", report, sha256: hex(await digest) });
}

function heard(port: MessagePort): Promise<Late | null> {
  return new Promise((resolve) => {
    port.onmessage = ({ data }: MessageEvent<Late | null>) => resolve(data);
  });
}

// FIPS 180-4, one block: if this machine gets that wrong, nothing it says of a bundle is worth anything.
if (digestHex("abc") !== "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad") throw new Error("SHA-256 is broken here");
tell({ kind: "ready", checks: Object.keys(SENTENCES).length });
