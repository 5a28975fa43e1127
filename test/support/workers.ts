import { subscribe } from "node:diagnostics_channel";
import type { Worker } from "node:worker_threads";
import { SessionThread } from "../../src/threads/thread-pool.js";

/** Worker threads of this process, from this module's import on; those that have ended too. */
export const workersStarted: Worker[] = [];

subscribe("worker_threads", (message) => void workersStarted.push((message as { worker: Worker }).worker));

/** Threads of an engine whose work has been too little for more: its own and one session's. */
export const THREADS = 2;

/** Those that work for an engine now. A thread that has ended has the id -1. */
export function workersRunning(): Worker[] {
  return workersStarted.filter((worker) => worker.threadId !== -1 && !(worker instanceof SessionThread && worker.idle));
}

/** Engines started so far. */
export function enginesStarted(): number {
  return workersStarted.filter((worker) => !(worker instanceof SessionThread)).length;
}
