import { readFileSync } from "node:fs";

/** Version of this package. */
export function packageVersion(): string {
  // Seen from dist/src/cli/ of the package.
  const { version } = JSON.parse(readFileSync(new URL("../../../package.json", import.meta.url), "utf8"));
  return version;
}
