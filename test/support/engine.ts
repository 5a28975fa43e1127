import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { Engine, type ScoreRequest, type ScoreResult } from "../../src/engine/engine.js";
import type { LoadedModel } from "../../src/engine/loaded-model.js";
import { resolveModel } from "../../src/engine/resolve-model.js";
import { readNetwork } from "../../src/graph/architectures/list.js";
import { type Checkpoint, openCheckpoint } from "../../src/graph/checkpoint.js";
import type { GraphModel } from "../../src/graph/graph-model.js";
import { fp32Graph } from "../../src/graph/model.js";
import type { Batch } from "../../src/runtime/batch.js";
import { createSession, type Session } from "../../src/runtime/session.js";
import { PairTokenizer } from "../../src/tokenizer/tokenizer.js";
import type { ScoreStats } from "../../src/types.js";
import type { Warn } from "../../src/warn.js";

/** The checkpoint in a folder. */
export async function checkpointOf(folder: string, warn: Warn = assert.fail): Promise<Checkpoint> {
  const { config, weights } = await resolveModel(folder);
  assert.equal(weights.kind, "safetensors");
  return openCheckpoint(weights.shards, readNetwork(config), warn);
}

/** Its graph: for padded batches, as on GPUs, or for others. */
export async function openGraph(folder: string, padded: boolean, warnings: string[] = []): Promise<GraphModel> {
  return fp32Graph(await checkpointOf(folder, (message) => warnings.push(message)), padded);
}

/** The same, opened on the CPU. */
export async function openSession(folder: string, padded: boolean, warnings?: string[]): Promise<Session> {
  return createSession(await openGraph(folder, padded, warnings), { name: "cpu", index: 0 });
}

export async function openTokenizer(folder: string): Promise<PairTokenizer> {
  const { paths } = await resolveModel(folder);
  return PairTokenizer.create(readFileSync(paths["tokenizer.json"]!), readFileSync(paths["tokenizer_config.json"]!));
}

/** A session without a model: a row's logit is the number of its tokens. */
export class FakeSession implements Session {
  readonly batches: Batch[] = [];
  released = 0;
  running = 0;
  /** Called with each batch before it is answered; may throw. */
  check: (batch: Batch) => void = () => {};
  logit: (batch: Batch, row: number) => number = (batch, row) => batch.lengths[row]!;
  /** How long a batch takes; `undefined` for no wait at all. */
  milliseconds: number | undefined;

  async run(batch: Batch): Promise<number[]> {
    assert.equal(this.released, 0, "nothing runs after the release");
    assert.equal(this.running++, 0, "one batch at a time");
    this.batches.push(batch);
    try {
      if (this.milliseconds !== undefined) await new Promise((done) => setTimeout(done, this.milliseconds));
      this.check(batch);
      return batch.lengths.map((_, row) => this.logit(batch, row));
    } finally {
      this.running--;
    }
  }

  async release(): Promise<void> {
    assert.equal(this.running, 0);
    this.released++;
  }
}

/** What an engine needs of a model; the session may be a made-up one. */
export function loadedModel(parts: Partial<LoadedModel> & Pick<LoadedModel, "session" | "tokenizer">): LoadedModel {
  const info = {
    model: "test",
    revision: undefined,
    architecture: "test",
    device: "cpu",
    dtype: "fp32",
    maxLength: 512,
  };
  return { info, limit: 512, batchTokens: 1024, padded: true, workers: 1, wide: false, warnings: [], ...parts };
}

/** Runs requests through an engine and collects what comes out, by request. */
export class EngineRun {
  readonly engine: Engine;
  /** All results and failures, in order. */
  readonly log: { id: number; indices: number[] | "failed" }[] = [];
  readonly logits = new Map<number, number[]>();
  readonly stats = new Map<number, ScoreStats>();
  readonly spans = new Map<number, ([number, number] | undefined)[]>();
  readonly warnings: string[] = [];
  readonly failures = new Map<number, unknown>();
  readonly #waiting = new Map<number, { left: number; done: () => void }>();

  constructor(model: LoadedModel) {
    this.engine = new Engine(model, {
      result: (result) => this.#take(result),
      failure: (id, error) => {
        this.failures.set(id, error);
        this.log.push({ id, indices: "failed" });
        this.#finish(id);
      },
      warning: (message) => this.warnings.push(message),
    });
  }

  /** Resolves when the request has been answered, by scores or by a failure. */
  submit(id: number, queries: string[], passages: string[], more: Partial<ScoreRequest> = {}): Promise<void> {
    this.logits.set(id, []);
    this.spans.set(id, []);
    return new Promise((done) => {
      this.#waiting.set(id, { left: passages.length, done });
      this.engine.submit({ id, queries, passages, queryOf: undefined, maxLength: 512, overflow: "truncate", ...more });
    });
  }

  #take({ id, indices, logits, spans, stats }: ScoreResult): void {
    if (stats) this.stats.set(id, stats);
    this.log.push({ id, indices });
    for (const [place, index] of indices.entries()) {
      if (this.logits.get(id)![index] !== undefined) throw new Error(`passage ${index} of ${id} was answered twice`);
      this.logits.get(id)![index] = logits[place]!;
      this.spans.get(id)![index] = spans?.[place];
    }
    const waiting = this.#waiting.get(id);
    if (waiting) waiting.left -= indices.length;
    if (waiting?.left === 0) this.#finish(id);
  }

  #finish(id: number): void {
    this.#waiting.get(id)?.done();
    this.#waiting.delete(id);
  }
}
