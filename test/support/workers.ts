import { subscribe } from "node:diagnostics_channel";
import type { Worker } from "node:worker_threads";

/** Worker threads of this process, from this module's import on; those that have ended too. */
export const workersStarted: Worker[] = [];

subscribe("worker_threads", (message) => void workersStarted.push((message as { worker: Worker }).worker));

/** Threads of an engine whose work has been too little for more: its own and one session's. */
export const THREADS = 2;

/** How many run now. A thread that has ended has the id -1. */
export function workersRunning(): number {
  return workersStarted.filter(({ threadId }) => threadId !== -1).length;
}
