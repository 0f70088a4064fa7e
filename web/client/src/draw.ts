/**
 * Taking part in the draw: make a number, commit to it, show it when it is asked for (crypto/FORMAT.md section 14).
 *
 * @remarks The number stays on this device until it is shown, and survives a reload. Whom the draw waits for stands in
 * the view, so looking again at any moment does the right thing and nothing twice.
 */

import { command } from "./api.js";
import { concat, fromHex, hex, lv, u32 } from "./bytes.js";
import type { Speech } from "./dom.js";
import { explain, tell } from "./forms.js";
import type { Members } from "./hall.js";
import type { KeyPair } from "./identity.js";
import { signStatement } from "./jws.js";
import { sha256 } from "./kdf.js";

/** Somebody who draws. `sign` gives a bidder's key, null while it is not open; the staff have none. */
export interface Party {
  readonly role: "bidder" | "host" | "supervisor";
  readonly party: string;
  readonly sign?: () => KeyPair | null;
}

/** The commitment to `seed`, in hex. */
export async function commitment(session: string, round: number, who: Party, seed: Uint8Array): Promise<string> {
  const label = lv("KAIBIAO/draw/seed/1");
  return hex(await sha256(concat(label, lv(session), u32(round), lv(who.role), lv(who.party), lv(seed))));
}

/** A draw's numbers without bias, from `randomness` and the id of the draw. */
export function numbers(randomness: Uint8Array, id: string): (size: number) => Promise<number> {
  const key = concat(lv("KAIBIAO/draw/block/1"), randomness, lv(id));
  const space = 1n << 256n;
  let block = 0;
  return async (size) => {
    const limit = space - (space % BigInt(size));
    for (;;) {
      const value = BigInt(`0x${hex(await sha256(concat(key, u32(block++))))}`);
      if (value < limit) return Number(value % BigInt(size));
    }
  };
}

/** `count` of `values` in the order drawn. */
export async function pick(randomness: Uint8Array, id: string, values: readonly string[], count: number): Promise<string[]> {
  const [below, urn] = [numbers(randomness, id), [...values]];
  for (let place = 0; place < count; place++) {
    const chosen = place + (await below(urn.length - place));
    [urn[place], urn[chosen]] = [urn[chosen]!, urn[place]!];
  }
  return urn.slice(0, count);
}

/** One party's part in one opening's draw. */
export class Drawing {
  readonly #source: string;
  readonly #session: string;
  readonly #who: Party;
  readonly #speech: Speech;
  #busy = false;
  /** What was done in this page already: the view may need a moment to say so. */
  readonly #done = new Set<string>();

  constructor(source: string, session: string, who: Party, speech: Speech) {
    this.#source = source;
    this.#session = session;
    this.#who = who;
    this.#speech = speech;
  }

  /** Do what the draw waits for from this party, if anything. */
  async look(view: Members): Promise<void> {
    const draw = view["draw"] as Members | null | undefined;
    const waiting = (draw?.["waiting"] ?? []) as Members[];
    const mine = waiting.some((one) => one["role"] === this.#who.role && one["party"] === this.#who.party);
    const act = `${String(draw?.["stage"])} ${String(draw?.["round"])}`;
    if (!draw || !mine || this.#busy || this.#done.has(act) || view["hold"]) return;
    this.#busy = true;
    const box = document.querySelector<HTMLElement>("[data-draw]");
    try {
      const said = draw["stage"] === "commit" ? await this.#commit(draw["round"] as number) : await this.#show(draw["round"] as number);
      const failed = said === "ui.draw_keys" || said === "ui.draw_lost";
      if (!failed) this.#done.add(act);
      if (box) tell(box, failed ? "failed" : "done", this.#speech.words[said]!);
    } catch (error) {
      if (box) tell(box, "failed", ...explain(error, this.#speech));
    } finally {
      this.#busy = false;
    }
  }

  async #commit(round: number): Promise<string> {
    const sign = this.#who.sign?.();
    if (sign === null) return "ui.draw_keys";
    const seed = this.#seed(round) ?? this.#newSeed(round);
    const committed = await commitment(this.#session, round, this.#who, seed);
    const members: Members = { round, commitment: committed };
    if (sign !== undefined) {
      const payload = { v: 1, session: this.#session, bidder: this.#who.party, round, commitment: committed };
      members["statement"] = await signStatement("draw", payload, sign);
    }
    await command(this.#source, "CommitDraw", members);
    return "ui.draw_joined";
  }

  async #show(round: number): Promise<string> {
    const seed = this.#seed(round);
    if (seed === null) return "ui.draw_lost";
    await command(this.#source, "RevealDraw", { round, seed: hex(seed) });
    return "ui.draw_shown";
  }

  #name(round: number): string {
    return `kaibiao-draw-${this.#session}-${this.#who.role}-${this.#who.party}-${round}`;
  }

  #seed(round: number): Uint8Array | null {
    const kept = localStorage.getItem(this.#name(round));
    return kept === null ? null : fromHex(kept);
  }

  #newSeed(round: number): Uint8Array {
    const seed = crypto.getRandomValues(new Uint8Array(32));
    localStorage.setItem(this.#name(round), hex(seed));
    return seed;
  }
}
