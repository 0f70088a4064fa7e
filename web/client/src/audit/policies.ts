/**
 * Policies of a certificate path (RFC 5280 sections 6.1.2 to 6.1.5), any being acceptable and none asked for at first.
 *
 * @remarks Only whether some policy is left is of interest, and it hangs on the last level of the tree alone: nodes
 * of one policy on one level expect the same policies below them, so a level is a map (as in RFC 9618).
 */

import { hex } from "../bytes.js";
import * as der from "../der.js";
import type { Certificate } from "../x509.js";
import { extensionOf } from "./extensions.js";
import { selfIssued } from "./names.js";
import { demand } from "./report.js";

const POLICIES = "2.5.29.32";
const MAPPINGS = "2.5.29.33";
const CONSTRAINTS = "2.5.29.36";
const INHIBIT_ANY = "2.5.29.54";

/** anyPolicy, 2.5.29.32.0; policies are named by the bytes of their identifier, which may be longer than a number. */
const ANY = "551d2000";
const MOST = 1000;

/** The policies valid on a level, with those that each expects below it; null: none at all. */
type Level = ReadonlyMap<string, ReadonlySet<string>> | null;

/** Whether the policies of `path`, its anchor last, let it be; those of the anchor itself bind nobody. Throws on what is malformed. */
export function policiesPermit(path: readonly Certificate[]): boolean {
  const downwards = path.slice(0, -1).reverse();
  let level: Level = new Map([[ANY, new Set([ANY])]]);
  let [explicit, mapping, any] = Array<number>(3).fill(downwards.length + 1) as [number, number, number];
  for (const [i, certificate] of downwards.entries()) {
    const last = i === downwards.length - 1;
    const own = selfIssued(certificate);
    level = next(level, stated(certificate), any > 0 || (!last && own));
    if (explicit === 0 && level === null) return false;
    const limits = constraints(certificate);
    if (last) return level !== null || (explicit > 1 && limits.explicit !== 0);
    const maps = mappings(certificate);
    if (maps.has(ANY) || [...maps.values()].some((into) => into.has(ANY))) return false;
    level = mapped(level, maps, mapping > 0);
    if (!own) [explicit, mapping, any] = [explicit, mapping, any].map((left) => Math.max(0, left - 1)) as [number, number, number];
    explicit = Math.min(explicit, limits.explicit);
    mapping = Math.min(mapping, limits.mapping);
    any = Math.min(any, inhibitAny(certificate));
  }
  return true;
}

/** Section 6.1.3 (d) and (e). */
function next(above: Level, policies: ReadonlySet<string> | null, anyCounts: boolean): Level {
  if (above === null || policies === null) return null;
  const expected = new Set([...above.values()].flatMap((each) => [...each]));
  const level = new Map<string, ReadonlySet<string>>();
  for (const policy of policies) if (policy !== ANY && (expected.has(policy) || above.has(ANY))) level.set(policy, new Set([policy]));
  if (policies.has(ANY) && anyCounts) for (const policy of expected) level.set(policy, new Set([policy]));
  demand(level.size <= MOST, "too many policies");
  return level.size === 0 ? null : level;
}

/** Section 6.1.4 (b). */
function mapped(level: Level, maps: ReadonlyMap<string, ReadonlySet<string>>, allowed: boolean): Level {
  if (level === null) return null;
  const after = new Map(level);
  for (const [from, into] of maps) {
    if (!allowed) after.delete(from);
    else if (level.has(from) || level.has(ANY)) after.set(from, into);
  }
  return after.size === 0 ? null : after;
}

function stated(certificate: Certificate): ReadonlySet<string> | null {
  const extension = extensionOf(certificate, POLICIES);
  if (extension === null) return null;
  return new Set(der.children(der.read(extension.value), der.TAG.sequence).map((each) => name(der.children(each, der.TAG.sequence)[0])));
}

function mappings(certificate: Certificate): ReadonlyMap<string, ReadonlySet<string>> {
  const found = new Map<string, Set<string>>();
  const extension = extensionOf(certificate, MAPPINGS);
  for (const pair of extension === null ? [] : der.children(der.read(extension.value), der.TAG.sequence)) {
    const [from, into] = der.children(pair, der.TAG.sequence).map(name);
    demand(from !== undefined && into !== undefined, "a mapping from a policy to one");
    found.set(from, (found.get(from) ?? new Set()).add(into));
  }
  return found;
}

function constraints(certificate: Certificate): { readonly explicit: number; readonly mapping: number } {
  const extension = extensionOf(certificate, CONSTRAINTS);
  const parts = extension === null ? [] : der.children(der.read(extension.value), der.TAG.sequence);
  const skipped = (n: number): number => {
    const part = parts.find(({ tag }) => tag === der.contextPrimitive(n));
    return part === undefined ? Infinity : der.smallInteger({ ...part, tag: der.TAG.integer });
  };
  return { explicit: skipped(0), mapping: skipped(1) };
}

function inhibitAny(certificate: Certificate): number {
  const extension = extensionOf(certificate, INHIBIT_ANY);
  return extension === null ? Infinity : der.smallInteger(der.read(extension.value));
}

function name(element: der.Element | undefined): string {
  return hex(der.expect(element, der.TAG.oid).body);
}
