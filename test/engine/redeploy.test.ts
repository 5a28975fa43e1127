import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { copyFileSync, mkdirSync, readFileSync, renameSync, statSync, utimesSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, it, type TestContext } from "node:test";
import { loadReranker } from "../../src/rerankers/load.js";
import { editModel, type Tensors, useOwnCache } from "../support/checkpoint.js";
import { encode } from "../support/halves.js";
import { temporaryFolder } from "../support/paths.js";

useOwnCache();

const TIME = new Date(1e12);

/** Another model of the same size: the classifier's bias is another, in the precision that is wanted. */
function model(t: TestContext, half: boolean, bias: number): string {
  const edit = (tensors: Tensors) => {
    const { bytes } = tensors.get("classifier.bias")!;
    bytes.writeFloatLE(bias, 0);
    for (const [name, tensor] of half ? tensors : []) {
      const halves = Buffer.alloc(tensor.bytes.length / 2);
      for (let i = 0; i < tensor.bytes.length; i += 4) {
        const value = Math.fround(Math.round(tensor.bytes.readFloatLE(i) * 1024) / 1024);
        halves.writeUInt16LE(encode(value, "F16"), i / 2);
      }
      tensors.set(name, { ...tensor, dtype: "F16", bytes: halves });
    }
  };
  const folder = editModel(t, "bert", { tensors: edit });
  utimesSync(join(folder, "model.safetensors"), TIME, TIME);
  return folder;
}

async function score(folder: string): Promise<number> {
  await using reranker = await loadReranker(folder, { device: "cpu", worker: false });
  return await reranker.computeScore(["a", "server"]);
}

/** Ways to put one file in another's place, all with the same size and modification time. */
const WAYS: Record<string, (from: string, to: string, t: TestContext) => void> = {
  "overwritten in place": (from, to) => {
    writeFileSync(to, readFileSync(from));
    utimesSync(to, TIME, TIME);
  },
  renamed: (from, to) => {
    copyFileSync(from, `${to}.new`);
    utimesSync(`${to}.new`, TIME, TIME);
    renameSync(`${to}.new`, to);
  },
  "cp -p": (from, to) => void execFileSync("cp", ["-p", from, to]),
  "tar with fixed times": (from, to, t) => {
    const archive = join(temporaryFolder(t), "model.tar");
    execFileSync("tar", ["--mtime=@1000000000", "-cf", archive, "-C", join(from, ".."), "model.safetensors"]);
    execFileSync("tar", ["-xf", archive, "-C", join(to, "..")]);
  },
  "a folder swapped for another": (from, to) => {
    const folder = join(to, "..");
    renameSync(folder, `${folder}.${performance.now()}`);
    mkdirSync(folder);
    for (const name of ["config.json", "tokenizer.json", "tokenizer_config.json"]) {
      copyFileSync(join(from, "..", name), join(folder, name));
    }
    renameSync(from, to);
  },
};

describe("a checkpoint of the same size and time in another's place is noticed", () => {
  for (const [way, deploy] of Object.entries(WAYS)) {
    for (const half of [false, true]) {
      it(`${way}, ${half ? "F16" : "F32"}`, async (t) => {
        const old = model(t, half, 0);
        const before = await score(old);
        for (const bias of half ? [1] : [1, 2]) {
          const next = model(t, half, bias);
          deploy(join(next, "model.safetensors"), join(old, "model.safetensors"), t);
          assert.ok(statSync(join(old, "model.safetensors")).mtimeMs === TIME.getTime());
          const shift = (await score(old)) - before;
          assert.ok(Math.abs(shift - bias) < 1e-4, `moved by ${shift}, not ${bias}`);
        }
      });
    }
  }
});
