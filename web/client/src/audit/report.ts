/** What was checked and what came out (sessions/ARCHIVE.md, "The checks"). */

import type { Verdict } from "./omission.js";

/** `skipped`: what it needs did not pass, so nothing can be said. */
export type Outcome = "passed" | "failed" | "skipped";

/** One named check; `detail` has figures, or what is wrong. */
export interface Check {
  readonly id: string;
  readonly outcome: Outcome;
  readonly detail: string;
}

export interface Report {
  readonly ok: boolean;
  readonly session: string | null;
  readonly title: { readonly zh: string; readonly en: string } | null;
  /** The `kid` of the key that signed the bundle: whose it is, the reader has to ask the hall. */
  readonly hallKey: string | null;
  /** SHA-256 of each certificate that the bundle asks us to trust. */
  readonly authorities: readonly string[];
  readonly checks: readonly Check[];
  /** What became of the bid whose receipt was laid beside the bundle; null without one. */
  readonly verdict: Verdict | null;
}

/** A check does not hold, for the reason that the message gives. */
export class Failed extends Error {
  constructor(message: string) {
    super(message);
    this.name = "Failed";
  }
}

/** What a check leaves for the checks after it, and the figures to show. */
export interface Found<T> {
  readonly value: T;
  readonly detail: string;
}

export function found<T>(value: T, detail: string): Found<T> {
  return { value, detail };
}

/** Raise {@link Failed} with `otherwise` unless `holds`. */
export function demand(holds: boolean, otherwise: string): asserts holds {
  if (!holds) throw new Failed(otherwise);
}

/** The checks as they are made; `null` from one means that it did not pass. */
export class Run {
  readonly checks: Check[] = [];
  readonly #tell: (check: Check) => void;

  constructor(tell: (check: Check) => void = () => undefined) {
    this.#tell = tell;
  }

  /** Make the check `id` if everything it `needs` is there. */
  async check<const N extends readonly unknown[], T>(
    id: string,
    needs: N,
    make: (...given: { [K in keyof N]: NonNullable<N[K]> }) => Found<T> | Promise<Found<T>>,
  ): Promise<T | null> {
    if (needs.some((need) => need === null)) {
      this.#note(id, "skipped", "");
      return null;
    }
    try {
      const { value, detail } = await make(...(needs as { [K in keyof N]: NonNullable<N[K]> }));
      this.#note(id, "passed", detail);
      return value;
    } catch (error) {
      // The file is a stranger's: whatever it makes a check stumble over is its fault.
      this.#note(id, "failed", error instanceof Error ? error.message.slice(0, 500) : String(error));
      return null;
    }
  }

  #note(id: string, outcome: Outcome, detail: string): void {
    this.note({ id, outcome, detail });
  }

  /** Take over a check that was made elsewhere. */
  note(check: Check): void {
    this.checks.push(check);
    this.#tell(check);
  }
}
