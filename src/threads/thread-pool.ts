import { MessageChannel, type MessagePort } from "node:worker_threads";
import { Thread } from "./thread.js";

/** How long a thread without a session is kept. Milliseconds. */
const KEEP_MS = 10_000;

/** A thread's work for one engine. */
interface Loan {
  /** For the engine, which closes it when it needs no more sessions. */
  port: MessagePort;
  /** Resolves when the thread is done with it, or has ended. */
  returned: Promise<void>;
}

const parked = new Set<SessionThread>();

/**
 * Lends a thread that has nothing to do, or a new one.
 * @param lost called when the thread ends before it is returned, with the error that ended it, if any
 */
export function lend(lost: (cause: unknown) => void): Loan {
  const [thread = new SessionThread()] = parked;
  parked.delete(thread);
  return thread.lend(lost);
}

/**
 * Runs the sessions of one engine after the other's. ONNX Runtime's large buffers are freed into a heap that glibc keeps
 * for the thread: were every engine to start threads of its own, such heaps would add up.
 */
export class SessionThread extends Thread {
  private loan: { lost: (cause: unknown) => void; end: () => void } | undefined;
  private failure: unknown;
  private expiry: NodeJS.Timeout | undefined;

  constructor() {
    super("./session-worker.js");
    // Its one message: the engine has closed its port and the session is freed.
    this.on("message", () => this.park());
    this.on("error", (error) => {
      this.failure = error;
    });
    this.once("exit", () => {
      clearTimeout(this.expiry);
      parked.delete(this);
      this.loan?.lost(this.failure);
      this.loan?.end();
    });
    // After all else, since listening for messages makes it keep the process alive.
    this.unref();
  }

  get idle(): boolean {
    return this.loan === undefined;
  }

  lend(lost: (cause: unknown) => void): Loan {
    clearTimeout(this.expiry);
    const { port1: port, port2 } = new MessageChannel();
    this.postMessage(port2, [port2]);
    const returned = new Promise<void>((end) => {
      this.loan = { lost, end };
    });
    return { port, returned };
  }

  private park(): void {
    this.loan?.end();
    this.loan = undefined;
    parked.add(this);
    this.expiry = setTimeout(() => {
      parked.delete(this);
      void this.terminate();
    }, KEEP_MS).unref();
  }
}
