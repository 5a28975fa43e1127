import { RerankError, show } from "../../errors.js";
import { rerankerOptionChecks } from "../../rerankers/option-checks.js";
import type { Dtype, Reranker, RerankerInfo } from "../../types.js";
import { isText } from "../../validate.js";
import { defineCommand } from "../command.js";
import { type Io, paint } from "../io.js";
import { deviceOptions, fileOptions, toRerankerOptions } from "../options.js";
import { type PublishedScores, publishedScores } from "../published-scores.js";
import { displayWidth, fit, pad } from "../text.js";
import { withReranker } from "../with-reranker.js";

/** A published score beside ours. */
export interface Comparison {
  query: string;
  passage: string;
  published: number;
  ours: number;
  /** ours - published */
  difference: number;
  tolerance: number;
  equal: boolean;
  source: string;
}

/** Scores every published pair with `reranker`. */
export async function compare(
  tables: readonly PublishedScores[],
  reranker: Pick<Reranker, "computeScore">,
  signal?: AbortSignal,
): Promise<Comparison[]> {
  const rows = tables.flatMap(({ pairs, tolerance, source }) => pairs.map((pair) => ({ ...pair, tolerance, source })));
  const scores = await reranker.computeScore(
    rows.map(({ query, passage }) => [query, passage] as const),
    { signal },
  );
  return rows.map(({ query, passage, logit: published, tolerance, source }, index) => {
    const ours = scores[index]!;
    const difference = ours - published;
    // NaN is not equal to anything.
    const equal = Math.abs(difference) <= tolerance;
    return { query, passage, published, ours, difference, tolerance, equal, source };
  });
}

/** What `verify` works with; tests bring their own. */
export interface VerifyParts {
  tables: readonly PublishedScores[];
  withReranker: typeof withReranker;
}

/** Makes the command `verify`. */
export function makeVerifyCommand(parts: VerifyParts) {
  const known = [...new Set(parts.tables.map(({ model }) => model))];
  return defineCommand({
    name: "verify",
    summary: "Compare this machine's scores with those that a model's authors published.",
    positionals: [{ name: "MODEL", required: true, help: "Hub id, or a folder together with --as." }],
    options: {
      as: { kind: "text", value: "ID", check: isText, help: "Hub id of the model that a folder is a copy of." },
      json: { kind: "flag", help: "Print a JSON object: what ran, and every pair." },
      device: deviceOptions.device,
      dtype: { ...deviceOptions.dtype, check: rerankerOptionChecks.dtype, help: "fp32 (default), fp16, int8 or auto." },
      ...fileOptions,
    },
    details: `Scores are published for
  ${known.join("\n  ")}

Exit code 0 when every pair is within its tolerance. Exit code 1 when one is off, and also when nothing is published for
the model, since nothing was verified then. Scores that were published from half precision get a wider tolerance.

  bge-reranker verify BAAI/bge-reranker-base
  bge-reranker verify ./my-copy --as BAAI/bge-reranker-base`,
    async run({ values, positionals: [model = ""] }, io) {
      const id = values.as ?? model;
      const tables = parts.tables.filter((table) => table.model === id);
      if (tables.length === 0) throw nothingPublished(id, known);
      const options = { ...toRerankerOptions(values), dtype: (values.dtype ?? "fp32") as Dtype };
      const { info, rows } = await parts.withReranker(io, model, options, async (reranker) => {
        const info = reranker.info!;
        // A folder may be called BAAI/bge-reranker-base and hold anything.
        if (values.as === undefined && info.revision === undefined) throw isFolder(model);
        return { info, rows: await compare(tables, reranker, io.signal) };
      });
      io.stdout.write(
        values.json ? `${JSON.stringify({ ...info, as: id, pairs: rows })}\n` : report(info, id, rows, io),
      );
      return rows.every(({ equal }) => equal) ? 0 : 1;
    },
  });
}

export const verifyCommand = makeVerifyCommand({ tables: publishedScores, withReranker });

function nothingPublished(id: string, known: readonly string[]): RerankError {
  return new RerankError(
    "INPUT_INVALID",
    `No scores are published for ${show(id)}, so nothing was verified. There are some for ${known.join(", ")}; for a copy of one of these in a folder, add --as and its id.`,
  );
}

function isFolder(model: string): RerankError {
  return new RerankError(
    "INPUT_INVALID",
    `${show(model)} is a folder here, and its name does not tell what it holds. Add --as ${model} if it is a copy of that model.`,
  );
}

function report(info: RerankerInfo, id: string, rows: readonly Comparison[], io: Io): string {
  const { bold, dim, green, red } = paint(io.stdout, io.env);
  const copy = id === info.model ? "" : ` as ${id}`;
  const commit = info.revision ? `, commit ${info.revision.slice(0, 12)}` : "";
  const sources = [...new Set(rows.map(({ source }) => source))];
  const texts = rows.map(({ query, passage }) => `${query} / ${fit(passage, 34)}`);
  const width = Math.max(...texts.map(displayWidth));
  const cell = (text: string) => text.padStart(11);
  const lines = rows.map(({ published, ours, difference, tolerance, equal, source }, index) => {
    const mark = equal ? green("ok ") : red("OFF");
    const numbers = [published.toFixed(5), ours.toFixed(5), difference.toFixed(5), String(tolerance)]
      .map(cell)
      .join("");
    return `${mark}  ${pad(texts[index]!, width)}${numbers}   [${sources.indexOf(source) + 1}]`;
  });
  const off = rows.filter(({ equal }) => !equal).length;
  const heads = ["published", "ours", "difference", "tolerance"].map(cell).join("");
  return `${[
    `${bold(info.model)}${copy}, ${info.dtype} on ${info.device}${commit}`,
    "",
    dim(`     ${pad("query / passage", width)}${heads}   source`),
    ...lines,
    "",
    ...sources.map((source, index) => dim(`[${index + 1}] ${source}`)),
    "",
    off === 0
      ? green(`All ${rows.length} scores are as published.`)
      : red(`${off} of ${rows.length} scores are not as published.`),
  ].join("\n")}\n`;
}
