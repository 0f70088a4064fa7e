/**
 * Signs of life while keys are handed over, signed by the bidder and acknowledged by the hall (hall/PROTOCOL.md).
 *
 * @remarks They are what a bidder can show when it is said to have been absent: the acknowledgements stay on this
 * device. Nothing of the key itself is in them, only in which state it is.
 */

import { ask, Declined } from "./api.js";
import { hex, utf8 } from "./bytes.js";
import type { JsonObject } from "./canonical.js";
import type { Identity } from "./identity.js";
import { signStatement } from "./jws.js";
import { sha256 } from "./kdf.js";

const AT_ONCE = 8;
const KEPT = 400;
const ROUND = 1_000;
const BUSY = new Set([429, 503]); // the hall asks to come again: what it did not take is brought again

/** What a sign of life says of this page at its moment. */
export interface State {
  /** Whether keys are being handed over now. */
  readonly on: boolean;
  readonly identity: Identity | null;
  /** `none`, `ready`, `released`, or what went wrong with the key. */
  readonly key: string;
  /** The number of the newest fact this page has. */
  readonly seen: number;
  /** Milliseconds since 1970 by the best clock there is. */
  readonly now: number;
}

/** Where acknowledgements are kept: `localStorage`, or a stand-in in a test. */
export type Shelf = Pick<Storage, "getItem" | "setItem">;

/** Gives signs of life at the cadence that the hall names, and keeps what it answers. */
export class Heartbeat {
  readonly #door: string;
  readonly #session: string;
  readonly #bidder: string;
  readonly #state: () => State;
  readonly #shelf: Shelf;
  #terms: { nonce: string; cadence: number; next: number } | null = null;
  #unsent: string[] = [];
  #trips: number[] = [];
  #lost = 0;
  #due = 0;
  #busy = false;

  constructor(source: string, session: string, bidder: string, state: () => State, shelf: Shelf = localStorage) {
    this.#door = `${source}/heartbeats`;
    this.#session = session;
    this.#bidder = bidder;
    this.#state = state;
    this.#shelf = shelf;
  }

  start(): void {
    setInterval(() => void this.round(performance.now()), ROUND);
  }

  /** The acknowledgements kept on this device, oldest first. */
  acknowledgements(): readonly string[] {
    try {
      return JSON.parse(this.#shelf.getItem(this.#name) ?? "[]") as string[];
    } catch {
      return [];
    }
  }

  get #name(): string {
    return `kaibiao-heard-${this.#session}`;
  }

  /** Give a sign of life if one is due at the monotonic moment `now`. */
  async round(now: number): Promise<void> {
    const state = this.#state();
    if (this.#busy || !state.on || state.identity === null || now < this.#due) return;
    this.#busy = true;
    try {
      await this.#beat(state, state.identity);
    } catch (error) {
      this.#failed(error);
    } finally {
      this.#due = now + (this.#terms?.cadence ?? 5_000);
      this.#busy = false;
    }
  }

  async #beat(state: State, identity: Identity): Promise<void> {
    this.#terms ??= await this.#ask();
    const { nonce, next } = this.#terms;
    const last = this.acknowledgements().at(-1);
    const payload: JsonObject = {
      v: 1,
      session: this.#session,
      bidder: this.#bidder,
      nonce,
      n: next,
      at: new Date(state.now).toISOString(),
      key: state.key,
      seen: state.seen,
      lost: this.#lost,
      rtt_ms: this.#trips.slice(-AT_ONCE),
      ack: last === undefined ? null : hex(await sha256(utf8(last))),
    };
    // What could not be sent is tried again with its number: first come is first heard, and nothing is said twice.
    if (this.#unsent.length < AT_ONCE) {
      this.#unsent.push(await signStatement("heartbeat", payload, identity.sign));
      this.#terms = { ...this.#terms, next: next + 1 };
      this.#lost = 0;
    }
    const sent = performance.now();
    const { acks } = (await ask("POST", this.#door, { beats: this.#unsent })) as { acks: string[] };
    this.#trips = [...this.#trips, Math.round(performance.now() - sent)].slice(-AT_ONCE);
    this.#unsent = [];
    this.#keep(acks);
  }

  async #ask(): Promise<{ nonce: string; cadence: number; next: number }> {
    const terms = (await ask("GET", this.#door)) as { nonce: string; cadence_ms: number; next: number };
    return { nonce: terms.nonce, cadence: terms.cadence_ms, next: terms.next };
  }

  #failed(error: unknown): void {
    this.#lost++;
    if (error instanceof Declined && !BUSY.has(error.status)) {
      // Another device of this bidder was faster, or the window is over: ask anew.
      this.#terms = null;
      this.#unsent = [];
    }
  }

  #keep(acks: readonly string[]): void {
    try {
      this.#shelf.setItem(this.#name, JSON.stringify([...this.acknowledgements(), ...acks].slice(-KEPT)));
    } catch {
      // Without storage the hall alone keeps them.
    }
  }
}
