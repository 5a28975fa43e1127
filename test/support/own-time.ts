import { readFileSync } from "node:fs";

/**
 * Milliseconds since some moment, without those in which the main thread was ready and others had its core: what a busy
 * machine adds is nobody's fault. Where the system does not tell, those are counted too.
 */
export function ownTime(): number {
  let waited = 0;
  try {
    // Nanoseconds at work, nanoseconds ready: https://docs.kernel.org/scheduler/sched-stats.html
    waited = Number(readFileSync("/proc/self/schedstat", "utf8").split(" ")[1]) / 1e6;
  } catch {
    // Not Linux.
  }
  return performance.now() - waited;
}
