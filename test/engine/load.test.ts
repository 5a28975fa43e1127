import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { loadModel } from "../../src/engine/load.js";
import type { LoadedModel, LoadSpec } from "../../src/engine/loaded-model.js";
import { resolveModel } from "../../src/engine/resolve-model.js";
import { loadReranker } from "../../src/rerankers/load.js";
import { computeThreads } from "../../src/runtime/cpu-threads.js";
import { type Machine, thisMachine } from "../../src/runtime/machine.js";
import type { OpenSession } from "../../src/runtime/session.js";
import { editModel, useOwnCache } from "../support/checkpoint.js";
import { failsWith } from "../support/errors.js";
import { fixture } from "../support/paths.js";

useOwnCache();

const XLMR = fixture("models/xlmr");
const BERT = fixture("models/bert");
const noGpuHere = thisMachine().noGpu !== undefined;
/** A machine that looks as if it had a GPU. */
const hopeful: Machine = { platform: "linux", arch: "x64", noGpu: undefined };

async function load(model: string, more: Partial<LoadSpec> = {}, machine?: Machine): Promise<LoadedModel> {
  const spec = {
    files: await resolveModel(model),
    device: "cpu",
    dtype: "auto",
    batchTokens: undefined,
    ...more,
  } as const;
  const loaded = await loadModel(spec, undefined, machine);
  await loaded.session.release();
  return loaded;
}

describe("a loaded model tells", () => {
  it("what runs", async () => {
    const { info, limit, warnings } = await load(XLMR);
    assert.deepEqual(info, {
      model: XLMR,
      revision: undefined,
      architecture: "xlm-roberta",
      device: "cpu",
      dtype: "fp32",
      maxLength: 512,
    });
    assert.equal(limit, 512);
    assert.deepEqual(warnings, []);
    assert.equal((await load(BERT)).info.architecture, "bert");
    assert.equal((await load(fixture("models/roberta"))).info.architecture, "roberta");
  });

  it("the limit that its position table sets, below 512 too", async (t) => {
    const folder = editModel(t, "xlmr", {
      config: (config) => void Object.assign(config, { max_position_embeddings: 66 }),
      tensors: (tensors) => {
        const table = tensors.get("roberta.embeddings.position_embeddings.weight")!;
        Object.assign(table, { shape: [66, 64], bytes: table.bytes.subarray(0, 66 * 64 * 4) });
      },
    });
    const { info, limit } = await load(folder);
    assert.deepEqual([info.maxLength, limit], [64, 64]);
    const reranker = await loadReranker(folder, { device: "cpu", worker: false });
    assert.ok(Number.isFinite(await reranker.computeScore(["long ".repeat(500), "passage ".repeat(500)])));
    await reranker.dispose();
    for (const maxLength of [65, 512]) {
      const refused = loadReranker(folder, { device: "cpu", worker: false, maxLength });
      await assert.rejects(refused, failsWith("OPTION_INVALID", `maxLength ${maxLength}`, "64 tokens"));
    }
  });
});

describe("dtype", () => {
  it("runs as asked, or is refused: never as something else", async () => {
    for (const dtype of ["fp32", "int8"] as const) assert.equal((await load(BERT, { dtype })).info.dtype, dtype);
    await assert.rejects(load(BERT, { dtype: "fp16" }), failsWith("OPTION_INVALID", '"fp16"', "cpu", '"fp32"'));
    await assert.rejects(
      load(BERT, { dtype: "int8", device: "webgpu" }),
      failsWith("OPTION_INVALID", "int8", "webgpu"),
    );
  });

  it("int8 with device auto runs where int8 can", async () => {
    const { info } = await load(BERT, { device: "auto", dtype: "int8" }, hopeful);
    assert.deepEqual([info.device, info.dtype], ["cpu", "int8"]);
  });
});

describe("workers", () => {
  /** A load whose sessions are made up; tells where and how each was opened. */
  async function loadWith(more: Partial<LoadSpec>) {
    const opened: [device: string, threads: number | undefined][] = [];
    const open: OpenSession = async (_, { name, index }, { threads } = {}) => {
      opened.push([`${name}:${index}`, threads]);
      return { run: async ({ rows }) => new Array<number>(rows).fill(0), release: async () => {} };
    };
    const spec = { files: await resolveModel(BERT), device: "cpu", dtype: "auto", ...more } as const;
    const model = await loadModel(spec, { first: open, next: async () => open });
    return { model, opened, another: () => model.openAnother!(assert.fail) };
  }

  it("share the cores of the CPU, one for each unless said otherwise", async () => {
    const cores = computeThreads();
    assert.equal((await loadWith({})).model.workers, Math.min(4, cores));
    const { model, opened, another } = await loadWith({ workers: 3 });
    await another();
    assert.deepEqual([model.workers, model.allCores], [3, true]);
    assert.deepEqual(opened.at(-1), ["cpu:0", Math.max(1, Math.floor(cores / 3))]);
    const budgets = [{ workers: cores }, { workers: 1 }, { workers: 1, batchTokens: 7 }].map(loadWith);
    const tokens = (await Promise.all(budgets)).map(({ model }) => model.batchTokens);
    assert.deepEqual(tokens, [512, cores > 1 ? 1024 : 512, 7], "one core gets half of what several get");
  });

  it("take one CUDA device each, from the given one on", async () => {
    const { model, opened, another } = await loadWith({ device: "cuda:1", workers: 3 });
    await another();
    await another();
    assert.deepEqual([model.workers, model.allCores], [3, false]);
    const devices = opened.map(([device]) => device);
    assert.deepEqual(devices, ["cuda:1", "cuda:1", "cuda:2", "cuda:3"], "the first is tried with a small graph");
    assert.equal((await loadWith({ device: "cuda" })).model.workers, 1);
  });

  it("are one on WebGPU, which more would crash; the user hears of it", async () => {
    const { model } = await loadWith({ device: "webgpu", workers: 2 });
    assert.equal(model.workers, 1);
    assert.match(model.warnings.join(), /webgpu takes one worker in a process, not 2/);
  });

  it("are refused together with worker: false", async () => {
    const refused = loadReranker(BERT, { device: "cpu", worker: false, workers: 2 });
    await assert.rejects(refused, failsWith("OPTION_INVALID", "workers 2", "worker: false"));
  });
});

describe("a model that does not fit into memory", () => {
  const full: OpenSession = () => Promise.reject(new Error("std::bad_alloc"));

  it("is told as such, not as a missing device", async () => {
    const files = await resolveModel(BERT);
    for (const device of ["cpu", "cuda"] as const) {
      const refused = loadModel({ files, device, dtype: "auto" }, { first: full });
      await assert.rejects(refused, failsWith("OUT_OF_MEMORY", "bad_alloc", "memory"));
    }
  });

  it("runs on the next device", async () => {
    const files = await resolveModel(BERT);
    const open: OpenSession = async (model, device) => {
      if (device.name !== "cpu" && model.parts[0]!.folder) return full(model, device);
      return { run: async ({ rows }) => Array(rows).fill(0), release: async () => {} };
    };
    const { info, warnings } = await loadModel({ files, device: "auto", dtype: "auto" }, { first: open }, hopeful);
    assert.equal(info.device, "cpu");
    assert.match(warnings.join(), /bad_alloc/);
  });
});

describe("device", () => {
  it("auto on a machine without a GPU is the CPU, in silence", async () => {
    const { info, warnings } = await load(BERT, { device: "auto" }, { ...hopeful, noGpu: "no GPU was found" });
    assert.equal(info.device, "cpu");
    assert.deepEqual(warnings, []);
  });

  it("auto falls back with one warning that names every reason", {
    skip: !noGpuHere && "this machine has a GPU",
  }, async () => {
    const { info, warnings } = await load(BERT, { device: "auto" }, hopeful);
    assert.equal(info.device, "cpu");
    assert.equal(warnings.length, 1);
    assert.match(warnings[0]!, /Running on cpu.*cuda: .+webgpu: /s);
  });

  it("auto that cannot have its dtype says so", { skip: !noGpuHere && "this machine has a GPU" }, async () => {
    const refused = load(BERT, { device: "auto", dtype: "fp16" }, hopeful);
    await assert.rejects(refused, failsWith("DEVICE_UNAVAILABLE", '"auto"', "fp16 on cuda", "fp16 on webgpu"));
  });

  it("a named one that cannot be had is refused with its remedy", async () => {
    const cases: [LoadSpec["device"], boolean, ...(string | RegExp)[]][] = [
      ["cuda", noGpuHere, '"cuda"', "NVIDIA driver", "ONNXRUNTIME_NODE_INSTALL"],
      ["cuda:1", noGpuHere, '"cuda:1"', "NVIDIA driver"],
      ["webgpu:1", true, '"webgpu:1"', 'use "webgpu"'],
      ["cpu:1", true, '"cpu:1"', 'use "cpu"'],
      ["dml", process.platform !== "win32", "Windows"],
      ["coreml", process.platform !== "darwin", "macOS"],
    ];
    for (const [device, absent, ...said] of cases) {
      if (absent) await assert.rejects(load(BERT, { device }), failsWith("DEVICE_UNAVAILABLE", ...said));
    }
  });

  it("is refused through the public door too, from the worker thread", {
    skip: !noGpuHere && "this machine has a GPU",
  }, async () => {
    await assert.rejects(
      loadReranker(BERT, { device: "cuda" }),
      failsWith("DEVICE_UNAVAILABLE", "needs an NVIDIA driver"),
    );
  });
});
