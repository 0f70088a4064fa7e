// Paths of the second verifier on NIST's suite: certificates and lists as base64 on stdin, the verdict on each case on stdout.

import { readFileSync } from "node:fs";

import { readList } from "../../static/js/audit/lists.js";
import { pathTo, standing } from "../../static/js/audit/paths.js";
import { readCertificate } from "../../static/js/x509.js";

const { at, anchor, authorities, lists, cases } = JSON.parse(readFileSync(0, "utf8"));
const bytes = (text) => new Uint8Array(Buffer.from(text, "base64"));

/** What can be read; a thing that cannot is as if it were not there. */
function readable(texts, read) {
  return texts.flatMap((text) => {
    try {
      return [read(bytes(text))];
    } catch {
      return [];
    }
  });
}

const trust = { anchors: [readCertificate(bytes(anchor))], intermediates: readable(authorities, readCertificate), lists: readable(lists, readList) };

async function verdict(text) {
  try {
    const path = await pathTo(readCertificate(bytes(text)), trust, Date.parse(at));
    return path === null ? "no path" : await standing(path, trust, Date.parse(at));
  } catch (error) {
    return error.message;
  }
}

const said = {};
for (const [name, text] of Object.entries(cases)) said[name] = await verdict(text);
process.stdout.write(JSON.stringify(said));
