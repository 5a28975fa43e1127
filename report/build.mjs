// Makes dist/src/evaluate/output/report.html, the template of `bge-reranker eval --report`.
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";

const here = (name) => fileURLToPath(new URL(name, import.meta.url));
const bundled = async (file) => {
  const { outputFiles } = await build({
    entryPoints: [here(file)],
    bundle: true,
    minify: true,
    write: false,
    format: "iife",
    target: "es2022",
    legalComments: "none",
    logLevel: "warning",
  });
  return outputFiles[0].text.trim();
};

const licence = (name) => readFileSync(here(`../node_modules/${name}/LICENSE`), "utf8").trim();
const [script, style] = await Promise.all([bundled("page.ts"), bundled("page.css")]);
const notice = ["@observablehq/plot", "d3"].map((name) => `${name}\n${licence(name)}`).join("\n\n");

const page = `<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<meta name="color-scheme" content="light dark">
<title>Reranking evaluation</title>
<style>${style}</style>
<main></main>
<script id="evaluation" type="application/json">EVALUATION</script>
<script>/*
${notice}
*/
${script.replaceAll("</script", "<\\/script")}</script>
</html>
`;
const folder = here("../dist/src/evaluate/output");
mkdirSync(folder, { recursive: true });
writeFileSync(`${folder}/report.html`, page);
