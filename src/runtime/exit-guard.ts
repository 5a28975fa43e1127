/*
 * A thread that ends while ONNX Runtime's native code runs in it takes the whole process down with an abort. So the
 * inference threads count themselves while they are in there, and `process.exit` waits for it, for one batch at most; one
 * that takes too long is not waited for, and the process kills itself.
 */

const RUNNING = 0;
const STOPPING = 1;

/** Longest time that `process.exit` may be held up. Milliseconds. */
const PATIENCE_MS = 10_000;

/** Shared by the caller's thread and an inference thread. */
export type ExitState = Int32Array<SharedArrayBuffer>;

export function newExitState(): ExitState {
  return new Int32Array(new SharedArrayBuffer(8));
}

const watched = new Set<ExitState>();

/** Makes the exit of this process wait for the thread that has this state. Undone by the function that is returned. */
export function holdExit(state: ExitState): () => void {
  if (watched.size === 0) process.on("exit", waitForThreads);
  watched.add(state);
  return () => {
    watched.delete(state);
    if (watched.size === 0) process.off("exit", waitForThreads);
  };
}

function waitForThreads(): void {
  for (const state of watched) Atomics.store(state, STOPPING, 1);
  const deadline = performance.now() + PATIENCE_MS;
  for (const state of watched) {
    for (let running = Atomics.load(state, RUNNING); running > 0; running = Atomics.load(state, RUNNING)) {
      const left = deadline - performance.now();
      // To let the process end with native code in a thread would be the abort, with a core dump and a stack trace.
      if (Atomics.wait(state, RUNNING, running, left) === "timed-out") process.kill(process.pid, "SIGKILL");
    }
  }
}

let own: ExitState | undefined;

/** Tells this thread which state is its own. */
export function useExitState(state: ExitState): void {
  own = state;
}

/** Runs native code. While the process is ending it is not begun any more, and the promise stays open. */
export async function native<T>(work: () => Promise<T>): Promise<T> {
  if (!own) return work();
  // First this, then the look at the other flag, as the other side does: whoever comes second sees the first.
  Atomics.add(own, RUNNING, 1);
  try {
    if (Atomics.load(own, STOPPING) === 0) return await work();
  } finally {
    Atomics.sub(own, RUNNING, 1);
    Atomics.notify(own, RUNNING);
  }
  return new Promise<never>(() => {});
}
