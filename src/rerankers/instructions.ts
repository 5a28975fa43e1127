/**
 * A text with its instruction, as FlagReranker has `query_instruction_for_rerank` and its format: the instruction stands
 * before the text, or round it where it holds `{}`.
 */
export function instruct(instruction: string | undefined, text: string): string {
  if (instruction === undefined) return text;
  const place = instruction.indexOf("{}");
  return place === -1 ? instruction + text : instruction.slice(0, place) + text + instruction.slice(place + 2);
}
