/** Announcing an opening: chosen files become text, to be looked at before it is sent. */

const text = document.querySelector<HTMLTextAreaElement>('textarea[name="tender"]')!;

document.querySelector<HTMLInputElement>("input[data-file]")!.addEventListener("change", (event) => {
  const file = (event.target as HTMLInputElement).files?.[0];
  if (file !== undefined) void file.text().then((content) => (text.value = content));
});

for (const chooser of document.querySelectorAll<HTMLInputElement>("input[data-into]")) {
  chooser.hidden = false;
  chooser.addEventListener("change", () => {
    const file = chooser.files?.[0];
    const into = document.getElementById(chooser.dataset["into"]!) as HTMLTextAreaElement;
    if (file !== undefined) void certificate(file).then((content) => (into.value = content));
  });
}

/** A certificate file as text: PEM as it is, DER in base64. */
async function certificate(file: File): Promise<string> {
  const bytes = new Uint8Array(await file.arrayBuffer());
  const der = bytes[0] === 0x30;
  return der ? btoa(Array.from(bytes, (byte) => String.fromCharCode(byte)).join("")) : file.text();
}
