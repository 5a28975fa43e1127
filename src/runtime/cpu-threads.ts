import { readFileSync } from "node:fs";
import { availableParallelism } from "node:os";

/**
 * Compute threads for the CPU: one for each physical core that this process may use. Hyper-threads share one matrix
 * unit, and threads beyond a container's CPU quota only take turns.
 * @param read gives a file's content or `undefined`; replaced in tests
 */
export function computeThreads(available = availableParallelism(), read = readText): number {
  const perCore = threadsPerCore(read);
  const quota = cgroupQuota(read);
  return Math.max(1, Math.min(Math.floor(available / perCore), Math.floor(quota)));
}

function threadsPerCore(read: (path: string) => string | undefined): number {
  const siblings = read("/sys/devices/system/cpu/cpu0/topology/thread_siblings_list");
  return siblings ? countCpus(siblings) : 1;
}

/** `"0,64"` and `"0-1"` are two. */
function countCpus(list: string): number {
  return list.split(",").reduce((sum, part) => {
    const [first, last] = part.split("-").map(Number);
    return sum + (last === undefined ? 1 : last - first! + 1);
  }, 0);
}

/** CPUs that the container may use, cgroup v2 and v1: https://docs.kernel.org/admin-guide/cgroup-v2.html#cpu */
function cgroupQuota(read: (path: string) => string | undefined): number {
  const [quota, period] = read("/sys/fs/cgroup/cpu.max")?.split(" ") ?? [
    read("/sys/fs/cgroup/cpu/cpu.cfs_quota_us"),
    read("/sys/fs/cgroup/cpu/cpu.cfs_period_us"),
  ];
  const cpus = Number(quota) / Number(period);
  return cpus > 0 ? Math.max(1, cpus) : Number.POSITIVE_INFINITY;
}

function readText(path: string): string | undefined {
  try {
    return readFileSync(path, "utf8").trim();
  } catch {
    return undefined;
  }
}
