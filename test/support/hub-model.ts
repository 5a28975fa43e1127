import { createHash } from "node:crypto";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import type { TestContext } from "node:test";
import { partialTiming } from "../../src/model/hub/partial-file.js";
import { timing } from "../../src/model/hub/request.js";
import { HubServer } from "./hub-server.js";
import { temporaryFolder } from "./paths.js";

/** A hub with one small model on it, and an empty cache. */
export interface HubFixture {
  hub: HubServer;
  cacheDir: string;
  /** Commit of `MODEL`. */
  commit: string;
  /** Options of `resolveModel` that lead there. */
  options: { endpoint: string; cacheDir: string; token: string; localFilesOnly: false };
}

export const MODEL = "tester/tiny-reranker";

/** Bytes without a pattern that a wrong offset could hide in. */
export function noise(length: number, seed: string): Buffer {
  const pieces: Buffer[] = [];
  for (let index = 0; index * 32 < length; index++) {
    pieces.push(createHash("sha256").update(`${seed} ${index}`).digest());
  }
  return Buffer.concat(pieces).subarray(0, length);
}

export const WEIGHTS = noise(400_000, "weights");

/** What `MODEL` holds: files that are needed and some that are not. */
export const FILES: Record<string, string | Buffer> = {
  "config.json": JSON.stringify({
    model_type: "xlm-roberta",
    hidden_size: 8,
    num_hidden_layers: 1,
    num_attention_heads: 2,
    intermediate_size: 16,
    vocab_size: 20,
    max_position_embeddings: 34,
    type_vocab_size: 1,
    layer_norm_eps: 1e-5,
    pad_token_id: 1,
    id2label: { 0: "LABEL_0" },
  }),
  "tokenizer.json": JSON.stringify({ version: "1.0" }),
  "tokenizer_config.json": JSON.stringify({ model_max_length: 32 }),
  "model.safetensors": WEIGHTS,
  "README.md": "# Tiny",
  "onnx/model.onnx": noise(1000, "onnx"),
  "pytorch_model.bin": noise(1000, "pytorch"),
};

/** The names in `FILES` that running the model takes. */
export const NEEDED = ["config.json", "tokenizer.json", "tokenizer_config.json", "model.safetensors"];

/** Starts a hub with `MODEL` for one test, and makes all waits short. */
export async function hubFixture(context: TestContext): Promise<HubFixture> {
  timing.backoff = 5;
  timing.silence = 2_000;
  Object.assign(partialTiming, { poll: 10, stale: 15_000, heartbeat: 2_000 });
  // Nothing of the machine's own settings may reach a test.
  for (const name of Object.keys(process.env))
    if (/^(HF_|HUGGING|TRANSFORMERS_OFFLINE)/.test(name)) delete process.env[name];
  const hub = await HubServer.start();
  context.after(() => hub.close());
  const cacheDir = temporaryFolder(context);
  process.env.HF_HOME = cacheDir;
  const commit = hub.addModel(MODEL, FILES);
  return { hub, cacheDir, commit, options: { endpoint: hub.endpoint, cacheDir, token: "", localFilesOnly: false } };
}

/** Content of every resolved file, by name. */
export function contents(paths: Record<string, string>): Record<string, Buffer> {
  return Object.fromEntries(Object.entries(paths).map(([name, path]) => [name, readFileSync(path)]));
}

/** The content of the files of `FILES` that are needed. */
export function expectedContents(files: Record<string, string | Buffer> = FILES): Record<string, Buffer> {
  return Object.fromEntries(NEEDED.map((name) => [name, Buffer.from(files[name] as Buffer)]));
}

/** Names in the blobs folder of `MODEL`. */
export function blobs(cacheDir: string): string[] {
  return readdirSync(join(cacheDir, "models--tester--tiny-reranker", "blobs"));
}
