/** What went wrong, for programs; the message says what was given, what was expected and what to do. */
export type RerankErrorCode =
  | "MODEL_NOT_FOUND"
  | "MODEL_INVALID"
  | "MODEL_UNSUPPORTED"
  | "DOWNLOAD_FAILED"
  | "DEVICE_UNAVAILABLE"
  | "OUT_OF_MEMORY"
  | "INPUT_INVALID"
  | "OPTION_INVALID"
  | "REMOTE_FAILED"
  | "OVERLOADED"
  | "TIMEOUT"
  | "ABORTED"
  | "DISPOSED";

/** The one error class of this package: branch on `code`; `cause` holds the underlying error where there is one. */
export class RerankError extends Error {
  override readonly name = "RerankError";
  readonly code: RerankErrorCode;

  constructor(code: RerankErrorCode, message: string, options?: { cause?: unknown }) {
    super(message, options);
    this.code = code;
  }
}

/** The error of a call whose signal has fired; the signal's reason becomes its cause. */
export function abortedError(signal: AbortSignal): RerankError {
  return new RerankError("ABORTED", "The call was aborted by its signal.", { cause: signal.reason });
}

/** The error of a call that took longer than its `timeout`. */
export function timeoutError(milliseconds: number): RerankError {
  return new RerankError(
    "TIMEOUT",
    `The call took longer than its timeout of ${milliseconds} ms; send fewer passages, or allow it more time.`,
  );
}

/** The error of a call on a reranker that has been disposed of. */
export function disposedError(): RerankError {
  return new RerankError("DISPOSED", "This reranker has been disposed; make a new one.");
}

/** The error of a score that is no number, from which no order can be made. */
export function notFiniteError(score: number, where: string): RerankError {
  return new RerankError(
    "MODEL_INVALID",
    `The model gave ${score} as the score ${where}; expected a finite number. Its weights are damaged or its number ` +
      "format overflows: check the model files or use dtype fp32.",
  );
}

/** A short printable form of a bad value, for error messages: of any value at all, and without passwords in URLs. */
export function show(value: unknown): string {
  const text = hidePasswords(printed(value));
  return text.length > LONGEST_SHOWN ? `${text.slice(0, LONGEST_SHOWN - 1)}…` : text;
}

const LONGEST_SHOWN = 80;

/** `text` with user and password of each URL in it replaced. */
export function hidePasswords(text: string): string {
  return text.replace(/\b[a-z][a-z\d+.-]{0,20}:\/\/[^\s"'<>]*@[^\s"'<>]*/gi, (url) => {
    const parsed = URL.canParse(url) ? new URL(url) : undefined;
    // A URL with an @ elsewhere stays; of one that nobody can parse, all before the last @ may be a password.
    return parsed && !parsed.username && !parsed.password ? url : url.replace(/:\/\/.*@/s, "://***@");
  });
}

function printed(value: unknown): string {
  if (typeof value === "function") return "a function";
  if (typeof value === "bigint") return `${value}n`;
  if (typeof value === "number" || typeof value === "symbol") return String(value);
  // More than is shown, so that a password is seen as one before anything is cut.
  if (typeof value === "string") return JSON.stringify(value.slice(0, 2000));
  try {
    return (JSON.stringify(value) ?? String(value)).slice(0, 2000);
  } catch {
    // Cyclic or very deep, holds a bigint, is too long for a string, or throws on its own.
    return isArray(value) ? "an array" : "an object";
  }
}

/** Array.isArray throws on a revoked proxy. */
function isArray(value: unknown): boolean {
  try {
    return Array.isArray(value);
  } catch {
    return false;
  }
}
