/** The bundle as bytes: the manifest that lists its members, and the key that signed it (sessions/ARCHIVE.md). */

import { type Bytes, fromUtf8 } from "../bytes.js";
import { type JsonObject, parseCanonical } from "../canonical.js";
import { members } from "../fields.js";
import { type HallKey, readHallKey, readHallKeys, verifyByHall } from "../jws.js";
import { member } from "./bids.js";
import { same } from "./intake.js";
import { demand, type Found, found } from "./report.js";
import { fileDigest } from "../sha256.js";
import type { Data } from "./shapes.js";
import type { Files } from "./zipped.js";

export const LINES = 64 * 1024 * 1024;
export const [MANIFEST, SIGNATURE, KEYS] = ["manifest.json", "manifest.jws", "hall-keys.json"];

export interface Manifest {
  readonly bytes: Bytes;
  readonly session: string;
}

export async function checkManifest(files: Files): Promise<Found<Manifest>> {
  const bytes = member(files, MANIFEST);
  const stated = members(parseCanonical(bytes, LINES), ["v", "session", "files"]);
  const { session } = stated;
  demand(stated.v === 1 && typeof session === "string", "not a manifest of version 1");
  const listed = stated.files as { readonly [name: string]: Data };
  const here = [...files.keys()].filter((name) => name !== MANIFEST && name !== SIGNATURE);
  demand(Object.keys(listed).length === here.length, "it does not list just the files that are there");
  await Promise.all(
    here.map(async (name) => {
      demand(Object.hasOwn(listed, name), "it does not list just the files that are there");
      await isListed(name, files.get(name)!, listed[name]!);
    }),
  );
  return found({ bytes, session }, `${here.length} files`);
}

/** Fail unless `file` is the one that a manifest says so much of. */
export async function isListed(name: string, file: Bytes, said: Data): Promise<void> {
  const just = Object.keys(said).join() === "sha256,size" && said["size"] === file.length;
  demand(just && said["sha256"] === (await fileDigest(file)), `${name} is not the file that the manifest lists`);
}

export async function checkSignature(files: Files, manifest: Manifest): Promise<Found<HallKey>> {
  const key = await readHallKey(parseCanonical(member(files, "hall-key.json"), 65_536) as JsonObject);
  const payload = await verifyByHall(fromUtf8(member(files, SIGNATURE)), "manifest", key);
  await isOver(payload, manifest);
  const announced = announcedKey(files);
  demand(announced === null || announced === key.kid, `the opening was announced under hall key ${announced}, this is ${key.kid}`);
  const list = files.get(KEYS);
  if (list !== undefined) {
    const kids = (await readHallKeys(parseCanonical(list, LINES) as JsonObject)).map((one) => one.kid);
    demand(kids.length > 1 && kids.at(-1) === key.kid, "the list of keys does not lead to the one that signed");
  }
  return found(key, `hall key ${key.kid}`);
}

/** Fail unless the statement `payload` is over this manifest. */
export async function isOver(payload: Data, { session, bytes }: Manifest): Promise<void> {
  demand(same(payload, { v: 1, session, manifest_sha256: await fileDigest(bytes) }), "it is over something else");
}

/** Which key plan.json names, if it can be read; what it is worth, plan.announced says. */
function announcedKey(files: Files): string | null {
  try {
    const { hall_key: kid } = parseCanonical(member(files, "plan.json"), LINES) as { readonly hall_key?: string | null };
    return kid ?? null;
  } catch {
    return null;
  }
}
