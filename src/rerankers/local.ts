import { resolveModel } from "../engine/resolve-model.js";
import { disposedError, RerankError, show } from "../errors.js";
import { emptyResult, type ScoreRequest, type ScoreResult } from "../request.js";
import { EngineClient } from "../threads/engine-client.js";
import type { DownloadProgress, RerankerInfo, RerankerOptions } from "../types.js";
import { checkOptions } from "../validate.js";
import { emitWarning } from "../warn.js";
import { BaseReranker, type RunOptions } from "./base.js";
import { type EngineOptions, engineOptions } from "./engine-options.js";
import { instruct } from "./instructions.js";
import { rerankerOptionChecks } from "./option-checks.js";

/** The model of whoever is told nothing else. */
export const DEFAULT_MODEL = "BAAI/bge-reranker-base";

type OnProgress = ((progress: DownloadProgress) => void) | undefined;

/** Where a reranker gets its engine from: its own, or one that it shares. */
export interface EngineLease {
  /** The loaded engine; concurrent callers share one load. */
  open(onProgress: OnProgress): Promise<EngineClient>;
  close(): Promise<void>;
}

/** Loads one engine on demand. A failed load, or a thread that died, is forgotten, so that the next call tries again. */
export class EngineSource implements EngineLease {
  private loading: Promise<EngineClient> | undefined;
  private loaded: EngineClient | undefined;
  private readonly closing = new AbortController();

  constructor(
    private readonly model: string,
    private readonly options: EngineOptions,
  ) {}

  open(onProgress: OnProgress): Promise<EngineClient> {
    if (this.loaded && !this.loaded.alive) this.loading = this.loaded = undefined;
    this.loading ??= this.load(onProgress).catch((error) => {
      this.loading = undefined;
      throw error;
    });
    return this.loading;
  }

  /** A download that is under way ends; what it has got so far stays for the next one. */
  async close(): Promise<void> {
    this.closing.abort();
    const client = await this.loading?.catch(() => undefined);
    await client?.dispose();
  }

  private async load(onProgress: OnProgress): Promise<EngineClient> {
    const { device, dtype, batchTokens, worker, workers, ...where } = this.options;
    const files = await resolveModel(this.model, { ...where, onProgress, signal: this.closing.signal });
    const client = await EngineClient.start({ files, device, dtype, batchTokens, workers }, worker);
    client.facts.warnings.forEach(emitWarning);
    this.loaded = client;
    return client;
  }
}

/** The `Reranker` of local inference: its requests go to an engine of this process. */
export class LocalReranker extends BaseReranker {
  #info: RerankerInfo | undefined;
  readonly #options: RerankerOptions;
  readonly #lease: EngineLease;
  #disposed: Promise<void> | undefined;
  /** The engine that was used last: a shared one goes on without us. */
  #running: EngineClient | undefined;

  /** @param lease makes or finds the engine for a model and its options */
  constructor(
    model: string | undefined,
    options: RerankerOptions,
    lease: (model: string, options: EngineOptions) => EngineLease,
  ) {
    super();
    const name = model ?? DEFAULT_MODEL;
    if (typeof name !== "string" || name.trim() === "") {
      throw new RerankError("OPTION_INVALID", `The model must be a hub id, a folder or "mini", got ${show(model)}.`);
    }
    checkOptions("The reranker", options, rerankerOptionChecks);
    if (options.worker === false && (options.workers ?? 1) > 1) {
      throw new RerankError(
        "OPTION_INVALID",
        `workers ${options.workers} needs worker threads, which worker: false rules out.`,
      );
    }
    if (options.passageInstruction !== undefined && options.overflow === "max-passage") {
      throw new RerankError("OPTION_INVALID", 'passageInstruction does not go with overflow "max-passage".');
    }
    this.#options = { ...options };
    this.#lease = lease(name, engineOptions(options));
  }

  get info(): RerankerInfo | undefined {
    return this.#info;
  }

  dispose(): Promise<void> {
    this.#disposed ??= this.#lease.close();
    this.#running?.endCalls(this, disposedError());
    return this.#disposed;
  }

  protected async run(request: ScoreRequest, { signal, onProgress }: RunOptions): Promise<ScoreResult> {
    this.#checkUsable();
    if (request.passages.length === 0) return emptyResult();
    const engine = await this.open();
    // Either may have happened since the engine was there.
    this.#checkUsable();
    signal?.throwIfAborted();
    const maxLength = this.#info!.maxLength!;
    this.#running = engine;
    const { overflow = "truncate", queryMaxLength, queryInstruction, passageInstruction } = this.#options;
    const queries = request.queries.map((query) => instruct(queryInstruction, query));
    const passages = request.passages.map((passage) => instruct(passageInstruction, passage));
    const local = { ...request, queries, passages, maxLength, queryMaxLength, overflow };
    return engine.run(local, { owner: this, signal, onProgress });
  }

  protected async open(): Promise<EngineClient> {
    this.#checkUsable();
    const engine = await this.#lease.open(this.#options.onProgress).catch((error) => {
      this.#checkUsable();
      throw error;
    });
    this.#checkUsable();
    const { info, least, limit } = engine.facts;
    const { maxLength } = this.#options;
    const refuse = (why: string) => new RerankError("OPTION_INVALID", `maxLength ${maxLength} is ${why}.`);
    if (maxLength !== undefined && maxLength > limit)
      throw refuse(`more than the ${limit} tokens that ${info.model} allows`);
    if (maxLength !== undefined && maxLength < least)
      throw refuse(`less than the ${least} tokens of the shortest pair: its special tokens, and one of each text`);
    this.#info = { ...info, maxLength: maxLength ?? info.maxLength };
    return engine;
  }

  #checkUsable(): void {
    if (this.#disposed) throw disposedError();
  }
}
