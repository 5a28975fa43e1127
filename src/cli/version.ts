import { readFileSync } from "node:fs";
import { ownFile } from "../own-files.js";

/** Version of this package. */
export function packageVersion(): string {
  const { version } = JSON.parse(readFileSync(ownFile("manifest"), "utf8"));
  return version;
}
