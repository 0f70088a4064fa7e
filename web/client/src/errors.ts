/** The errors the client raises on purpose. */

/**
 * Something is refused by a rule.
 *
 * @remarks `code` is stable and is what pages and tests look at (crypto/FORMAT.md section 10 lists those of a
 * sealed bid); `message` says which rule in English; `hint` says what to do next. Pages translate by `code`.
 */
export class Refused extends Error {
  readonly code: string;
  readonly hint: string;

  constructor(code: string, message: string, hint = "", cause?: unknown) {
    super(message, cause === undefined ? undefined : { cause });
    this.name = "Refused";
    this.code = code;
    this.hint = hint;
  }
}

/** Bytes or text not in their form, before anybody knows what they are part of. {@link reading} names that. */
export class Malformed extends Refused {
  constructor(message: string, code = "malformed_field", cause?: unknown) {
    super(code, message, "", cause);
    this.name = "Malformed";
  }
}

/** Refuse with `code` unless `holds`. */
export function require(holds: boolean, code: string, message: string, hint = ""): asserts holds {
  if (!holds) throw new Refused(code, message, hint);
}

/** Raise {@link Malformed} unless `holds`. */
export function form(holds: boolean, message: string, code = "malformed_field"): asserts holds {
  if (!holds) throw new Malformed(message, code);
}

/** What `read` returns; whatever is {@link Malformed} in it is refused as `code`. */
export function reading<T>(code: string, what: string, read: () => T): T {
  try {
    return read();
  } catch (error) {
    if (error instanceof Malformed) throw new Refused(code, `${what}: ${error.message}`, "", error);
    throw error;
  }
}
