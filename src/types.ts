/** Where the model runs; `":1"` behind a name picks the second device of that kind. */
export type DeviceName = "cpu" | "cuda" | "webgpu" | "dml" | "coreml";
export type Device = "auto" | DeviceName | `${DeviceName}:${number}`;

/** Number format of weights and arithmetic. */
export type Dtype = "auto" | "fp32" | "fp16" | "int8";

/** What to do with a passage that does not fit: cut it, or score overlapping windows and keep the best. */
export type Overflow = "truncate" | "max-passage";

/** One step of a model download. Sizes are in bytes. */
export interface DownloadProgress {
  /** File name inside the repository. */
  file: string;
  /** Bytes of this file on disk so far, resumed bytes included. */
  loaded: number;
  /** Size of this file; `undefined` when the hub does not say. */
  total: number | undefined;
}

/** Options of local inference. */
export interface RerankerOptions {
  /**
   * Where to run. `"auto"` takes the best device that works (Linux x64: cuda, webgpu, cpu; Windows: dml, webgpu, cpu;
   * macOS arm64: webgpu, cpu; elsewhere cpu) and warns once when it has to fall back; a named device that cannot be had
   * throws `DEVICE_UNAVAILABLE`.
   * @default "auto"
   */
  device?: Device;
  /**
   * Number format. An explicit value that the device cannot run throws `OPTION_INVALID`.
   * @default "auto"
   */
  dtype?: Dtype;
  /**
   * Longest pair in tokens, special tokens included. At most what the model's position table allows.
   * @default the model's own limit, at most 512
   */
  maxLength?: number;
  /**
   * Most tokens of the query; what is longer is cut. FlagReranker's `query_max_length`. A positive integer.
   * @default three quarters of `maxLength`
   */
  queryMaxLength?: number;
  /**
   * What the model was taught to read with every query: put before it, or round it where it holds `{}`. FlagReranker's
   * `query_instruction_for_rerank` and its format. @default none
   */
  queryInstruction?: string;
  /** The same for every passage. Not with `overflow: "max-passage"`, whose windows are parts of the passage. @default none */
  passageInstruction?: string;
  /**
   * Long passages: `"truncate"` cuts them as FlagReranker does, `"max-passage"` splits them into overlapping windows
   * and keeps the best window's score.
   * @default "truncate"
   */
  overflow?: Overflow;
  /**
   * Token budget of one inference batch, padding included. Minimum 1; one pair is always run, however long.
   * @default on the CPU 512 for each core of a session up to 1024, on a GPU 16384
   */
  batchTokens?: number;
  /**
   * Run tokenization and inference in worker threads, so that the event loop stays free. `false` is for bundlers that
   * cannot ship a worker file.
   * @default true
   */
  worker?: boolean;
  /**
   * Most sessions that run at the same time, each in a thread of its own; beyond the first they start when there is
   * enough work. On the CPU they share the cores and one mapped copy of the weights; on `cuda` and `dml` they take one
   * device each, from the given one on. WebGPU and CoreML take one.
   * @default on the CPU one for each core, at most 4, where the weights can be shared; else 1
   */
  workers?: number;
  /** Branch, tag or commit of a hub repository. @default "main" */
  revision?: string;
  /** Hub cache folder (the layout that Python's huggingface_hub uses). @default `HF_HUB_CACHE`, else `$HF_HOME/hub`, else `~/.cache/huggingface/hub` */
  cacheDir?: string;
  /** Never open a connection; use what the cache holds. @default true when `HF_HUB_OFFLINE` is set, else false */
  localFilesOnly?: boolean;
  /** Access token for gated or private repositories. @default `HF_TOKEN`, else the token file that `hf auth login` writes */
  token?: string;
  /** Hub address, for mirrors. @default `HF_ENDPOINT`, else https://huggingface.co */
  endpoint?: string;
  /** Called while model files are downloaded. */
  onProgress?: (progress: DownloadProgress) => void;
}

/** What actually runs. */
export interface RerankerInfo {
  /** The model as it was named. */
  model: string;
  /** Commit of a hub model; `undefined` for folders, the embedded model and remote engines that do not say. */
  revision: string | undefined;
  /** `"xlm-roberta"`, `"roberta"`, `"bert"`, `"onnx"` (the repository's own graph) or `"remote"`. */
  architecture: string;
  /** `"cpu"`, `"webgpu"`, ..., or `"remote"`. */
  device: string;
  /** `"fp32"`, ...; `undefined` for a remote engine that does not say. */
  dtype: string | undefined;
  /** Longest pair in tokens, special tokens included; `undefined` for a remote engine that does not say. */
  maxLength: number | undefined;
}

export interface LoadOptions {
  /** Stops waiting. The load goes on for other callers; with none left its result is kept for the next call. */
  signal?: AbortSignal;
}

export interface ScoreOptions {
  /** Map logits to (0, 1) with the logistic sigmoid. @default false in `score` and `computeScore`, true in `rank` and the adapters */
  normalize?: boolean;
  /** Rejects the call with `ABORTED` and takes its remaining pairs out of the queue. */
  signal?: AbortSignal;
  /**
   * Milliseconds that the call may take, a first load included; then it rejects with `TIMEOUT` and its remaining pairs
   * leave the queue. The load goes on for later calls. From 1 to 2147483647. @default none
   */
  timeout?: number;
  /** Called after each batch with the number of passages scored so far and their total. */
  onProgress?: (done: number, total: number) => void;
  /** Called once, when all passages have been scored. */
  onStats?: (stats: ScoreStats) => void;
}

/** What a call took. The times are in milliseconds; they overlap, and do not hold the load of the model. */
export interface ScoreStats {
  /** Pairs of a query and a passage that were scored. */
  pairs: number;
  /** Tokens that the model read: special tokens included, padding not. `undefined` for a remote engine. */
  tokens: number | undefined;
  /** Passages that were cut, so that their end was not read. `undefined` for a remote engine. */
  truncated: number | undefined;
  /** From the call's arrival to its first batch, without tokenization: it waited for other calls. 0 for a remote engine. */
  queueMs: number;
  /** Time in which its texts were tokenized. 0 for a remote engine. */
  tokenizeMs: number;
  /** Time in which at least one of its batches was running; for a remote engine, from the first request to the last answer. */
  inferenceMs: number;
}

export interface RankOptions extends ScoreOptions {
  /** Keep this many documents at most, the first ones of the order. A positive integer. @default all */
  topN?: number;
  /** Drop documents whose returned score is below this value (inclusive: an equal score stays). @default none */
  scoreThreshold?: number;
  /**
   * The first stage's scores, one for each document, on any scale (cosine similarity, BM25). With them the order blends
   * both opinions: both kinds of scores are standardized over these documents, and
   * `(1 - retrievalWeight) * model + retrievalWeight * retrieval` decides. The returned `score`, and so the threshold,
   * stays the model's own. @default none: the model alone decides
   */
  retrievalScores?: readonly number[];
  /** Weight of `retrievalScores`, from 0 (none) to 1 (they alone). @default 0.5 */
  retrievalWeight?: number;
  /**
   * Makes chances of scores: 0.5 is then as likely relevant as not, whatever the model. What
   * `bge-reranker eval --calibrate` wrote: the file's path (read once), or its parsed content. The order stays as it is.
   * @default none: the plain sigmoid
   */
  calibration?: string | Calibration;
}

/** `sigmoid(scale * logit + offset)` is the chance that a passage is relevant, by somebody's judgments. */
export interface Calibration {
  /** Above 0. */
  scale: number;
  offset: number;
  /** For which model it was made; with another one it is refused. @default any */
  model?: string;
}

/** A document to rank: its text, or an object that has it in `text`. */
export type RerankDocument = string | { readonly text: string };

/** One document of a ranking. */
export interface RankedDocument<T extends RerankDocument = RerankDocument> {
  /** Position in the input. */
  index: number;
  /** Relevance score: the sigmoid of the logit in (0, 1), or the raw logit with `normalize: false`. */
  score: number;
  /** The very document that was passed in. */
  document: T;
  /** With `overflow: "max-passage"`: character range [start, end) of the best window in the text. */
  span?: [start: number, end: number];
}

/** A cross-encoder that scores query and passage together. */
export interface Reranker {
  /** What actually runs; `undefined` before the first load. */
  readonly info: RerankerInfo | undefined;
  /** Load now instead of on first use. Idempotent; concurrent callers share one load. */
  load(options?: LoadOptions): Promise<void>;
  /** Score one `[query, passage]` pair: the raw logit by default. */
  computeScore(pair: readonly [string, string], options?: ScoreOptions): Promise<number>;
  /** Score `[query, passage]` pairs, in input order: raw logits by default. */
  computeScore(pairs: readonly (readonly [string, string])[], options?: ScoreOptions): Promise<number[]>;
  /** Score passages against one query, in input order: raw logits by default. */
  score(query: string, passages: readonly string[], options?: ScoreOptions): Promise<number[]>;
  /** Rank documents, ordered by descending score (unless `retrievalScores` have a say), ties by lower index. */
  rank<T extends RerankDocument>(
    query: string,
    documents: readonly T[],
    options?: RankOptions,
  ): Promise<RankedDocument<T>[]>;
  /**
   * Free model and sessions; the sessions' threads end some seconds later unless a next model uses them. Later calls
   * reject with `DISPOSED`.
   */
  dispose(): Promise<void>;
  [Symbol.asyncDispose](): Promise<void>;
}
