// Reads a JSON array of TypeScript source paths on stdin and writes a JSON array of JavaScript texts.
// Types become spaces, so lines and columns of what the browser runs are those of the source.
import { readFileSync } from "node:fs";
import { stripTypeScriptTypes } from "node:module";

// "experimental" is Node's word for the interface; the warning would only drown real ones.
process.removeAllListeners("warning");
const paths = JSON.parse(readFileSync(0, "utf8"));
const texts = paths.map((path) => {
  try {
    return stripTypeScriptTypes(readFileSync(path, "utf8"), { mode: "strip" });
  } catch (error) {
    throw new Error(`${path}: ${error.message}`, { cause: error });
  }
});
process.stdout.write(JSON.stringify(texts));
