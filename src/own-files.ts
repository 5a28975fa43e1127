import { existsSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { RerankError } from "./errors.js";

const PACKAGE = "bge-reranker";

/** Stands in for `import.meta.url`, which a bundle in CommonJS does not have. */
const bundle = pathToFileURL(typeof __filename === "string" ? __filename : join(process.cwd(), "bundle.js")).href;

/**
 * What this package opens by its path, in words that tools read: those that copy what a program needs (Next.js, other
 * users of @vercel/nft) find these files. Bundlers do not, since `new URL("…", import.meta.url)` alone would be an asset of theirs.
 */
const files = {
  engineWorker: {
    beside: fileURLToPath(new URL("threads/engine-worker.js", import.meta.url || bundle)),
    inPackage: "dist/src/threads/engine-worker.js",
  },
  engineProcess: {
    beside: fileURLToPath(new URL("threads/engine-process.js", import.meta.url || bundle)),
    inPackage: "dist/src/threads/engine-process.js",
  },
  sessionWorker: {
    beside: fileURLToPath(new URL("threads/session-worker.js", import.meta.url || bundle)),
    inPackage: "dist/src/threads/session-worker.js",
  },
  mini: {
    beside: fileURLToPath(new URL("../../models/mini", import.meta.url || bundle)),
    inPackage: "models/mini",
  },
  report: {
    beside: fileURLToPath(new URL("evaluate/output/report.html", import.meta.url || bundle)),
    inPackage: "dist/src/evaluate/output/report.html",
  },
  manifest: {
    beside: fileURLToPath(new URL("../../package.json", import.meta.url || bundle)),
    inPackage: "package.json",
  },
} as const;

export type OwnFile = keyof typeof files;

/** Path of a file of this package: beside this code or, where that has been bundled, in a node_modules near the bundle. */
export function ownFile(name: OwnFile): string {
  const { beside, inPackage } = files[name];
  const here = dirname(fileURLToPath(import.meta.url || bundle));
  const starts = [here, dirname(process.argv[1] ?? here), process.cwd()];
  const elsewhere = starts.flatMap(upwards).map((folder) => join(folder, "node_modules", PACKAGE, inPackage));
  const found = [beside, ...elsewhere].find((path) => existsSync(path));
  if (found === undefined) throw missing(name, inPackage, here);
  return found;
}

function missing(name: OwnFile, inPackage: string, here: string): RerankError {
  return new RerankError(
    name === "mini" ? "MODEL_NOT_FOUND" : "DEVICE_UNAVAILABLE",
    [
      `${inPackage} of ${PACKAGE} is missing: this seems to be a bundle, with no node_modules/${PACKAGE} in or above ${here} and ${process.cwd()}.`,
      `Ship ${PACKAGE} and its dependencies in node_modules beside the bundle, best kept out of it: serverExternalPackages: ["${PACKAGE}"] in Next.js, externals in webpack, --external:${PACKAGE} in esbuild.`,
      `Standalone output of Next.js has them with outputFileTracingIncludes: { "/**": ["./node_modules/{${PACKAGE},onnxruntime-node,onnxruntime-common,@huggingface/tokenizers}/**"] }.`,
      ...(name.startsWith("engine") || name.startsWith("session")
        ? ["With worker: false this file is not needed."]
        : []),
    ].join(" "),
  );
}

/** A folder and all those above it. */
function upwards(folder: string): string[] {
  const above = dirname(folder);
  return above === folder ? [folder] : [folder, ...upwards(above)];
}
