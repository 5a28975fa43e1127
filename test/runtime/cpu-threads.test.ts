import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { computeThreads } from "../../src/runtime/cpu-threads.js";

const machine = (files: Record<string, string>) => (path: string) => files[path];
const SIBLINGS = "/sys/devices/system/cpu/cpu0/topology/thread_siblings_list";

describe("compute threads", () => {
  it("are one a physical core", () => {
    assert.equal(computeThreads(16, machine({ [SIBLINGS]: "0,8" })), 8);
    assert.equal(computeThreads(16, machine({ [SIBLINGS]: "0-1" })), 8);
    assert.equal(computeThreads(16, machine({ [SIBLINGS]: "0" })), 16);
    assert.equal(computeThreads(1, machine({ [SIBLINGS]: "0-1" })), 1);
  });

  it("stay within a container's quota, cgroup v2 and v1", () => {
    assert.equal(computeThreads(16, machine({ "/sys/fs/cgroup/cpu.max": "250000 100000" })), 2);
    assert.equal(computeThreads(16, machine({ "/sys/fs/cgroup/cpu.max": "50000 100000" })), 1);
    assert.equal(computeThreads(16, machine({ "/sys/fs/cgroup/cpu.max": "max 100000" })), 16);
    const v1 = { "/sys/fs/cgroup/cpu/cpu.cfs_quota_us": "400000", "/sys/fs/cgroup/cpu/cpu.cfs_period_us": "100000" };
    assert.equal(computeThreads(16, machine(v1)), 4);
    assert.equal(computeThreads(16, machine({ ...v1, "/sys/fs/cgroup/cpu/cpu.cfs_quota_us": "-1" })), 16);
  });

  it("are every CPU where the system does not say more", () => {
    assert.equal(computeThreads(12, machine({})), 12);
  });
});
