import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

/** Root of the repository, seen from dist/test/support. */
export const repoRoot = fileURLToPath(new URL("../../../", import.meta.url));

/** Absolute path of something in test/fixtures. */
export function fixture(name: string): string {
  return join(repoRoot, "test", "fixtures", name);
}

/** A new empty folder that goes away when the test ends. */
export function temporaryFolder(context: { after: (clean: () => void) => void }): string {
  const folder = mkdtempSync(join(tmpdir(), "bge-reranker-test-"));
  context.after(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}
