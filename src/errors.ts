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

/** A short printable form of a bad value, for error messages. */
export function show(value: unknown): string {
  if (typeof value === "function") return "a function";
  if (typeof value === "bigint") return `${value}n`;
  let text: string | undefined;
  try {
    text = typeof value === "number" ? String(value) : JSON.stringify(value);
  } catch {
    // cyclic values fall through to String()
  }
  text ??= String(value);
  return text.length > 80 ? `${text.slice(0, 79)}…` : text;
}
