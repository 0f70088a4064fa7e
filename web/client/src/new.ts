/** Announcing an opening: a chosen tender file becomes text, to be looked at before it is sent. */

const text = document.querySelector<HTMLTextAreaElement>('textarea[name="tender"]')!;

document.querySelector<HTMLInputElement>("input[data-file]")!.addEventListener("change", (event) => {
  const file = (event.target as HTMLInputElement).files?.[0];
  if (file !== undefined) void file.text().then((content) => (text.value = content));
});
