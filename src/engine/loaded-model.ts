import type { ModelFiles } from "../model/model-files.js";
import type { OpenSession, Session } from "../runtime/session.js";
import type { PairTokenizer } from "../tokenizer/tokenizer.js";
import type { Device, Dtype, RerankerInfo } from "../types.js";
import type { Warn } from "../warn.js";

/** Pairs beyond this many tokens are cut unless the caller asks for more. */
export const DEFAULT_MAX_LENGTH = 512;

/** What to load, as plain data that crosses threads. */
export interface LoadSpec {
  files: ModelFiles;
  device: Device;
  dtype: Dtype;
  batchTokens?: number | undefined;
  workers?: number | undefined;
}

/** Where sessions run. */
export interface Sessions {
  /** Opens the first session, and each that is tried before it is found. */
  first: OpenSession;
  /** Gives a place for one more; none without threads. */
  next?: () => Promise<OpenSession>;
  /**
   * Least bytes of packed weights for which the first session is a draft, which a faster one follows. Fewer than the
   * default are packed in less than 20 ms.
   * @default 32 MiB
   */
  draftBytes?: number;
}

/** A model that is ready to run. */
export interface LoadedModel {
  session: Session;
  /** most sessions that may run at the same time */
  workers: number;
  /** Whether `session` computes on all cores, and others on their share of them: then it is the one for a lone batch. */
  allCores: boolean;
  /** Opens one more session, where there may be more than one. */
  openAnother?: (warn: Warn) => Promise<Session>;
  /** Opens the first session anew, in its place, when it is a draft: one that was there soon and runs slower. */
  upgrade?: (warn: Warn) => Promise<Session>;
  /**
   * For each call, before it is run: costs one `stat` for each file of weights.
   * @throws {RerankError} `MODEL_INVALID` when one has been overwritten in place since the load
   */
  checkFiles(): void;
  tokenizer: PairTokenizer;
  info: RerankerInfo;
  /** token ids that the model knows, from 0 on, where that is known */
  vocab?: number | undefined;
  /** longest pair that the model's position table allows */
  limit: number;
  /** tokens of one run, padding included */
  batchTokens: number;
  /** whether one run may hold pairs of different lengths, padded to the longest */
  padded: boolean;
  /** sentences for the user: what was fallen back from, and why */
  warnings: string[];
}
