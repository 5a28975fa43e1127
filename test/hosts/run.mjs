// Runs small apps against the packed package in the hosts of hosts.mjs and prints what works. By hand, since it installs
// from the registry and takes long:
//   node test/hosts/run.mjs [--folder FOLDER] [HOST...]
// What is installed in FOLDER (default: hosts below the system's temporary folder) is used again; only the package itself
// is replaced.
import { spawn, spawnSync } from "node:child_process";
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { dirname, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { hosts } from "./hosts.mjs";

/** The beginning of every app's answer: the second passage comes first. */
const ANSWER = '[{"index":1,';
const LIMIT_MS = 600_000;

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { folder: { type: "string", default: join(tmpdir(), "hosts") } },
});
const folder = resolve(values.folder);
const env = {
  ...process.env,
  ONNXRUNTIME_NODE_INSTALL: "skip",
  NEXT_TELEMETRY_DISABLED: "1",
  BGE_RERANKER_CACHE: join(folder, "cache"),
};

const repository = resolve(dirname(fileURLToPath(import.meta.url)), "../..");
mkdirSync(folder, { recursive: true });
const { version } = JSON.parse(readFileSync(join(repository, "package.json"), "utf8"));
const tarball = join(folder, `bge-reranker-${version}.tgz`);
shell(`npm pack --ignore-scripts --pack-destination "${folder}"`, repository);

for (const name of positionals.length > 0 ? positionals : Object.keys(hosts)) await tryHost(name, hosts[name]);

async function tryHost(name, { packages, install = installWithNpm, files, steps }) {
  const app = join(folder, name);
  mkdirSync(app, { recursive: true });
  for (const [path, text] of Object.entries(files)) {
    mkdirSync(dirname(join(app, path)), { recursive: true });
    writeFileSync(join(app, path), text);
  }
  const manifest = { name, private: true, dependencies: { ...packages, "bge-reranker": `file:${tarball}` } };
  writeFileSync(join(app, "package.json"), JSON.stringify(manifest, undefined, 2));
  typeof install === "string" ? shell(install, app) : install(app);
  const installed = Object.keys(packages).map((name) => `${name} ${versionOf(app, name)}`);
  console.log(`${name} (${installed.join(", ")}; Node.js ${process.version})`);
  for (const step of steps) {
    if (step.files) for (const [path, text] of Object.entries(step.files)) writeFileSync(join(app, path), text);
    const output = await (step.serve ? serve(step, app) : runStep(step, app));
    const works = output.includes(step.expect ?? ANSWER);
    console.log(
      `  ${works ? "as expected" : "NOT AS EXPECTED"}: ${step.name}${step.expect ? ` ("${step.expect}")` : ""}`,
    );
    if (!works) console.log(output.slice(-2000).replaceAll(/^/gm, "    "));
  }
}

function installWithNpm(app) {
  const own = join(app, "node_modules", "bge-reranker");
  if (!existsSync(own)) shell("npm install --ignore-scripts --prefer-offline --no-audit --no-fund", app);
  rmSync(join(own, "dist"), { recursive: true, force: true });
  shell(`tar -xzf "${tarball}" -C "${own}" --strip-components=1`, app);
}

function versionOf(app, name) {
  const manifest = join(app, "node_modules", name, "package.json");
  return existsSync(manifest) ? JSON.parse(readFileSync(manifest, "utf8")).version : "";
}

function shell(command, cwd) {
  const { status, stdout, stderr } = spawnSync(command, { cwd, env, shell: true, encoding: "utf8" });
  if (status !== 0) throw new Error(`${command} in ${cwd}: ${stdout}${stderr}`);
}

/** What a command printed. */
function runStep({ run }, cwd) {
  const { stdout, stderr } = spawnSync(run, { cwd, env, shell: true, encoding: "utf8", timeout: LIMIT_MS });
  return stdout + stderr;
}

/** What a server answers to /rank, or what it printed where it does not. */
async function serve({ run, serve }, cwd) {
  const before = run ? runStep({ run }, cwd) : "";
  const port = await freePort();
  const server = spawn(serve, { cwd, env: { ...env, PORT: String(port) }, shell: true, detached: true });
  let printed = before;
  for (const stream of [server.stdout, server.stderr]) {
    stream.on("data", (data) => {
      printed += data;
    });
  }
  let ended = false;
  server.once("exit", () => {
    ended = true;
  });
  try {
    for (const end = Date.now() + LIMIT_MS; Date.now() < end && !ended; ) {
      await new Promise((wake) => setTimeout(wake, 500));
      const answer = await fetch(`http://localhost:${port}/rank`).catch(() => undefined);
      if (answer) return `${printed}${await answer.text()}`;
    }
    return printed;
  } finally {
    const end = new Promise((resolve) => server.once("exit", resolve));
    if (!ended) {
      process.kill(-server.pid);
      await end;
    }
  }
}

function freePort() {
  return new Promise((found) => {
    const server = createServer().listen(0, () => {
      const { port } = server.address();
      server.close(() => found(port));
    });
  });
}
