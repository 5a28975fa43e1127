import { MessageChannel, type MessagePort } from "node:worker_threads";
import { Thread } from "./thread.js";

/** How long an idle thread is kept. Milliseconds. */
const KEEP_MS = 10_000;

/** A thread at the service of one engine. */
interface AcquiredThread {
  /** For the engine, which closes it when it needs no more sessions. */
  port: MessagePort;
  /** Resolves when the thread is idle again, or has ended. */
  released: Promise<void>;
}

/** Those that an engine may get: idle now, or later. */
const pool = new Set<SessionThread>();

/**
 * Takes an idle thread, or a new one.
 * @param lost called when the thread ends before it is released, with the error that ended it, if any
 */
export function acquireThread(lost: (cause: unknown) => void): AcquiredThread {
  const thread = [...pool].find(({ idle }) => idle) ?? new SessionThread();
  return thread.acquire(lost);
}

/**
 * Runs the sessions of one engine after the other's. ONNX Runtime's large buffers are freed into a heap that glibc keeps
 * for the thread: were every engine to start threads of its own, such heaps would add up.
 */
export class SessionThread extends Thread {
  private user: { lost: (cause: unknown) => void; released: () => void } | undefined;
  private failure: unknown;
  private expiry: NodeJS.Timeout | undefined;

  constructor() {
    super("sessionWorker");
    pool.add(this);
    // Its one message: the engine has closed its port and the session is freed.
    this.on("message", () => this.release());
    this.on("error", (error) => {
      this.failure = error;
    });
    this.once("exit", () => {
      clearTimeout(this.expiry);
      pool.delete(this);
      this.user?.lost(this.failure);
      this.user?.released();
    });
    // After all else, since listening for messages makes it keep the process alive.
    this.unref();
  }

  get idle(): boolean {
    return this.user === undefined;
  }

  acquire(lost: (cause: unknown) => void): AcquiredThread {
    clearTimeout(this.expiry);
    const { port1: port, port2 } = new MessageChannel();
    this.postMessage(port2, [port2]);
    const released = new Promise<void>((resolve) => {
      this.user = { lost, released: resolve };
    });
    return { port, released };
  }

  private release(): void {
    this.user?.released();
    this.user = undefined;
    this.expiry = setTimeout(() => {
      pool.delete(this);
      void this.terminate();
    }, KEEP_MS).unref();
  }
}
