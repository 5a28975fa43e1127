import type { Session } from "../runtime/session.js";
import type { Warn } from "../warn.js";
import type { LoadedModel } from "./loaded-model.js";

/** A session and what it is doing. */
export interface SessionSlot {
  session: Session;
  state: SlotState;
  /** Batches that it has been given and not answered. */
  batches: number;
  /** Whether its last batch was done so soon that handing it the next one takes a noticeable part of the time. */
  quick: boolean;
}

type SlotState =
  /** Works; a faster session may take its place. */
  | { kind: "draft"; upgrade: Upgrade }
  /** Gets no more batches; its session is replaced once it has answered those that it has. */
  | { kind: "upgrading"; upgrade: Upgrade }
  | { kind: "ready" };

type Upgrade = NonNullable<LoadedModel["upgrade"]>;

/** Such batches are handed to a session while it runs the one before. Milliseconds. */
const QUICK_MS = 10;

/** Work in all that makes the next improvement worth its cost. Milliseconds. */
const IMPROVE_AFTER_MS = 150;

/** The sessions of an engine: one at first, more and faster ones when there is enough work for them. */
export class SessionSlots {
  readonly all: SessionSlot[];
  /** How many there are to be. */
  private readonly planned: number;
  /** Whether no further one can be had. */
  private complete: boolean;
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
    const { session, upgrade } = model;
    this.all = [slot(session, upgrade && { kind: "draft", upgrade })];
    this.planned = model.openAnother ? model.workers + (model.allCores ? 1 : 0) : 1;
    this.complete = this.planned === 1;
  }

  /**
   * Whether a slot should have a batch. The first session may compute on all cores: once all the others are there, which
   * share them, it rests while they are at work, and takes what comes alone.
   * @param queued pairs that no batch has taken
   */
  mayTake(slot: SessionSlot, queued: number): boolean {
    if (slot.state.kind === "upgrading") return false;
    if (slot.batches >= (slot.quick && slot.session.pipelined ? 2 : 1)) return false;
    const [first, ...others] = this.all;
    if (!this.model.allCores || slot !== first || this.all.length < this.planned) return true;
    return queued === 1 && others.every(({ batches }) => batches === 0);
  }

  /** Keeps the books while a slot works on a batch. */
  async occupy(slot: SessionSlot, batch: Promise<void>): Promise<void> {
    slot.batches++;
    const start = performance.now();
    await batch;
    const took = performance.now() - start;
    slot.batches--;
    slot.quick = took < QUICK_MS;
    this.spent += took;
  }

  /**
   * After some work: opens one more session where there is a use for it, then turns a draft into a session at full speed
   * while the others go on. So a program that scores a few pairs pays for neither.
   * @param queued pairs that no batch has taken
   */
  improve(queued: number): void {
    if (this.improving || this.spent < IMPROVE_AFTER_MS) return;
    const unfinished = this.all.find(({ state }) => state.kind !== "ready");
    if (!this.complete && (unfinished || queued > 0)) this.improving = this.openAnother();
    else if (unfinished) this.improving = this.upgrade(unfinished);
  }

  /** Frees all sessions, which must have nothing to do any more. */
  async release(): Promise<void> {
    await this.improving;
    await Promise.all(this.all.map(({ session }) => session.release()));
  }

  private openAnother(): Promise<void> {
    return this.try("start another session", async () => {
      // Unless it succeeds there is no other try.
      this.complete = true;
      this.all.push(slot(await this.model.openAnother!(this.warn)));
      this.complete = this.all.length === this.planned;
    });
  }

  /** Returns nothing while the slot has batches to answer: it is called again after them. */
  private upgrade(slot: SessionSlot): Promise<void> | undefined {
    if (slot.state.kind === "draft") slot.state = { ...slot.state, kind: "upgrading" };
    if (slot.state.kind === "ready" || slot.batches > 0) return undefined;
    const { upgrade } = slot.state;
    return this.try("pack the weights", async () => {
      try {
        slot.session = await upgrade(this.warn);
      } finally {
        slot.state = { kind: "ready" };
      }
    });
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

function slot(session: Session, state: SlotState = { kind: "ready" }): SessionSlot {
  return { session, state, batches: 0, quick: false };
}
