/** The relays that a WHIP or WHEP answer names (RFC 9725 section 4.6). Pure. */

const LINK = /<([^>]*)>((?:\s*;\s*[\w-]+(?:=(?:"[^"]*"|[^\s",;]*))?)*)/g;
const PARAMETER = /;\s*([\w-]+)=(?:"([^"]*)"|([^\s",;]*))/g;

/** Read a `Link` header: every address of relation `ice-server`, with its credentials. */
export function relays(header: string | null): RTCIceServer[] {
  const found: RTCIceServer[] = [];
  for (const [, urls, rest] of (header ?? "").matchAll(LINK)) {
    const given = new Map([...rest!.matchAll(PARAMETER)].map(([, name, quoted, bare]) => [name!, quoted ?? bare ?? ""]));
    if (given.get("rel") !== "ice-server" || !/^(stun|turn)s?:/.test(urls!)) continue;
    const [username, credential] = [given.get("username"), given.get("credential")];
    found.push(username !== undefined && credential !== undefined ? { urls: urls!, username, credential } : { urls: urls! });
  }
  return found;
}
