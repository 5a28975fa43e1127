import { existsSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { RerankError } from "./errors.js";

const PACKAGE = "bge-reranker";

// Also in a bundle: one in CommonJS has no `import.meta.url`, and its `__dirname` instead.
const here = import.meta.url
  ? dirname(fileURLToPath(import.meta.url))
  : typeof __dirname === "string"
    ? __dirname
    : process.cwd();

/**
 * What this package opens by its path. Tools that copy what a program needs (Next.js for standalone output, @vercel/nft)
 * follow a join of literals. Bundlers do not: they would take `new URL("…", import.meta.url)` for an asset of their own.
 */
const files = {
  engineWorker: { beside: join(here, "threads/engine-worker.js"), inPackage: "dist/src/threads/engine-worker.js" },
  engineProcess: { beside: join(here, "threads/engine-process.js"), inPackage: "dist/src/threads/engine-process.js" },
  sessionWorker: { beside: join(here, "threads/session-worker.js"), inPackage: "dist/src/threads/session-worker.js" },
  mini: { beside: join(here, "../../models/mini"), inPackage: "models/mini" },
  manifest: { beside: join(here, "../../package.json"), inPackage: "package.json" },
} as const;

export type OwnFile = keyof typeof files;

/** Path of a file of this package: beside this code or, where that has been bundled, in a node_modules near the bundle. */
export function ownFile(name: OwnFile): string {
  const { beside, inPackage } = files[name];
  const starts = [here, dirname(process.argv[1] ?? here), process.cwd()];
  const elsewhere = starts.flatMap(upwards).map((folder) => join(folder, "node_modules", PACKAGE, inPackage));
  const found = [beside, ...elsewhere].find((path) => existsSync(path));
  if (found === undefined) throw missing(name, inPackage);
  return found;
}

function missing(name: OwnFile, inPackage: string): RerankError {
  return new RerankError(
    name === "mini" ? "MODEL_NOT_FOUND" : "DEVICE_UNAVAILABLE",
    [
      `${inPackage} of ${PACKAGE} is missing: this seems to be a bundle, with no node_modules/${PACKAGE} in or above ${here} and ${process.cwd()}.`,
      `Keep ${PACKAGE} out of the bundle and ship its folder along:`,
      `serverExternalPackages: ["${PACKAGE}"] in Next.js, and outputFileTracingIncludes: { "/**": ["./node_modules/${PACKAGE}/**"] } for standalone output;`,
      `externals in webpack; --external:${PACKAGE} in esbuild.`,
      ...(/Worker|Process/.test(name) ? ["With worker: false no such file is needed."] : []),
    ].join(" "),
  );
}

/** A folder and all those above it. */
function upwards(folder: string): string[] {
  const above = dirname(folder);
  return above === folder ? [folder] : [folder, ...upwards(above)];
}
