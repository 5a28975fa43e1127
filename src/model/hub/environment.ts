import { readFile } from "node:fs/promises";
import { join, resolve } from "node:path";
import { homeFolder } from "../../cache/home.js";
import { RerankError, show } from "../../errors.js";
import type { ModelFileOptions } from "../model-files.js";

/** Where the hub is and how to talk to it, from the options and the variables that Python's huggingface_hub reads. */
export interface HubEnvironment {
  /** Address without a trailing slash. */
  endpoint: string;
  cacheDir: string;
  /** Never open a connection. */
  offline: boolean;
  token: string | undefined;
}

type Variables = Readonly<Record<string, string | undefined>>;

/**
 * The hub cache folder: `cacheDir`, else `HF_HUB_CACHE`, else `HUGGINGFACE_HUB_CACHE`, else `hub` in `HF_HOME`, in
 * `$XDG_CACHE_HOME/huggingface` or in `~/.cache/huggingface`. The folder need not exist.
 * https://huggingface.co/docs/huggingface_hub/package_reference/environment_variables
 */
export function hubCacheDir(options: Pick<ModelFileOptions, "cacheDir"> = {}, env: Variables = process.env): string {
  const folder = options.cacheDir || env.HF_HUB_CACHE || env.HUGGINGFACE_HUB_CACHE;
  return folder ? expandPath(folder, env) : join(hubHome(env), "hub");
}

/** Reads options and variables; an option wins over a variable. An unusable address or token throws `OPTION_INVALID`. */
export async function hubEnvironment(options: ModelFileOptions, env: Variables = process.env): Promise<HubEnvironment> {
  const offline = options.localFilesOnly ?? (isTrue(env.HF_HUB_OFFLINE) || isTrue(env.TRANSFORMERS_OFFLINE));
  return {
    endpoint: checkEndpoint(options.endpoint ?? (env.HF_ENDPOINT || "https://huggingface.co")),
    cacheDir: hubCacheDir(options, env),
    offline,
    token: offline ? undefined : checkToken(options.token ?? (await defaultToken(env))),
  };
}

/** A leading `~` as the shell reads it. */
export function expandHome(path: string): string {
  return path.replace(/^~(?=$|[\\/])/, () => homeFolder());
}

/** `~` and `$NAME` as Python's expanduser and expandvars read them, then made absolute. */
function expandPath(path: string, env: Variables): string {
  const named = path.replace(/\$(?:\{(\w+)\}|(\w+))/g, (text, braced, bare) => env[braced ?? bare] ?? text);
  return resolve(expandHome(named));
}

function hubHome(env: Variables): string {
  if (env.HF_HOME) return expandPath(env.HF_HOME, env);
  return join(env.XDG_CACHE_HOME ? expandPath(env.XDG_CACHE_HOME, env) : join(homeFolder(), ".cache"), "huggingface");
}

async function defaultToken(env: Variables): Promise<string | undefined> {
  if (isTrue(env.HF_HUB_DISABLE_IMPLICIT_TOKEN)) return undefined;
  const named = env.HF_TOKEN || env.HUGGING_FACE_HUB_TOKEN;
  if (named) return named;
  const file = env.HF_TOKEN_PATH ? expandPath(env.HF_TOKEN_PATH, env) : join(hubHome(env), "token");
  return await readFile(file, "utf8").catch(() => undefined);
}

function checkEndpoint(endpoint: string): string {
  const url = URL.canParse(endpoint) ? new URL(endpoint) : undefined;
  const usable = url?.protocol === "https:" || url?.protocol === "http:";
  const plain = usable && !url.username && !url.password && !url.search && !url.hash;
  if (plain) return endpoint.replace(/\/+$/, "");
  // Not shown where it may hold a password.
  const given = /[@?]/.test(endpoint) ? "holds a password or a query" : `is ${show(endpoint)}`;
  throw new RerankError(
    "OPTION_INVALID",
    `The hub address (endpoint, HF_ENDPOINT) ${given}; expected one like https://huggingface.co, and the token in token or HF_TOKEN.`,
  );
}

function checkToken(token: string | undefined): string | undefined {
  const clean = token?.trim();
  if (!clean) return undefined;
  // The token itself stays out of the message: messages end up in logs.
  if (!/^[\x21-\x7e]+$/.test(clean)) {
    throw new RerankError("OPTION_INVALID", "The hub token (token, HF_TOKEN) holds spaces or non-ASCII characters.");
  }
  return clean;
}

function isTrue(value: string | undefined): boolean {
  return /^(1|on|yes|true)$/i.test(value ?? "");
}
