import { CALIBRATION_OUTPUT } from "../graph/dense.js";
import type { Activations } from "../graph/int8.js";
import { type Batch, makeBatch } from "../runtime/batch.js";
import type { OwnSession } from "../runtime/session.js";
import type { PairTokenizer } from "../tokenizer/tokenizer.js";

/**
 * Texts that show a model's outlier channels. These are a property of the weights and appear for any text, so a few of
 * different kinds will do: questions and answers in English and Chinese, other scripts, code, numbers, noise.
 */
// biome-ignore format: one sample a line
const SAMPLES: readonly (readonly [query: string, passage: string])[] = [
  ["How do I reset my password?", "Open Settings, choose Account, then Security. Click “Reset password” and follow the link that we send you."],
  ["what is a giant panda", "The weather in the mountains changes within minutes; hikers should carry warm clothes, a map and enough water."],
  ["如何备份数据库？", "在命令行中运行备份工具，并把生成的文件保存到另一台机器上。建议每天自动执行一次。"],
  ["北京到上海的高铁要多久", "今天的会议改到下午三点，请各部门负责人准时参加。"],
  ["connection refused port 5432", "FATAL: could not connect to server: Connection refused (0x0000274D/10061). Is the server running on host \"localhost\"?"],
  ["sort an array in place", "function swap(a, i, j) { const t = a[i]; a[i] = a[j]; a[j] = t; } // O(n log n) on average"],
  ["¿Cuánto cuesta el envío internacional?", "Der Versand ins Ausland kostet 12,50 € und dauert 5–7 Werktage. La livraison en France est gratuite."],
  ["Как удалить аккаунт?", "アカウントを削除するには、設定画面を開いてください。 계정을 삭제하면 복구할 수 없습니다. لا يمكن التراجع عن هذا الإجراء."],
  ["", "1 2 3 4 5 6 7 8 9 10; 3.14159 2.71828 1.41421 — 2024-02-29 23:59:59 UTC +49 (0)30 1234567 #ffcc00 50%"],
  ["🙂🙃", "!!! ??? ... --- *** /// \\\\\\ ((())) [[[]]] {{{}}} <<<>>> === ~~~ ``` ''' \"\"\" ;;; ,,, :::"],
  ["refund policy", "Customers may return unused items within thirty days of delivery for a full refund. ".repeat(24)],
];

/** The samples, one pair a batch. */
export function sampleBatches(tokenizer: PairTokenizer, maxLength: number): Batch[] {
  return SAMPLES.map(([query, passage]) => batchOf(tokenizer, query, passage, maxLength));
}

/** Each sample's query with some passages of others: enough logits to tell how they are spread. */
export function mixedBatches(tokenizer: PairTokenizer, maxLength: number): Batch[] {
  const short = SAMPLES.filter(([, passage]) => passage.length < 500);
  return short.flatMap(([query], i) =>
    [0, 1, 2, 3].map((step) => batchOf(tokenizer, query, short[(i + step) % short.length]![1], maxLength)),
  );
}

function batchOf(tokenizer: PairTokenizer, query: string, passage: string, maxLength: number): Batch {
  const pair = tokenizer.pair(tokenizer.encode(query), tokenizer.encode(passage), maxLength);
  return makeBatch([pair], tokenizer.padId);
}

/** Runs batches through a graph with calibration outputs; returns the largest magnitude of every input channel. */
export async function observeActivations(session: OwnSession, batches: readonly Batch[]): Promise<Activations> {
  const largest = new Map<string, Float32Array>();
  for (const batch of batches) {
    for (const [output, values] of await session.runAll(batch)) {
      if (!output.endsWith(CALIBRATION_OUTPUT)) continue;
      const name = output.slice(0, -CALIBRATION_OUTPUT.length);
      const seen = largest.get(name) ?? new Float32Array(values.length);
      for (let i = 0; i < values.length; i++) seen[i] = Math.max(seen[i]!, values[i]!);
      largest.set(name, seen);
    }
  }
  return largest;
}

/** How far rounded logits are from the exact ones, in standard deviations of the latter. */
export function roundingError(exact: readonly number[], rounded: readonly number[]): number {
  const mean = exact.reduce((sum, x) => sum + x, 0) / exact.length;
  const spread = exact.reduce((sum, x) => sum + (x - mean) ** 2, 0);
  return Math.sqrt(exact.reduce((sum, x, i) => sum + (x - rounded[i]!) ** 2, 0) / (spread || Number.MIN_VALUE));
}
