/** Named progress steps under a form: done, current, ahead, failed. */

export class Steps {
  readonly #list: HTMLElement;
  readonly #items: readonly HTMLElement[];
  #at = -1;

  constructor(form: ParentNode) {
    this.#list = form.querySelector<HTMLElement>("[data-steps]")!;
    this.#items = [...this.#list.querySelectorAll<HTMLElement>("[data-step]")];
    this.#list.hidden = false;
    for (const item of this.#items) item.dataset["value"] = "ahead";
  }

  /** Go on to the step called `name`; all before it are done. */
  enter(name: string): void {
    this.#at = this.#items.findIndex((item) => item.dataset["step"] === name);
    this.#items.forEach((item, i) => {
      item.dataset["value"] = i < this.#at ? "done" : i === this.#at ? "current" : "ahead";
    });
  }

  /** All steps are done. */
  finish(): void {
    for (const item of this.#items) item.dataset["value"] = "done";
  }

  /** The current step failed. */
  fail(): void {
    const item = this.#items[this.#at];
    if (item !== undefined) item.dataset["value"] = "failed";
  }
}
