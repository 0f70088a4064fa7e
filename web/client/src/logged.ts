/** Before a key is released: the receipt in the log of receipts, said in words, and what to do if it is not there. */

import { Refused } from "./errors.js";
import type { HallKey } from "./jws.js";
import { Contradiction, counted, evidenceFile, newer, type Source } from "./log/counted.js";
import type { Heard } from "./log/facts.js";
import { ask, fetched, say, type Watch } from "./log/watch.js";
import type { PageData } from "./page.js";
import { verifyReceipt } from "./receipt.js";

/** Refusals of the release that the receipt shows to be the hall's fault. */
const OBJECTIONABLE = new Set(["not_in_set", "wrong_root", "wrong_receipt"]);

export class Logged {
  readonly #data: PageData;
  readonly #session: string;
  readonly #watch: Watch | null;
  readonly #upto: () => number;
  readonly #place: string;
  #token = "";
  #set: Heard | null = null;

  /** `upto` gives the number of the newest fact shown. */
  constructor(data: PageData, session: string, watch: Watch | null, upto: () => number) {
    this.#data = data;
    this.#session = session;
    this.#watch = watch;
    this.#upto = upto;
    this.#place = `kaibiao-receipt-${session}`;
  }

  /**
   * Keep the newest receipt on this device: whoever dropped a bid would hardly give it again, and an older one from
   * the hall does not make a newer one forgotten.
   */
  async keep(token: string, hall: HallKey): Promise<void> {
    const receipt = await verifyReceipt(token, hall);
    try {
      const kept = localStorage.getItem(this.#place);
      if (kept === null || (await newer(kept, receipt, hall)) === null) localStorage.setItem(this.#place, token);
    } catch {
      // Without storage there is the file that the bidder saved.
    }
  }

  forget(): void {
    localStorage.removeItem(this.#place);
  }

  /** Hold the receipt against the log and say what came of it; throws a {@link Contradiction} if the log denies it. */
  async look(token: string, hall: HallKey): Promise<void> {
    this.#token = token;
    const source: Source = {
      text: (path) => ask(`${this.#data.source}/${path}`),
      bytes: async (path) => {
        const answer = await fetched(`${this.#data.source}/${path}`);
        return answer === null ? null : new Uint8Array(await answer.arrayBuffer());
      },
    };
    const history = await this.#watch?.history(this.#upto()).catch(() => []);
    this.#set = history?.find(({ type }) => type === "SetFrozen") ?? null;
    this.#say(await counted(token, hall, history ?? [], source, localStorage.getItem(this.#place)));
  }

  /** Show how to object, with the evidence to keep, if `error` is the hall contradicting its receipt. */
  tell(error: unknown): void {
    if (!(error instanceof Refused)) return;
    if (!(error instanceof Contradiction) && !OBJECTIONABLE.has(error.code)) return;
    const box = document.querySelector<HTMLElement>("[data-contradicted]")!;
    const evidence = error instanceof Contradiction ? error.evidence : { receipt: this.#token, set_frozen: this.#set };
    const file = evidenceFile(this.#session, new Date(), error.code, evidence);
    const link = box.querySelector<HTMLAnchorElement>("a[download]")!;
    URL.revokeObjectURL(link.href);
    link.href = URL.createObjectURL(new Blob([file], { type: "application/json" }));
    link.download = `${this.#session}-receipt-contradicted.json`;
    box.hidden = false;
    box.querySelector("button")!.onclick = () => this.#object(error.code);
    document.querySelector<HTMLElement>("[data-logged-line]")!.hidden = true;
  }

  /** Open the form for an objection with its words filled in; the bidder reads them and sends it. */
  #object(code: string): void {
    const { words } = this.#data;
    const form = document.querySelector<HTMLFormElement>('form[data-command="Object"]')!;
    form.closest("details")!.open = true;
    form.querySelector<HTMLInputElement>('[name="title"]')!.value = say(words, "counted.title");
    form.querySelector<HTMLTextAreaElement>('[name="text"]')!.value = say(words, "counted.text", { code, receipt: this.#token });
    form.scrollIntoView({ block: "center" });
    form.querySelector<HTMLTextAreaElement>('[name="text"]')!.focus();
  }

  #say(outcome: "in" | "without" | "unknown"): void {
    const line = document.querySelector<HTMLElement>("[data-logged-line]")!;
    line.dataset["value"] = outcome;
    line.textContent = say(this.#data.words, `counted.${outcome}`);
    line.hidden = false;
    document.querySelector<HTMLElement>("[data-contradicted]")!.hidden = true;
  }
}
