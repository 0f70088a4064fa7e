/**
 * The read model in the browser: a view and the facts that change it (hall/PROTOCOL.md).
 *
 * @remarks Pure. `tests/vectors/wire/` holds it to what the server does.
 */

/** What a patch or a view is made of. */
export type Value = string | number | boolean | null | Value[] | { [member: string]: Value };
export type Members = { [member: string]: Value };

/** The view of one audience at one number. */
export interface View extends Members {
  n: number;
  at: string;
  head: string;
}

/** A stored event on its way outward; `patch` turns the view at `n - 1` into the view at `n`. */
export interface Fact {
  readonly n: number;
  readonly at: string;
  readonly type: string;
  readonly prev: string;
  readonly digest: string;
  readonly words: { readonly zh: string; readonly en: string };
  readonly patch: Members;
}

/** What became of a fact: applied, known already, or proof that something is missing. */
export type Outcome =
  | { readonly kind: "applied"; readonly view: View }
  | { readonly kind: "known" }
  | { readonly kind: "gap"; readonly reason: "number" | "chain" };

/**
 * The view after `fact`. A fact that does not follow the one before it, by its number or by the digest it names, is a
 * gap: the caller fetches a whole view and keeps showing the old one meanwhile.
 */
export function reduce(view: View, fact: Fact): Outcome {
  if (fact.n <= view.n) return { kind: "known" };
  if (fact.n !== view.n + 1) return { kind: "gap", reason: "number" };
  if (fact.prev !== view.head) return { kind: "gap", reason: "chain" };
  const next = merge(view, fact.patch) as View;
  if (next.n !== fact.n || next.head !== fact.digest) return { kind: "gap", reason: "chain" };
  return { kind: "applied", view: next };
}

/** RFC 7396: `patch` merged into `target`, which is left as it is. */
export function merge(target: Value | undefined, patch: Value): Value {
  if (!isObject(patch)) return patch;
  const merged = new Map<string, Value>(isObject(target) ? Object.entries(target) : []);
  for (const [member, value] of Object.entries(patch)) {
    if (value === null) merged.delete(member);
    else merged.set(member, merge(merged.get(member), value));
  }
  return Object.fromEntries(merged); // own members only, whatever they are called
}

function isObject(value: Value | undefined): value is Members {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
