/** Announcing an opening: a tender file, looked at, then sent. */

import { ask } from "./api.js";
import { parseStrict } from "./canonical.js";
import { utf8 } from "./bytes.js";
import type { Speech } from "./dom.js";
import { running } from "./forms.js";
import type { Value } from "./hall.js";

const speech = JSON.parse(document.getElementById("page")!.textContent) as Speech;
const form = document.querySelector<HTMLFormElement>('form[data-act="new"]')!;
const text = form.querySelector<HTMLTextAreaElement>('textarea[name="tender"]')!;

form.querySelector<HTMLInputElement>('input[name="file"]')!.addEventListener("change", (event) => {
  const file = (event.target as HTMLInputElement).files?.[0];
  if (file !== undefined) void file.text().then((content) => (text.value = content));
});

form.addEventListener("submit", (event) => {
  event.preventDefault();
  void running(form, speech, async () => {
    const tender = parseStrict(utf8(text.value), 256 * 1024) as unknown as Value;
    const { session } = await ask("POST", "/api/v1/sessions", tender);
    location.assign(`/s/${session as string}`);
  });
});
