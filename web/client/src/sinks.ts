/** Where sealed bytes go: memory for small bids, a private file of this site for large ones. */

import { type Bytes, concat } from "./bytes.js";
import { Refused } from "./errors.js";

/** Takes bytes in order, then gives them back as one file. Wait for each write before the next. */
export interface Sink {
  write(bytes: Bytes): Promise<void>;
  close(): Promise<Blob>;
}

/**
 * Up to here a bid is kept in memory.
 *
 * @remarks Chromium moves large Blobs made by scripts to disk by itself, and reading those back failed (NotReadableError)
 * in some of our runs at 400 MB; a private file did not.
 */
const SMALL = 64 * 1024 * 1024;

/** Bytes gathered for one write: each is a message to another process, so 1 MiB at a time is slow. */
const GATHER = 8 * 1024 * 1024;

/** The right sink for about `size` bytes: memory, or the private file `name` where the browser has such. */
export async function sinkFor(size: number, name: string): Promise<Sink> {
  const hasFiles = typeof FileSystemFileHandle === "function" && "createWritable" in FileSystemFileHandle.prototype;
  return size <= SMALL || !hasFiles ? blobSink() : privateFileSink(name);
}

/** A sink in memory. */
export function blobSink(): Sink {
  const pieces: Bytes[] = [];
  return {
    async write(bytes) {
      pieces.push(bytes);
    },
    async close() {
      return new Blob(pieces, { type: "application/octet-stream" });
    },
  };
}

/**
 * A sink in a file of the origin's private file system: little stays in memory, and the file outlives a reload.
 *
 * @remarks The caller removes it, by {@link removePrivateFile}, once the bid is received. `no_space` when it is full.
 */
export async function privateFileSink(name: string): Promise<Sink> {
  const folder = await navigator.storage.getDirectory();
  const handle = await folder.getFileHandle(name, { create: true });
  const stream = await handle.createWritable();
  let gathered: Bytes[] = [];
  let size = 0;
  let before: Promise<void> = Promise.resolve();
  /** Writes in the background, one at a time; a failure shows at the next write or at the close. */
  const flush = async (): Promise<void> => {
    await before;
    const bytes = concat(...gathered);
    gathered = [];
    size = 0;
    before = stream.write(bytes).catch((error: unknown) => {
      throw new Refused("no_space", "the sealed bid cannot be stored", "Free some space on this device.", error);
    });
    before.catch(() => undefined);
  };
  return {
    async write(bytes) {
      gathered.push(bytes);
      size += bytes.length;
      if (size >= GATHER) await flush();
    },
    async close() {
      await flush();
      await before;
      await stream.close();
      return handle.getFile();
    },
  };
}

/** The file a {@link privateFileSink} left, or null. */
export async function privateFile(name: string): Promise<File | null> {
  const folder = await navigator.storage.getDirectory();
  try {
    return await (await folder.getFileHandle(name)).getFile();
  } catch (error) {
    if (error instanceof DOMException && error.name === "NotFoundError") return null;
    throw error;
  }
}

/** Remove what a {@link privateFileSink} left, if anything. */
export async function removePrivateFile(name: string): Promise<void> {
  if ((await privateFile(name)) === null) return;
  await (await navigator.storage.getDirectory()).removeEntry(name);
}
