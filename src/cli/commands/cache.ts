import { clearDerived, derivedCacheDir, derivedCacheLimit, listDerived } from "../../cache/folder.js";
import { columns, defineCommand, UsageError } from "../command.js";
import { bytes, plural } from "../text.js";

/** What a derived file is, by the end of its name. */
const KINDS: [end: string, what: string][] = [
  [".weights", "weights packed for this CPU"],
  [".onnx", "graph for those"],
  [".int8", "weights in int8"],
  [".f16", "weights in float16"],
  [".f32", "weights in float32"],
  [".tokenizer", "compiled tokenizer"],
  [".checked", "note that a checkpoint's numbers are finite"],
  [".tmp", "unfinished"],
];

export const cacheCommand = defineCommand({
  name: "cache",
  summary: "Show or clear what was derived from models: converted and packed weights, compiled tokenizers.",
  positionals: [{ name: "ACTION", required: false, help: "show (default) or clear." }],
  options: { json: { kind: "flag", help: "Print a JSON object." } },
  details: `Everything in this cache is made again when it is needed; downloaded models lie elsewhere and stay. BGE_RERANKER_CACHE
moves it, BGE_RERANKER_CACHE_LIMIT bounds it (gigabytes, 20 by default): what was not used for longest goes first.`,
  async run({ values, positionals: [action = "show"] }, io) {
    if (action !== "show" && action !== "clear") throw new UsageError(`cache can show or clear, not ${action}`);
    const entries = listDerived();
    const folder = derivedCacheDir();
    const size = entries.reduce((sum, entry) => sum + entry.size, 0);
    if (action === "clear") clearDerived(entries);
    if (values.json) {
      io.stdout.write(`${JSON.stringify({ folder, limit: derivedCacheLimit(), size, action, entries })}\n`);
      return 0;
    }
    const total = `${plural(entries.length, "file")}, ${bytes(size)}`;
    if (action === "clear") io.stdout.write(`Removed ${total} from ${folder}\n`);
    else {
      const rows = entries.map(({ name, model, size, lastUsed }): [string, string] => {
        const what = KINDS.find(([end]) => name.endsWith(end))?.[1] ?? "unknown";
        const used = lastUsed.toISOString().slice(0, 16).replace("T", " ");
        return [model ?? name, `${what}, ${bytes(size)}, last used ${used}`];
      });
      const limit = `of at most ${bytes(derivedCacheLimit())}`;
      io.stdout.write(`${folder}: ${total} ${limit}\n${rows.length > 0 ? `${columns(rows, Infinity)}\n` : ""}`);
    }
    return 0;
  },
});
