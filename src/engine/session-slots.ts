import type { Session } from "../runtime/session.js";
import type { Warn } from "../warn.js";
import type { LoadedModel } from "./loaded-model.js";

/** A session and what it is doing. */
export interface Lane {
  session: Session;
  /** Batches that it has been given and not answered. */
  batches: number;
  /** Whether its last batch was done so soon that handing it the next one takes a noticeable part of the time. */
  quick: boolean;
  /** Opens a faster session in its place. */
  settle: LoadedModel["settle"];
  /** Gets no batches, since `settle` is about to begin or under way. */
  paused: boolean;
}

/** Such batches are handed to a session while it runs the one before. Milliseconds. */
const QUICK_MS = 10;

/** Work in all that makes the next improvement worth its cost. Milliseconds. */
const IMPROVE_AFTER_MS = 150;

/** The sessions of an engine: one at first, more and faster ones when there is enough work for them. */
export class Lanes {
  readonly all: Lane[];
  private most: number;
  /** Milliseconds of all batches since the last improvement. */
  private spent = 0;
  private improving: Promise<void> | undefined;

  /**
   * @param work called when a session has become free or been added
   * @param warn told what could not be improved, and why
   */
  constructor(
    private readonly model: LoadedModel,
    private readonly work: () => void,
    private readonly warn: Warn,
  ) {
    this.all = [lane(model.session, model.settle)];
    this.most = model.openAnother ? model.workers + (model.wide ? 1 : 0) : 1;
  }

  /**
   * Whether a lane should have a batch. A wide one, with the threads of all others, rests while they are at work, and
   * takes what comes alone.
   * @param untaken pairs that wait
   */
  mayTake(lane: Lane, untaken: number): boolean {
    if (lane.paused || lane.batches >= (lane.quick && lane.session.pipelined ? 2 : 1)) return false;
    const [first, ...others] = this.all;
    if (!this.model.wide || lane !== first || this.all.length < this.most) return true;
    return untaken === 1 && others.every(({ batches }) => batches === 0);
  }

  /** Keeps the books while a lane works on a batch. */
  async occupy(lane: Lane, batch: Promise<void>): Promise<void> {
    lane.batches++;
    const start = performance.now();
    await batch;
    const took = performance.now() - start;
    lane.batches--;
    lane.quick = took < QUICK_MS;
    this.spent += took;
  }

  /**
   * After some work: opens one more session where there is a use for it, then turns a draft into a session at full speed
   * while the others go on. So a program that scores a few pairs pays for neither.
   * @param untaken pairs that wait
   */
  improve(untaken: number): void {
    if (this.improving || this.spent < IMPROVE_AFTER_MS) return;
    const { openAnother } = this.model;
    const draft = this.all.find((lane) => lane.settle);
    if (openAnother && this.all.length < this.most && (draft || untaken > 0)) {
      this.improving = this.try("start another session", async () => {
        const { most } = this;
        // Unless it succeeds there will be no other try.
        this.most = this.all.length;
        this.all.push(lane(await openAnother(this.warn)));
        this.most = most;
      });
    } else if (draft?.settle) {
      draft.paused = true;
      if (draft.batches > 0) return; // called again when they are done
      const { settle } = draft;
      draft.settle = undefined;
      this.improving = this.try("pack the weights", async () => {
        try {
          draft.session = await settle(this.warn);
        } finally {
          draft.paused = false;
        }
      });
    }
  }

  /** Frees all sessions, which must have nothing to do any more. */
  async release(): Promise<void> {
    await this.improving;
    await Promise.all(this.all.map(({ session }) => session.release()));
  }

  private async try(what: string, improvement: () => Promise<void>): Promise<void> {
    try {
      await improvement();
    } catch (error) {
      this.warn(`Could not ${what}: ${error instanceof Error ? error.message : error}`);
    }
    this.spent = 0;
    this.improving = undefined;
    this.work();
  }
}

function lane(session: Session, settle?: LoadedModel["settle"]): Lane {
  return { session, batches: 0, quick: false, settle, paused: false };
}
