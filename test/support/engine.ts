import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { Engine } from "../../src/engine/engine.js";
import type { LoadedModel } from "../../src/engine/loaded-model.js";
import { resolveModel } from "../../src/engine/resolve-model.js";
import { readNetwork } from "../../src/graph/architectures/list.js";
import { type Checkpoint, openCheckpoint } from "../../src/graph/checkpoint.js";
import type { GraphModel } from "../../src/graph/graph-model.js";
import { fp32Graph } from "../../src/graph/model.js";
import type { LocalRequest, ScoreResult, Span } from "../../src/request.js";
import type { Batch } from "../../src/runtime/batch.js";
import { createSession, type Session } from "../../src/runtime/session.js";
import { PairTokenizer } from "../../src/tokenizer/tokenizer.js";
import type { ScoreStats } from "../../src/types.js";
import type { Warn } from "../../src/warn.js";

/** The checkpoint in a folder. */
export async function checkpointOf(folder: string, warn: Warn = assert.fail): Promise<Checkpoint> {
  const { config, weights } = await resolveModel(folder);
  assert.equal(weights.kind, "safetensors");
  return openCheckpoint({ model: folder, files: weights.shards, network: readNetwork(config) }, warn);
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
  return {
    info,
    limit: 512,
    batchTokens: 1024,
    padded: true,
    workers: 1,
    allCores: false,
    warnings: [],
    checkFiles: () => {},
    ...parts,
  };
}

/** Runs requests through an engine and collects what comes out, by request. */
export class EngineRun {
  readonly engine: Engine;
  /** All that has been heard of requests, in order: how many of a request's passages have scores, or its failure. */
  readonly log: { id: number; scored: number | "failed" }[] = [];
  readonly logits = new Map<number, number[]>();
  readonly stats = new Map<number, ScoreStats>();
  readonly spans = new Map<number, readonly Span[] | undefined>();
  readonly warnings: string[] = [];
  readonly failures = new Map<number, unknown>();
  stopped: unknown;
  readonly #answered = new Map<number, () => void>();

  constructor(model: LoadedModel) {
    this.engine = new Engine(model, {
      progress: (id, scored) => this.log.push({ id, scored }),
      result: (id, { scores, spans, stats }: ScoreResult) => {
        this.logits.set(id, Array.from(scores));
        this.spans.set(id, spans);
        this.stats.set(id, stats);
        this.log.push({ id, scored: scores.length });
        this.#answered.get(id)!();
      },
      failure: (id, error) => {
        this.failures.set(id, error);
        this.log.push({ id, scored: "failed" });
        this.#answered.get(id)!();
      },
      stopped: (error) => {
        this.stopped = error;
        for (const answered of this.#answered.values()) answered();
      },
      warning: (message) => this.warnings.push(message),
    });
  }

  /** Resolves when the request has been answered, by scores or by a failure. */
  submit(id: number, queries: string[], passages: string[], more: Partial<LocalRequest> = {}): Promise<void> {
    return new Promise((done) => {
      this.#answered.set(id, done);
      this.engine.submit(id, { queries, passages, maxLength: 512, overflow: "truncate", ...more });
    });
  }
}
