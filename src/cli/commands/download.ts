import { dirname } from "node:path";
import { resolveModel } from "../../engine/resolve-model.js";
import { defineCommand } from "../command.js";
import { fileOptions, toFileOptions } from "../options.js";
import { Progress } from "../progress.js";

export const downloadCommand = defineCommand({
  name: "download",
  summary: "Fetch a model into the cache that Python's huggingface_hub uses too.",
  positionals: [{ name: "MODEL", required: true, help: "Hub id, such as BAAI/bge-reranker-base." }],
  options: {
    json: { kind: "flag", help: "Print a JSON object: model, revision, folder, files." },
    ...fileOptions,
  },
  details: `Prints the folder and the revision (a commit). Only the files that running the model takes are fetched, each is checked,
and a download that was cut off goes on where it stopped. HF_TOKEN, or the token that "hf auth login" stores, opens gated
and private models; HF_ENDPOINT names a mirror.

A folder or mini is never downloaded: it is only looked at.

  bge-reranker download BAAI/bge-reranker-v2-m3
  HF_ENDPOINT=https://hf-mirror.com bge-reranker download BAAI/bge-reranker-base`,
  async run({ values, positionals: [model = ""] }, io) {
    const progress = new Progress(io);
    const options = { ...toFileOptions(values), signal: io.signal, onProgress: progress.download };
    const found = await resolveModel(model, options).finally(() => progress.clear());
    const { revision, paths } = found;
    const folder = dirname(paths["config.json"]!);
    io.stdout.write(
      values.json
        ? `${JSON.stringify({ model, revision, folder, files: paths })}\n`
        : `folder    ${folder}\nrevision  ${revision ?? "none: it is a local folder"}\n`,
    );
    return 0;
  },
});
