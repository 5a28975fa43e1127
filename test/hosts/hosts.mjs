// The hosts that run.mjs tries: what to install, the app, and steps, each of which has to print or serve the answer (or
// `expect`).

/** Ranks two passages and prints the answer; `--inline` without worker threads. */
const app = `
import { loadReranker } from "bge-reranker";
async function main() {
  const reranker = await loadReranker("mini", process.argv.includes("--inline") ? { worker: false } : {});
  const ranked = await reranker.rank("What do pandas eat?", ["Stones are hard.", "Giant pandas eat bamboo."]);
  console.log(JSON.stringify(ranked));
  await reranker.dispose();
}
main().catch((error) => {
  console.log(error.code, error.message);
});
`;

/** The same as a test of Vitest and Jest. */
const tested = `
import { loadReranker } from "bge-reranker";
test("ranks", async () => {
  const reranker = await loadReranker("mini");
  const ranked = await reranker.rank("What do pandas eat?", ["Stones are hard.", "Giant pandas eat bamboo."]);
  expect(ranked[0].index).toBe(1);
  process.stdout.write(JSON.stringify(ranked));
  await reranker.dispose();
}, 60000);
`;

const nextFiles = {
  "app/layout.js": `
export default function Layout({ children }) {
  return <html lang="en"><body>{children}</body></html>;
}
`,
  "app/rank/route.js": `
import { sharedReranker } from "bge-reranker";
export const dynamic = "force-dynamic";
export async function GET() {
  try {
    const passages = ["Stones are hard.", "Giant pandas eat bamboo."];
    return Response.json(await sharedReranker("mini").rank("What do pandas eat?", passages));
  } catch (error) {
    return new Response(error.message);
  }
}
`,
};

const includes =
  'outputFileTracingIncludes: { "/**": ["./node_modules/{bge-reranker,onnxruntime-node,onnxruntime-common,@huggingface/tokenizers}/**"] }';

/** A configuration of Next.js, as a file. */
const nextConfig = (...settings) => ({
  "next.config.mjs": `export default { ${['output: "standalone"', ...settings].join(", ")} };\n`,
});

/** Builds, and serves the standalone output from another folder while the app's own node_modules is out of reach. */
const standalone = (build) => ({
  run: `rm -rf .next ../standalone && ${build} && cp -r .next/standalone ../standalone`,
  serve:
    "mv node_modules node_modules.away; trap 'mv node_modules.away node_modules' EXIT; trap 'exit 0' TERM; node ../standalone/server.js & wait $!; kill $!; wait $!",
});

/** @param flag picks the bundler */
const next = (version, flag = "") => ({
  packages: { next: version, react: "19", "react-dom": "19" },
  files: nextFiles,
  steps: [
    {
      name: "build and start, no settings",
      files: nextConfig(),
      run: `rm -rf .next && npx next build ${flag}`,
      serve: "npx next start",
    },
    { name: "dev, no settings", serve: `npx next dev ${flag}` },
    {
      name: "standalone, no settings",
      ...standalone(`npx next build ${flag}`),
      expect: "outputFileTracingIncludes",
    },
    {
      name: "standalone, serverExternalPackages",
      files: nextConfig('serverExternalPackages: ["bge-reranker"]'),
      ...standalone(`npx next build ${flag}`),
      ...(version === "16" && flag === "" ? { expect: "outputFileTracingIncludes" } : {}),
    },
    {
      name: "standalone, outputFileTracingIncludes",
      files: nextConfig(includes),
      ...standalone(`npx next build ${flag}`),
    },
  ],
});

/** Runs a bundle with and without threads, then where there is no node_modules. */
const bundle = (file, build) => [
  { name: `${file}, no settings`, run: `${build} && node out/${file}` },
  { name: `${file}, worker: false`, run: `node out/${file} --inline` },
  {
    name: `${file}, without node_modules`,
    run: `rm -rf ../away && mkdir ../away && cp out/* ../away && cd ../away && node ${file}`,
    expect: "MODEL_NOT_FOUND models/mini of bge-reranker is missing",
  },
];

/** A folder beside the host's, for a package manager that npm has installed there. */
const inner = (host) =>
  `rm -rf ../${host}-app && mkdir ../${host}-app && cp app.mjs ../${host}-app && grep -v -E '"(pnpm|@yarnpkg/cli-dist)"' package.json > ../${host}-app/package.json && export PATH="$PWD/node_modules/.bin:$PATH" && cd ../${host}-app`;

const yarn = "node ../yarn-pnp/node_modules/@yarnpkg/cli-dist/bin/yarn.js";

const jest = (test, flags = "") => `NODE_OPTIONS="${flags}" npx jest ${test}`;

export const hosts = {
  "next-15": next("15"),
  "next-16": next("16"),
  "next-16-webpack": next("16", "--webpack"),
  webpack: {
    packages: { webpack: "5" },
    files: {
      "app.mjs": app,
      "build.cjs": `
const output = { path: __dirname + "/out", filename: "webpack.cjs" };
require("webpack")({ mode: "production", target: "node", entry: "./app.mjs", output }, (error, stats) => {
  if (error || stats.hasErrors()) throw error ?? new Error(stats.toString());
});
`,
    },
    steps: bundle("webpack.cjs", "rm -rf out && node build.cjs").slice(0, 2),
  },
  esbuild: {
    packages: { esbuild: "0.28" },
    files: { "app.mjs": app },
    steps: ["mjs", "cjs"].flatMap((type) =>
      bundle(
        `esbuild.${type}`,
        `npx esbuild app.mjs --bundle --minify --platform=node --format=${type.replace("mjs", "esm")} --outfile=out/esbuild.${type}`,
      ),
    ),
  },
  vite: {
    packages: { vite: "8" },
    files: { "app.mjs": app, "all.config.mjs": "export default { ssr: { noExternal: true } };\n" },
    steps: [
      { name: "vite build --ssr, no settings", run: "npx vite build --ssr app.mjs --outDir out && node out/app.mjs" },
      {
        name: "vite build --ssr, noExternal: true",
        run: "npx vite build --config all.config.mjs --ssr app.mjs --outDir all && node all/app.mjs",
      },
    ],
  },
  vitest: {
    packages: { vitest: "5" },
    files: { "app.test.mjs": `import { expect, test } from "vitest";${tested}` },
    steps: [
      { name: "vitest run, forks (default)", run: "npx vitest run --pool=forks" },
      { name: "vitest run, threads", run: "npx vitest run --pool=threads" },
    ],
  },
  jest: {
    packages: { jest: "30" },
    files: {
      "app.test.mjs": tested,
      "inline.test.mjs": tested.replace('"mini"', '"mini", { worker: false }'),
      "require.test.cjs": `${tested.replace('import { loadReranker } from "bge-reranker"', 'const { loadReranker } = require("bge-reranker")')}`,
      "jest.config.json": '{ "testMatch": ["**/*.test.?js"], "transform": {} }\n',
    },
    steps: [
      { name: "import, --experimental-vm-modules", run: jest("app.test.mjs", "--experimental-vm-modules") },
      {
        name: "import, worker: false",
        run: jest("inline.test.mjs", "--experimental-vm-modules"),
        expect: "A float32 tensor's data must be",
      },
      { name: "require", run: jest("require.test.cjs"), expect: "Must use import to load ES Module" },
    ],
  },
  pnpm: {
    packages: { pnpm: "12" },
    files: { "app.mjs": app, "settings.yaml": "allowBuilds:\n  onnxruntime-node: false\n" },
    steps: [
      {
        name: "pnpm install, no settings: an error",
        run: `${inner("pnpm")} && pnpm install --prefer-offline || echo failed`,
        expect: "Ignored build scripts: onnxruntime-node",
      },
      { name: "and after it", run: "cd ../pnpm-app && node app.mjs" },
      {
        name: "pnpm install, allowBuilds",
        run: `${inner("pnpm")} && cp ../pnpm/settings.yaml pnpm-workspace.yaml && pnpm install --prefer-offline && node app.mjs`,
      },
    ],
  },
  "yarn-pnp": {
    packages: { "@yarnpkg/cli-dist": "4" },
    files: { "app.mjs": app },
    steps: [
      {
        name: "yarn install, Plug'n'Play",
        run: `${inner("yarn-pnp")} && touch yarn.lock && ${yarn} install && ${yarn} node app.mjs`,
      },
    ],
  },
  bun: {
    packages: { bun: "1" },
    install:
      "test -d node_modules/bun || npm install --prefer-offline --no-audit --no-fund --ignore-scripts; node node_modules/bun/install.js",
    files: { "app.mjs": app },
    steps: [
      { name: "bun app.mjs", run: "npx bun app.mjs" },
      { name: "bun app.mjs, worker: false", run: "npx bun app.mjs --inline" },
    ],
  },
  deno: {
    packages: { deno: "2" },
    install:
      "test -d node_modules/deno || npm install --prefer-offline --no-audit --no-fund --ignore-scripts; node node_modules/deno/install.cjs || node node_modules/deno/install.js",
    files: { "app.mjs": app },
    steps: [
      { name: "deno run -A app.mjs", run: "npx deno run -A --node-modules-dir=manual app.mjs" },
      {
        name: "deno run -A app.mjs, worker: false",
        run: "npx deno run -A --node-modules-dir=manual app.mjs --inline",
      },
    ],
  },
  "read-only": {
    packages: {},
    files: { "app.mjs": app },
    steps: [
      {
        name: "a read-only file system (Linux, as root)",
        run: 'unshare -m sh -c \'mount --bind . . && mount -o remount,bind,ro "$PWD" && cd "$PWD" && BGE_RERANKER_CACHE=$PWD/cache node app.mjs\'',
      },
    ],
  },
};
