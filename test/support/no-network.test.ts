import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { join } from "node:path";
import { describe, it } from "node:test";
import { repoRoot } from "./paths.js";

const guard = join(repoRoot, "test", "support", "no-network.mjs");

/** Runs code as a test would run, under the guard. */
function guarded(code: string) {
  const args = ["--import", guard, "--input-type=module", "--eval", code];
  const { NODE_OPTIONS: _, ...env } = process.env;
  return spawnSync(process.execPath, args, { encoding: "utf8", timeout: 120_000, env });
}

// Addresses that are kept for documentation (RFC 5737, RFC 2606): nobody is there, should the guard fail.
const ATTEMPTS = {
  "a fetch": 'await fetch("http://192.0.2.1/").catch(() => {})',
  "a fetch by name": 'await fetch("https://bge.example/").catch(() => {})',
  "a TLS connection": 'import tls from "node:tls"; try { tls.connect(443, "192.0.2.1") } catch {}',
  "a plain socket": 'import { connect } from "node:net"; try { connect(80, "192.0.2.1") } catch {}',
  "a look-up": 'import { lookup } from "node:dns"; try { lookup("bge.example", () => {}) } catch {}',
  "a query to a name server":
    'import { resolve4 } from "node:dns/promises"; try { await resolve4("bge.example") } catch {}',
  "a datagram":
    'import { createSocket } from "node:dgram"; try { createSocket("udp4").send("x", 9, "192.0.2.1") } catch {} process.exit()',
  "a child process's fetch":
    'import { spawnSync } from "node:child_process"; const child = spawnSync(process.execPath, ["-e", \'fetch("http://192.0.2.1/").catch(() => {})\'], { stdio: "inherit" }); process.exit(child.status)',
  "a worker's fetch":
    'import { Worker } from "node:worker_threads"; new Worker(\'fetch("http://192.0.2.1/").catch(() => {})\', { eval: true })',
};

describe("the network guard of the tests", () => {
  for (const [what, code] of Object.entries(ATTEMPTS)) {
    it(`refuses ${what} and fails the process`, () => {
      const { status, stderr } = guarded(code);
      assert.match(stderr, /The tests use no network/);
      assert.notEqual(status, 0);
    });
  }

  it("lets loopback through", () => {
    const { status, stderr } = guarded(`
      import { createServer } from "node:http";
      const server = createServer((_, response) => response.end("here"));
      await new Promise((done) => server.listen(0, done));
      const { port } = server.address();
      for (const host of ["127.0.0.1", "localhost", "[::1]"]) {
        const answer = await fetch("http://" + host + ":" + port).catch((error) => host === "[::1]" ? undefined : Promise.reject(error));
        if (answer && (await answer.text()) !== "here") throw new Error(host);
      }
      server.close();
    `);
    assert.equal(stderr, "");
    assert.equal(status, 0);
  });

  it("is in force here", () => {
    assert.ok(process.execArgv.join(" ").includes("no-network") || process.env.NODE_OPTIONS?.includes("no-network"));
  });
});
