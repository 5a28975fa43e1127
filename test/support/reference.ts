import { readFileSync } from "node:fs";
import { crc32 } from "node:zlib";
import { fixture } from "./paths.js";

/** A pair whose score PyTorch has given. */
export interface ReferencePair {
  query: string;
  passage: string;
  maxLength: number;
}

/** What PyTorch says of a pair. */
export interface Reference {
  tokens: number;
  crc32: number;
  logit: number;
}

type Text = string | { repeat: [text: string, count: number] };

function json<T>(name: string): T {
  return JSON.parse(readFileSync(fixture(name), "utf8")) as T;
}

/** The pairs of test/fixtures/pairs.json, repeated texts written out. */
export function referencePairs(): ReferencePair[] {
  const whole = (text: Text) => (typeof text === "string" ? text : text.repeat[0].repeat(text.repeat[1]));
  const pairs = json<{ query: Text; passage: Text; maxLength: number }[]>("pairs.json");
  return pairs.map(({ query, passage, maxLength }) => ({ query: whole(query), passage: whole(passage), maxLength }));
}

/** PyTorch's answers for those pairs, in order. */
export function references(model: string): Reference[] {
  return json<Reference[]>(`logits/${model}.json`);
}

/** RoBERTa pairs by their ids. */
export function robertaReferences(): { ids: number[]; logit: number }[] {
  return json("logits/roberta.json");
}

/** Models that have reference logits, by name, with what `loadReranker` takes. */
export const referenceModels: [name: string, model: string][] = [
  ["xlmr", fixture("models/xlmr")],
  ["bert", fixture("models/bert")],
  ["mini", "mini"],
];

export function idsChecksum(ids: Int32Array): number {
  return crc32(new Uint8Array(ids.buffer, ids.byteOffset, ids.byteLength));
}
