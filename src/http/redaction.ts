import { hidePasswords } from "../errors.js";

/** Replaces secrets in messages, for they end up in logs. Everybody who knows a secret passes all errors through one. */
export interface Redaction {
  text(text: string): string;
  /** The same value without secrets in it: an error with all its causes, or what JSON can hold. */
  clean<T>(value: T): T;
}

/** What is shorter is no secret, but would be found in many words. */
const SHORTEST_SECRET = 4;

/** @param secrets as they are sent; `undefined` and very short ones are left out */
export function redaction(secrets: Iterable<string | undefined>): Redaction {
  const forms = [...secrets]
    .filter((secret) => secret !== undefined)
    .flatMap((secret) => [secret, encodeURIComponent(secret), JSON.stringify(secret).slice(1, -1)])
    .filter(({ length }) => length >= SHORTEST_SECRET)
    // The longest first: one may be a part of another.
    .sort((a, b) => b.length - a.length);
  const text = (given: string) => hidePasswords(forms.reduce((rest, form) => rest.replaceAll(form, "***"), given));
  return { text, clean: <T>(value: T) => cleaned(value, text, new Set()) as T };
}

function cleaned(value: unknown, hide: (text: string) => string, seen: Set<unknown>, depth = 0): unknown {
  if (typeof value === "string") return hide(value);
  if (!isSimple(value) || seen.has(value)) return value;
  // A hostile answer may be nested deeper than functions can call themselves.
  if (depth > 20) return "…";
  seen.add(value);
  // The reason that a caller gave to an AbortController is the caller's own.
  if ("code" in value && value.code === "ABORTED") return value;
  // V8 makes it a property of its own, sometimes one with a getter.
  if (value instanceof Error && value.stack) replace(value, "stack", value.stack, hide(value.stack));
  for (const name of Object.getOwnPropertyNames(value)) {
    const { writable, value: member } = Object.getOwnPropertyDescriptor(value, name)!;
    if (writable) replace(value, name, member, cleaned(member, hide, seen, depth + 1));
  }
  return value;
}

function replace(owner: object, name: string, old: unknown, clean: unknown): void {
  if (clean !== old) Object.assign(owner, { [name]: clean });
}

/** Errors, arrays and plain objects: what a message may be made of. */
function isSimple(value: unknown): value is object {
  if (typeof value !== "object" || value === null) return false;
  return value instanceof Error || Array.isArray(value) || Object.getPrototypeOf(value) === Object.prototype;
}
