import { RerankError } from "../../errors.js";
import { loadReranker } from "../../rerankers/load.js";
import { rerankerOptionChecks } from "../../rerankers/option-checks.js";
import type { Reranker } from "../../types.js";
import { isOneOf, isPositiveInteger } from "../../validate.js";
import { defineCommand, UsageError } from "../command.js";
import { type Io, paint } from "../io.js";
import { fileOptions, lengthOptions, toRerankerOptions } from "../options.js";
import { Progress } from "../progress.js";

/** Passages in one request. */
const SIZES = [10, 50, 100];

/** Measurements of one device and dtype. */
interface Measured {
  device: string;
  dtype: string;
  /** Milliseconds from the call to a model that is ready; files were there before. */
  loadMs: number;
  requests: { passages: number; p50Ms: number; p95Ms: number; pairsPerSecond: number }[];
}

interface Refused {
  device: string;
  dtype: string;
  problem: string;
}

export const benchCommand = defineCommand({
  name: "bench",
  summary: "Measure a model on this machine: pairs a second and latency, by device and dtype.",
  positionals: [{ name: "MODEL", required: false, help: 'Hub id, folder, or mini. Default "BAAI/bge-reranker-base".' }],
  options: {
    device: { kind: "text", value: "LIST", help: "Devices, separated by commas. Default auto." },
    dtype: { kind: "text", value: "LIST", help: "fp32, fp16, int8 or auto, separated by commas. Default auto." },
    words: {
      kind: "number",
      value: "N",
      check: isPositiveInteger,
      help: "Words in a passage: half of them have fewer, half more. Default 80.",
    },
    runs: { kind: "number", value: "N", check: isPositiveInteger, help: "Timed requests of each size. Default 5." },
    json: { kind: "flag", help: "Print a JSON object." },
    ...fileOptions,
    ...lengthOptions,
  },
  details: `Requests of ${SIZES.join(", ")} passages are timed one after the other, after one that is not. Passages are made of English words
and differ in length as found passages do (log-normal, sigma 0.6). Close other programs: they share the processor.

  bge-reranker bench mini --dtype fp32,int8
  bge-reranker bench BAAI/bge-reranker-v2-m3 --device cuda,cpu --json`,
  async run({ values, positionals: [model] }, io) {
    const { device, dtype, words = 80, runs = 5, json, ...rest } = values;
    const devices = list("device", device, rerankerOptionChecks.device);
    const dtypes = list("dtype", dtype, isOneOf("auto", "fp32", "fp16", "int8"));
    const passages = makePassages(Math.max(...SIZES), words);
    const progress = new Progress(io);
    const results: (Measured | Refused)[] = [];
    for (const device of devices) {
      for (const dtype of dtypes) {
        progress.loading(`${model ?? "the model"} on ${device} in ${dtype}`);
        const options = { ...toRerankerOptions({ ...rest, device, dtype }), onProgress: progress.download };
        try {
          const start = performance.now();
          await using reranker = await loadReranker(model, options);
          const loadMs = performance.now() - start;
          results.push(await measure(reranker, loadMs, passages, runs, io.signal));
        } catch (error) {
          const skip = error instanceof RerankError && /^(DEVICE_UNAVAILABLE|OPTION_INVALID)$/.test(error.code);
          if (!skip || devices.length * dtypes.length === 1) throw error;
          results.push({ device, dtype, problem: error.message });
        } finally {
          progress.clear();
        }
      }
    }
    io.stdout.write(json ? `${JSON.stringify({ model, words, runs, results })}\n` : table(results, io));
    return results.some((result) => "problem" in result) ? 1 : 0;
  },
});

function list(name: string, given: string | undefined, check: (value: unknown) => string | undefined): string[] {
  const items = (given ?? "auto").split(",").map((item) => item.trim());
  for (const item of items) {
    const expected = check(item);
    if (expected) throw new UsageError(`--${name} must be ${expected}, got ${item}`);
  }
  return items;
}

async function measure(
  reranker: Reranker,
  loadMs: number,
  passages: string[],
  runs: number,
  signal: AbortSignal,
): Promise<Measured> {
  const requests: Measured["requests"] = [];
  await reranker.score(QUERY, passages.slice(0, SIZES[0]), { signal });
  for (const size of SIZES) {
    const times: number[] = [];
    for (let run = 0; run < runs; run++) {
      const start = performance.now();
      await reranker.score(QUERY, passages.slice(0, size), { signal });
      times.push(performance.now() - start);
    }
    times.sort((a, b) => a - b);
    const total = times.reduce((sum, time) => sum + time, 0);
    const [p50Ms, p95Ms] = [percentile(times, 0.5), percentile(times, 0.95)];
    requests.push({ passages: size, p50Ms, p95Ms, pairsPerSecond: (size * runs * 1000) / total });
  }
  const { device, dtype = "unknown" } = reranker.info!;
  return { device, dtype, loadMs, requests };
}

/** Nearest-rank percentile of ascending values. */
function percentile(sorted: number[], share: number): number {
  return sorted[Math.min(sorted.length - 1, Math.ceil(sorted.length * share) - 1)]!;
}

const QUERY = "how do I connect to the server over an encrypted channel?";
const WORDS =
  "the server opens a connection when its client asks for one and both agree on keys which protect what they send from anybody who listens between them because every message is sealed with a number that grows so nothing can be played back later".split(
    " ",
  );

/** Passages of the same lengths at every call: the quantiles of a log-normal distribution, in a fixed mixed order. */
function makePassages(count: number, median: number): string[] {
  return Array.from({ length: count }, (_, i) => {
    const share = (((i * 37) % count) + 0.5) / count;
    const words = Math.max(1, Math.round(median * Math.exp(0.6 * normalQuantile(share))));
    return Array.from({ length: words }, (_, j) => WORDS[(i * 7 + j * (1 + (i % 5))) % WORDS.length]).join(" ");
  });
}

/** Within 0.02 of the standard normal quantile: the logistic curve of the same spread. */
function normalQuantile(share: number): number {
  return Math.log(share / (1 - share)) / 1.702;
}

function table(results: (Measured | Refused)[], io: Io): string {
  const { bold, dim } = paint(io.stdout, io.env);
  const head = ["device", "dtype", "load", ...SIZES.flatMap((n) => [`p50 of ${n}`, `p95 of ${n}`]), "pairs/s"];
  const ms = (value: number) => (value < 1000 ? `${value.toFixed(0)} ms` : `${(value / 1000).toFixed(2)} s`);
  const rows = results.map((result) => {
    if ("problem" in result) return [result.device, result.dtype, result.problem];
    const best = Math.max(...result.requests.map(({ pairsPerSecond }) => pairsPerSecond));
    const times = result.requests.flatMap(({ p50Ms, p95Ms }) => [ms(p50Ms), ms(p95Ms)]);
    return [result.device, result.dtype, ms(result.loadMs), ...times, best.toFixed(1)];
  });
  const full = rows.filter((row) => row.length === head.length);
  const widths = head.map((title, i) => Math.max(...[head, ...full].map((row) => row[i]?.length ?? title.length)));
  const line = (row: string[]) =>
    row
      .map((cell, i) => cell.padEnd(widths[i]!))
      .join("  ")
      .trimEnd();
  return `${bold(line(head))}\n${rows.map((row) => (row.length === head.length ? line(row) : dim(row.join("  ")))).join("\n")}\n`;
}
