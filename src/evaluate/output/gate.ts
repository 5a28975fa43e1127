import { RerankError } from "../../errors.js";
import type { Evaluation } from "../evaluation.js";
import { figure } from "./findings.js";

/** What has to hold, for a CI that guards quality. */
export interface GateOptions {
  /** An earlier evaluation of the same data. */
  baseline?: Evaluation | undefined;
  /** Every reranker's first measure must be at least this. */
  failUnder?: number | undefined;
  /** No reranker's first measure may fall by more than this below the baseline's. */
  failDrop?: number | undefined;
}

/** What the gate saw. */
export interface GateResult {
  /** Each setting that stands in both evaluations. */
  changes: { setting: string; before: number; after: number }[];
  /** Why it fails; empty when it does not. */
  failures: string[];
}

/**
 * Compares with an earlier evaluation, and with what is wanted.
 * @throws RerankError `INPUT_INVALID` when the baseline measured something else
 */
export function gate(evaluation: Evaluation, { baseline, failUnder, failDrop }: GateOptions): GateResult {
  const measure = evaluation.measures[0]!;
  if (baseline) checkBaseline(evaluation, baseline);
  const failures: string[] = [];
  const changes: GateResult["changes"] = [];
  let compared = 0;
  for (const { name, kind, metrics } of evaluation.settings) {
    const after = metrics[measure]!.mean;
    const before = baseline?.settings.find((setting) => setting.name === name)?.metrics[measure]?.mean;
    if (before !== undefined) changes.push({ setting: name, before, after });
    if (kind !== "reranker") continue;
    if (failUnder !== undefined && after < failUnder) {
      failures.push(`${name}: ${measure} is ${figure(after)}, under ${failUnder}`);
    }
    if (before === undefined) continue;
    compared++;
    if (failDrop !== undefined && before - after > failDrop) {
      failures.push(`${name}: ${measure} fell from ${figure(before)} to ${figure(after)}, by more than ${failDrop}`);
    }
  }
  // A guard that guards nothing would always be content.
  if (failDrop !== undefined && compared === 0) failures.push("the baseline has none of these rerankers");
  return { changes, failures };
}

function checkBaseline({ measures: [measure], data }: Evaluation, baseline: Evaluation): void {
  const refuse = (why: string) => new RerankError("INPUT_INVALID", `The baseline ${why}.`);
  if (baseline?.format !== "bge-reranker evaluation" || baseline.version !== 1) {
    throw refuse("is not what bge-reranker eval --json writes");
  }
  if (!baseline.measures.includes(measure!)) throw refuse(`has no ${measure}, only ${baseline.measures.join(", ")}`);
  if (baseline.data.queries !== data.queries) {
    throw refuse(`has ${baseline.data.queries} queries, and this evaluation ${data.queries}`);
  }
}
