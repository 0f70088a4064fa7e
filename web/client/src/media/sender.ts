/**
 * Somebody on air: asked for, connected, connected again when the edge starts anew, and over when the hall says so.
 *
 * @remarks Every connection has a token of its own. After a goodbye of the hall the next token's answer tells whether
 * this person went on air on another device: two devices must not throw each other out for ever.
 */

import { Declined, Unreachable } from "../api.js";
import { type End, type Grant, NoWay, type Sending, type Tracks } from "./whip.js";

/** `elsewhere`: on another device. `refused`: `error` says why. */
export type State = "off" | "connecting" | "live" | "again" | "elsewhere" | "refused";

/** What a sender needs of the world; each is a stand-in in a test. */
export interface Door {
  grant(): Promise<Grant>;
  send(grant: Grant, tracks: Tracks): Sending;
  rest(milliseconds: number): Promise<void>;
}

const AFTER_GOODBYE = 3_000; // the other device has connected by then, if there is one
const SOONEST = 1_000;
const LATEST = 8_000;

export class Sender {
  readonly #door: Door;
  readonly #tell: (state: State, error: unknown) => void;
  #tracks: Tracks = { video: null, audio: null };
  #sending: Sending | null = null;
  #round = 0;

  constructor(door: Door, tell: (state: State, error: unknown) => void) {
    this.#door = door;
    this.#tell = tell;
  }

  /** What is connected now, if anything is. */
  get sending(): Sending | null {
    return this.#sending;
  }

  /** Send these, now or as soon as there is a connection. */
  change(tracks: Tracks): void {
    this.#tracks = tracks;
    void this.#sending?.change(tracks).catch(() => undefined); // it just ended: the next one begins with these
  }

  /** Be on air until `stop`, or until the hall says no. */
  async go(): Promise<void> {
    const round = ++this.#round;
    const on = (): boolean => round === this.#round;
    let [state, last, failures]: [State, End | null, number] = ["connecting", null, 0];
    while (on()) {
      this.#tell(state, null);
      let error: unknown = null;
      try {
        const grant = await this.#door.grant();
        if (!on()) return;
        if (last === "goodbye" && grant.sending === true) return this.#end(round, "elsewhere", null);
        last = null;
        const tracks = this.#tracks;
        const sending = this.#door.send(grant, tracks);
        this.#sending = sending;
        await sending.up;
        if (!on()) return;
        if (tracks !== this.#tracks) await sending.change(this.#tracks);
        failures = 0;
        this.#tell("live", null);
        last = await sending.over;
      } catch (caught) {
        error = caught;
      }
      if (!on()) return;
      await this.#hangUp();
      if (error !== null) {
        if (!passing(error)) return this.#end(round, "refused", error);
        failures++;
      }
      state = "again";
      this.#tell(state, error);
      await this.#door.rest(last === "goodbye" ? AFTER_GOODBYE : pause(failures));
    }
  }

  /** Hang up. */
  async stop(): Promise<void> {
    this.#round++;
    this.#tell("off", null);
    await this.#hangUp();
  }

  #end(round: number, state: State, error: unknown): void {
    if (round !== this.#round) return;
    this.#round++;
    this.#tell(state, error);
  }

  async #hangUp(): Promise<void> {
    const sending = this.#sending;
    this.#sending = null;
    await sending?.close();
  }
}

/** Whether trying again may help. A refusal of the hall stands; an edge that is away comes back. */
export function passing(error: unknown): boolean {
  if (error instanceof Declined) return error.status === 503 || error.status === 429 || error.code === "no_token";
  return error instanceof Unreachable || error instanceof NoWay;
}

/** Milliseconds before the next try. */
export function pause(failures: number): number {
  return Math.min(LATEST, SOONEST * 2 ** Math.max(0, failures - 1));
}
