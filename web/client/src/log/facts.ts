/** The chain of the facts that a page receives (crypto/FORMAT.md section 8, hall/PROTOCOL.md Fact message). */

import { fromHex } from "../bytes.js";
import { canonicalText, type Json } from "../canonical.js";
import { digestHex } from "../sha256.js";
import { Tree } from "../audit/tree.js";

/** A fact as it came, with what its digest is made of. */
export interface Heard {
  readonly n: number;
  readonly at: string;
  readonly type: string;
  readonly actor: string;
  readonly data: { readonly [member: string]: Json };
  readonly prev: string;
  readonly digest: string;
  readonly private_digest: string | null;
  readonly private?: { readonly salt: string; readonly value: Json };
}

/** Why the facts are not one history. `n` is the fact that shows it. */
export interface Break {
  readonly n: number;
  readonly why: "digest" | "private" | "prev" | "other";
}

export const GENESIS = "0".repeat(64);

/** What is wrong with a fact taken alone: its digest, or the private part that came with it. */
export function flaw(session: string, fact: Heard): Break | null {
  const { n, at, type, actor, data, prev } = fact;
  const core = { stream: `${session}/opening`, n, at, type, actor, data, private: fact.private_digest, prev };
  if (digested(core) !== fact.digest) return { n, why: "digest" };
  if (fact.private !== undefined && digested({ ...fact.private }) !== fact.private_digest) return { n, why: "private" };
  return null;
}

function digested(value: Json): string {
  try {
    return digestHex(canonicalText(value));
  } catch {
    return ""; // no canonical value has this digest
  }
}

/**
 * The digests of one history by number, from wherever a page came in.
 *
 * @remarks Facts may come in any order and more than once; one that is missing is no break until the next is there.
 */
export class Facts {
  readonly #session: string;
  readonly #digests = new Map<number, string>();
  readonly #before = new Map<number, string>(); // what fact n says that fact n - 1 was
  /** How many facts were recomputed here. */
  checked = 0;

  constructor(session: string) {
    this.#session = session;
    this.#digests.set(0, GENESIS);
  }

  /** A view says that fact `n` has this digest. */
  pin(n: number, digest: string): Break | null {
    const known = this.#digests.get(n) ?? this.#before.get(n + 1);
    if (known !== undefined && known !== digest) return { n, why: "other" };
    this.#digests.set(n, digest);
    return null;
  }

  add(fact: Heard): Break | null {
    const known = this.#digests.get(fact.n) ?? this.#before.get(fact.n + 1);
    if (known !== undefined && known !== fact.digest) return { n: fact.n, why: "other" };
    const wrong = flaw(this.#session, fact);
    if (wrong !== null) return wrong;
    const prev = this.#digests.get(fact.n - 1);
    if (prev !== undefined && prev !== fact.prev) return { n: fact.n, why: "prev" };
    if (!this.#before.has(fact.n)) this.checked++;
    this.#digests.set(fact.n, fact.digest);
    this.#before.set(fact.n, fact.prev);
    return null;
  }

  digest(n: number): string | null {
    return this.#digests.get(n) ?? null;
  }
}

/**
 * All facts from the first, each following from the one before; a {@link Break} otherwise. `rest` is awaited now and
 * then: twenty thousand facts take a second, and the page has other things to do.
 */
export async function wholeChain(
  session: string,
  facts: readonly Heard[],
  rest: () => Promise<void> = () => Promise.resolve(),
): Promise<Break | null> {
  const chain = new Facts(session);
  for (const [i, fact] of facts.entries()) {
    if (i % 100 === 99) await rest();
    if (fact.n !== i + 1) return { n: i + 1, why: "prev" };
    const broken = chain.add(fact);
    if (broken !== null) return broken;
  }
  return null;
}

/** The root of the log after the first `size` facts, which must be there. */
export function rootOf(facts: readonly Heard[], size: number): Uint8Array {
  const tree = new Tree();
  for (const { digest } of facts.slice(0, size)) tree.add(fromHex(digest));
  return tree.root();
}
