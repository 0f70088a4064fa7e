/**
 * What the QR code of a printed record or receipt says (`/verify#record=SESSION:SHA256`, `#tracker=SESSION:CODE`).
 *
 * @remarks It stands behind `#`, so that the hall is not told which paper is being looked at. Anybody can print a paper
 * with any code on it: this only says what the code says, and where to find what it must agree with.
 */

/** What a printed paper names: the digest of its record, or the tracker of its receipt. */
export interface PrintedPaper {
  readonly kind: "record" | "tracker";
  readonly session: string;
  readonly says: string;
}

const FORMS = {
  record: /^[0-9a-f]{64}$/,
  tracker: /^[0-9A-HJKMNP-TV-Z]{4}-[0-9A-HJKMNP-TV-Z]{4}-[0-9A-HJKMNP-TV-Z]{4}-[0-9A-HJKMNP-TV-Z]{2}$/,
} as const;

/** Reads a location's hash; null if it names no paper. */
export function readPaper(hash: string): PrintedPaper | null {
  const found = /^#(record|tracker)=(.{1,400}):([^:]+)$/u.exec(hash);
  if (found === null) return null;
  const kind = found[1] as keyof typeof FORMS;
  let session: string;
  try {
    session = decodeURIComponent(found[2]!);
  } catch {
    return null;
  }
  if (!/^[\p{L}\p{N}._~-]{1,128}$/u.test(session) || !FORMS[kind].test(found[3]!)) return null;
  return { kind, session, says: found[3]! };
}

/** Shows what the page was opened with, if it was by a paper's code. */
export function showPaper(root: ParentNode, hash: string): void {
  const paper = readPaper(hash);
  if (paper === null) return;
  const box = root.querySelector<HTMLElement>(`[data-paper="${paper.kind}"]`);
  if (box === null) return;
  box.hidden = false;
  box.querySelector("[data-says]")!.textContent = paper.says;
  box.querySelector("[data-session]")!.textContent = paper.session;
  const place = `/s/${encodeURIComponent(paper.session)}`;
  for (const link of box.querySelectorAll<HTMLAnchorElement>("a[data-to]")) {
    const to = link.dataset["to"];
    link.href = to === "bundle" ? `/api/v1/sessions/${encodeURIComponent(paper.session)}/bundle.zip` : to === "record" ? `${place}/record` : place;
  }
}
