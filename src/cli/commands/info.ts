import { lstat, readdir } from "node:fs/promises";
import { availableParallelism, cpus, totalmem } from "node:os";
import { join } from "node:path";
import { derivedCacheDir } from "../../cache/folder.js";
import { resolveModel } from "../../engine/resolve-model.js";
import { RerankError } from "../../errors.js";
import { hubCacheDir, hubEnvironment } from "../../model/hub/environment.js";
import { runtimeVersion } from "../../runtime/onnxruntime.js";
import type { Device } from "../../types.js";
import { columns, defineCommand } from "../command.js";
import { type Io, paint } from "../io.js";
import { type ModelFacts, modelFacts } from "../model-facts.js";
import { deviceOptions, fileOptions, toFileOptions } from "../options.js";
import { bytes, oneLine, plural } from "../text.js";
import { type DeviceTrial, tryDevices } from "../try-devices.js";
import { packageVersion } from "../version.js";

export const infoCommand = defineCommand({
  name: "info",
  summary: "Show what would run on this machine and why: devices, versions, caches, a model.",
  positionals: [{ name: "MODEL", required: false, help: "Hub id, folder, or mini (default)." }],
  options: {
    json: { kind: "flag", help: "Print a JSON object." },
    device: { ...deviceOptions.device, help: "Try this device only. Default auto: all that auto knows here." },
    revision: fileOptions.revision,
    "cache-dir": fileOptions["cache-dir"],
  },
  details: `Opens no connection. Devices are tried with mini, the small model inside this package. Exit code 1 when MODEL is not on
this machine or cannot be run, or when the device that --device names does not work.`,
  async run({ values, positionals: [model = "mini"] }, io) {
    const options = { ...toFileOptions(values), localFilesOnly: true, signal: io.signal };
    const info: Info = {
      versions: {
        "bge-reranker": packageVersion(),
        node: process.versions.node,
        "onnxruntime-node": await runtimeVersion().catch((error: Error) => `cannot be loaded: ${error.message}`),
      },
      machine: {
        platform: `${process.platform} ${process.arch}`,
        cpu: cpus()[0]?.model.trim() ?? "unknown",
        cores: availableParallelism(),
        memory: totalmem(),
      },
      devices: await devices((values.device ?? "auto") as Device),
      hub: await hub(values["cache-dir"]),
      caches: { hub: await measure(hubCacheDir(options)), derived: await measure(derivedCacheDir()) },
      model: await resolveModel(model, options)
        .then(modelFacts)
        .catch((error) => problem(model, error)),
    };
    io.stdout.write(values.json ? `${JSON.stringify(info)}\n` : report(info, io));
    const named = values.device !== undefined && values.device !== "auto";
    const works = !("problem" in info.devices) && info.devices.some(({ outcome }) => outcome === "works");
    return "problem" in info.model || (named && !works) ? 1 : 0;
  },
});

interface Info {
  versions: Record<string, string>;
  machine: { platform: string; cpu: string; cores: number; memory: number };
  devices: DeviceTrial[] | { problem: string };
  hub: { endpoint: string; offline: boolean; token: boolean } | { problem: string };
  caches: Record<"hub" | "derived", Folder>;
  model: ModelFacts | { model: string; problem: string };
}

interface Folder {
  folder: string;
  files: number;
  /** Bytes. */
  size: number;
}

function problem(model: string, error: unknown): { model: string; problem: string } {
  if (!(error instanceof RerankError) || error.code === "ABORTED") throw error;
  return { model, problem: error.message };
}

async function devices(wanted: Device): Promise<Info["devices"]> {
  try {
    return await tryDevices(await resolveModel("mini"), wanted);
  } catch (error) {
    return { problem: (error as Error).message };
  }
}

async function hub(cacheDir: string | undefined): Promise<Info["hub"]> {
  try {
    const { endpoint, offline, token } = await hubEnvironment({ cacheDir });
    return { endpoint, offline, token: token !== undefined };
  } catch (error) {
    return { problem: (error as Error).message };
  }
}

/** Files in a folder, each once however many links lead to it. */
async function measure(folder: string): Promise<Folder> {
  const total = { folder, files: 0, size: 0 };
  const entries = await readdir(folder, { recursive: true, withFileTypes: true }).catch(() => []);
  for (const entry of entries) {
    if (!entry.isFile()) continue;
    const { size } = await lstat(join(entry.parentPath, entry.name)).catch(() => ({ size: 0 }));
    total.files++;
    total.size += size;
  }
  return total;
}

function report({ versions, machine, devices, hub, caches, model }: Info, io: Io): string {
  const { bold } = paint(io.stdout, io.env);
  const section = (title: string, rows: [string, string][]) =>
    `${bold(title)}\n${columns(rows, Number.POSITIVE_INFINITY)}\n`;
  return [
    section("Versions", Object.entries(versions)),
    section("Machine", [
      ["platform", machine.platform],
      ["cpu", `${machine.cpu}, ${plural(machine.cores, "core")} for this process`],
      ["memory", bytes(machine.memory)],
    ]),
    section("Devices, best first", deviceRows(devices, io)),
    section("Hub", "problem" in hub ? [["problem", hub.problem]] : hubRows(hub)),
    section("Caches", [
      ["models", folderText(caches.hub)],
      ["derived", folderText(caches.derived)],
    ]),
    section(
      "Model",
      "problem" in model
        ? [
            ["model", model.model],
            ["problem", model.problem],
          ]
        : modelRows(model),
    ),
  ].join("\n");
}

function deviceRows(devices: Info["devices"], io: Io): [string, string][] {
  const { dim, green } = paint(io.stdout, io.env);
  if ("problem" in devices) return [["not tried", devices.problem]];
  const first = devices.find(({ outcome }) => outcome === "works");
  return devices.map((trial) => {
    const { device, outcome, reason = "", dtype } = trial;
    if (outcome !== "works") return [device, `${outcome}: ${dim(oneLine(reason))}`];
    const taken = trial === first ? "; this one is taken" : "";
    return [device, green(`works${dtype ? ` in ${dtype}` : ""}${taken}`)];
  });
}

function hubRows({ endpoint, offline, token }: Exclude<Info["hub"], { problem: string }>): [string, string][] {
  return [
    ["address", endpoint],
    ["downloads", offline ? "off (HF_HUB_OFFLINE)" : "on"],
    ["token", token ? "set" : "none, which public models do not need"],
  ];
}

function folderText({ folder, files, size }: Folder): string {
  return files === 0 ? `${folder} (empty)` : `${folder} (${plural(files, "file")}, ${bytes(size)})`;
}

function modelRows({ model, folder, revision, size, network }: ModelFacts): [string, string][] {
  const rows: [string, string][] = [["model", model]];
  if (revision) rows.push(["revision", revision]);
  rows.push(["folder", folder]);
  if (!network) return [...rows, ["network", `the repository's own ONNX graph, ${bytes(size)}`]];
  const { architecture, layers, hidden, heads, vocabulary, parameters, stored, maxLength } = network;
  const count = (n: number) => n.toLocaleString("en");
  return [
    ...rows,
    [
      "network",
      `${architecture}, ${layers} layers, ${count(hidden)} wide, ${heads} heads, ${count(vocabulary)} tokens`,
    ],
    [
      "weights",
      `${(parameters / 1e6).toFixed(1)} million, stored as ${stored.join(" and ")}, ${bytes(size)} with tokenizer`,
    ],
    ["longest pair", `${count(maxLength)} tokens`],
  ];
}
