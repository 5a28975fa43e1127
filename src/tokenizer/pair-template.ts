import { RerankError, show } from "../errors.js";

/** How a tokenizer lays out a pair: `before` query `between` passage `after`. */
export interface PairTemplate {
  before: number[];
  between: number[];
  after: number[];
  /** Where token type 1 begins: at the passage, or nowhere (every type is 0, as in XLM-R and RoBERTa). */
  types: "passage" | "none";
}

type Json = Record<string, unknown>;

/** Reads the pair layout out of a tokenizer.json `post_processor`; anything else than one query and one passage throws. */
export function readTemplate(postProcessor: unknown): PairTemplate {
  const found = find(postProcessor);
  if (found) return found;
  throw new RerankError(
    "MODEL_UNSUPPORTED",
    `tokenizer.json has no usable pair template: expected a post_processor of type TemplateProcessing, ` +
      `RobertaProcessing or BertProcessing with one query and one passage, got ${show(postProcessor)}`,
  );
}

function find(processor: unknown): PairTemplate | undefined {
  if (!isObject(processor)) return undefined;
  switch (processor.type) {
    case "TemplateProcessing":
      return fromTemplate(processor);
    case "RobertaProcessing":
      return fromClsSep(processor, 2, "none");
    case "BertProcessing":
      return fromClsSep(processor, 1, "passage");
    case "Sequence": {
      // members such as ByteLevel only touch character offsets
      const usable = (Array.isArray(processor.processors) ? processor.processors : []).flatMap((p) => find(p) ?? []);
      return usable.length === 1 ? usable[0] : undefined;
    }
    default:
      return undefined;
  }
}

/** `"sep": ["</s>", 2], "cls": ["<s>", 0]` */
function fromClsSep(processor: Json, separators: number, types: PairTemplate["types"]): PairTemplate | undefined {
  const id = (pair: unknown): unknown => (Array.isArray(pair) ? pair[1] : undefined);
  const [cls, sep] = [id(processor.cls), id(processor.sep)];
  if (!isTokenId(cls) || !isTokenId(sep)) return undefined;
  return { before: [cls], between: new Array<number>(separators).fill(sep), after: [sep], types };
}

function fromTemplate(processor: Json): PairTemplate | undefined {
  if (!Array.isArray(processor.pair)) return undefined;
  const parts: number[][] = [[]];
  const typeIds: unknown[] = [];
  const order: unknown[] = [];
  for (const item of processor.pair as Json[]) {
    const sequence = item?.Sequence as Json | undefined;
    const special = item?.SpecialToken as Json | undefined;
    if (sequence) {
      order.push(sequence.id);
      parts.push([]);
    } else {
      const ids = ((processor.special_tokens as Json | undefined)?.[String(special?.id)] as Json | undefined)?.ids;
      if (!Array.isArray(ids) || !ids.every(isTokenId)) return undefined;
      parts.at(-1)?.push(...ids);
    }
    typeIds.push((sequence ?? special)?.type_id);
  }
  const [before, between, after] = parts;
  if (order.join() !== "A,B" || !before || !between || !after) return undefined;
  const types = typesOf(
    typeIds,
    processor.pair.findIndex((item: Json) => (item.Sequence as Json | undefined)?.id === "B"),
  );
  return types && { before, between, after, types };
}

/** Only the two layouts that BERT-like models were trained with: all 0, or 1 from the passage on. */
function typesOf(typeIds: unknown[], passageAt: number): PairTemplate["types"] | undefined {
  if (typeIds.every((type) => type === 0)) return "none";
  return typeIds.every((type, i) => type === (i < passageAt ? 0 : 1)) ? "passage" : undefined;
}

function isObject(value: unknown): value is Json {
  return typeof value === "object" && value !== null;
}

/** Token ids are handed on as int32. */
export function isTokenId(value: unknown): value is number {
  return Number.isInteger(value) && (value as number) >= 0 && (value as number) < 2 ** 31;
}
