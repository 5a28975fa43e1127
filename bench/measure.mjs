// What the benchmarks measure with.
import { readFileSync, writeFileSync } from "node:fs";

/**
 * Starts watching the event loop with a chain of 5 ms timers; the returned function ends it and gives the longest block:
 * `ms`, and `guestMs`, for which the thread ran or waited for a core. A virtual machine that is not given its cores wakes
 * nobody, which is in the first and not in the second (https://docs.kernel.org/scheduler/sched-stats.html; Linux only).
 */
export function watchEventLoop(step = 5) {
  const longest = { ms: 0, guestMs: 0 };
  const clock = () => {
    const [ran, waited] = read(`/proc/self/task/${process.pid}/schedstat`).split(" ").map(Number);
    return { now: performance.now(), guest: (ran + waited) / 1e6 };
  };
  let last = clock();
  const note = () => {
    const { now, guest } = clock();
    const block = now - last.now - step;
    longest.ms = Math.max(longest.ms, block);
    longest.guestMs = Math.max(longest.guestMs, Math.min(block, guest - last.guest));
    last = { now, guest };
  };
  let timer = setTimeout(function tick() {
    note();
    timer = setTimeout(tick, step);
  }, step);
  return () => {
    clearTimeout(timer);
    note();
    return longest;
  };
}

/** Memory of this process in MB, where /proc tells. */
export function memory() {
  const kilobytes = (file, key) =>
    Number(new RegExp(`^${key}:\\s+(\\d+)`, "m").exec(read(file))?.[1]) / 1024 || undefined;
  const residentMb = kilobytes("/proc/self/status", "VmRSS");
  // A page of a file that is mapped several times counts as often in the resident size, and once in the proportional one.
  const repeatedMb = residentMb - kilobytes("/proc/self/smaps_rollup", "Pss");
  return {
    residentMb,
    peakMb: kilobytes("/proc/self/status", "VmHWM"),
    repeatedMb,
    anonymousMb: kilobytes("/proc/self/smaps_rollup", "Anonymous"),
  };
}

/** Starts to watch what the host of a virtual machine takes; the returned function gives its share of the time that was wanted. */
export function watchSteal() {
  const ticks = () => (/^cpu +(.*)/m.exec(read("/proc/stat"))?.[1] ?? "").split(" ").map(Number);
  const before = ticks();
  return () => {
    const [user, nice, system, , , irq, softirq, steal] = ticks().map((value, i) => value - before[i]);
    return steal / (user + nice + system + irq + softirq + steal);
  };
}

/** From here on `peakMb` is the peak since now (https://docs.kernel.org/filesystems/proc.html, clear_refs). */
export function resetPeak() {
  try {
    writeFileSync("/proc/self/clear_refs", "5");
  } catch {}
}

export function median(values) {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
}

/** https://en.wikipedia.org/wiki/Lehmer_random_number_generator */
export function random(seed) {
  let state = seed % 2147483647 || 1;
  return () => {
    state = (state * 48271) % 2147483647;
    return state / 2147483647;
  };
}

function read(file) {
  try {
    return readFileSync(file, "utf8");
  } catch {
    return "";
  }
}
