/** Where sealed bytes go: memory that browsers move to disk, or a private file. */

import type { Bytes } from "./bytes.js";

/** Takes bytes in order, then gives them back as one file. */
export interface Sink {
  write(bytes: Bytes): Promise<void>;
  close(): Promise<Blob>;
}

/** A sink of Blobs of about 8 MiB, which Chromium keeps on disk when they grow many. */
export function blobSink(): Sink {
  const pieces: Blob[] = [];
  let waiting: Bytes[] = [];
  let size = 0;
  const flush = (): void => {
    pieces.push(new Blob(waiting));
    waiting = [];
    size = 0;
  };
  return {
    async write(bytes) {
      waiting.push(bytes);
      size += bytes.length;
      if (size >= 8 * 1024 * 1024) flush();
    },
    async close() {
      flush();
      return new Blob(pieces, { type: "application/octet-stream" });
    },
  };
}

/**
 * A sink of a file in the origin's private file system: nothing stays in memory, and the file outlives a reload.
 *
 * @remarks The caller removes it, by {@link removePrivateFile}, once the bid is received.
 */
export async function privateFileSink(name: string): Promise<Sink> {
  const folder = await navigator.storage.getDirectory();
  const handle = await folder.getFileHandle(name, { create: true });
  const stream = await handle.createWritable();
  return {
    write: (bytes) => stream.write(bytes),
    async close() {
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
