/** The key schedule of a sealed bid (crypto/FORMAT.md section 3). */

import { type Bytes, concat, equal, lv, utf8 } from "./bytes.js";
import { type StreamKey, streamKey } from "./chunked.js";
import { require } from "./errors.js";
import { expand, extract, sha256 } from "./kdf.js";

/** What a group's keys are bound to: change one and nothing opens. */
export interface Binding {
  readonly suite: string;
  readonly tender: string;
  readonly lot: string;
  readonly bidder: string;
  readonly deadline: string;
  readonly env: Bytes;
}

/** ctx_g: the digest of everything group `group` is bound to. */
export function contextOf(binding: Binding, group: string): Promise<Bytes> {
  const { suite, tender, lot, bidder, deadline, env } = binding;
  return sha256(...["SBID1/ctx", suite, tender, lot, bidder, deadline, env, group].map(lv));
}

/** kcb: the commitment to `key` that stands in the header. */
export function keyCommitment(key: Bytes, context: Bytes): Promise<Bytes> {
  return expand(key, concat(utf8("SBID1/kc/b"), context), 32);
}

/** Refuse `key` as `commitment_mismatch` unless it is the one `kcb` commits to. */
export async function checkCommitment(key: Bytes, context: Bytes, kcb: Uint8Array): Promise<void> {
  require(
    equal(await keyCommitment(key, context), kcb),
    "commitment_mismatch",
    "the key is not the one this bid was committed to",
    "Try the file and the certificate the bid was sealed with.",
  );
}

/** kct: the commitment to the tenderer's key, where a group has one. */
export function secondCommitment(key: Bytes, context: Bytes): Promise<Bytes> {
  return expand(key, concat(utf8("SBID1/kc/t"), context), 32);
}

/** Refuse the tenderer's `key` as `commitment_mismatch` unless it is the one `kct` commits to. */
export async function checkSecondCommitment(key: Bytes, context: Bytes, kct: Uint8Array | null): Promise<void> {
  const right = kct !== null && equal(await secondCommitment(key, context), kct);
  require(right, "commitment_mismatch", "the tenderer's key is not the one this bid was committed to");
}

/** What commits to the plain bytes of one part: nobody can name another sheet for it, or guess this one without `salt`. */
export async function plainCommitment(context: Bytes, part: string, salt: Bytes, plain: Bytes): Promise<Bytes> {
  return sha256(concat(utf8("SBID1/plain"), lv(context), lv(part), salt, await sha256(plain)));
}

/** The keys of the parts of one group, from its 32-byte key and the tenderer's, where it has one. */
export class GroupKey {
  readonly #context: Bytes;
  readonly #master: Bytes;

  private constructor(context: Bytes, master: Bytes) {
    this.#context = context;
    this.#master = master;
  }

  static async derive(key: Bytes, context: Bytes, second: Bytes | null = null): Promise<GroupKey> {
    const keys = second === null ? [key] : [key, second];
    const uses = await Promise.all(keys.map((each) => expand(each, concat(utf8("SBID1/use"), context), 32)));
    return new GroupKey(context, await extract(context, concat(...uses)));
  }

  /** The stream key of part `part` under `salt`. */
  async part(part: string, salt: Bytes): Promise<StreamKey> {
    const inputKey = await expand(this.#master, concat(utf8("SBID1/part"), lv(part)), 32);
    return streamKey(inputKey, concat(utf8("SBID1"), this.#context, lv(part)), salt);
  }
}
