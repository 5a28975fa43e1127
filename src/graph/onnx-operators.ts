import { closeSync, fstatSync, openSync, readSync } from "node:fs";

/*
 * Just enough of a protobuf reader to tell which operators an ONNX file uses, without reading its weights.
 * Field numbers: https://github.com/onnx/onnx/blob/main/onnx/onnx.proto
 */
const MODEL_GRAPH = 7;
const MODEL_FUNCTIONS = 25;
const GRAPH_NODE = 1;
const FUNCTION_NODE = 7;
const NODE_OPERATOR = 4;

/** Names of the operators in an ONNX file; what there is before the damage in a damaged one. */
export function operatorsOf(path: string): Set<string> {
  const operators = new Set<string>();
  const file = new ProtobufFile(path);
  try {
    for (const part of file.fields(0, file.size)) {
      const nodes =
        part.field === MODEL_GRAPH ? GRAPH_NODE : part.field === MODEL_FUNCTIONS ? FUNCTION_NODE : undefined;
      if (nodes === undefined) continue;
      for (const node of file.fields(part.start, part.end)) {
        if (node.field !== nodes) continue;
        for (const { field, start, end } of file.fields(node.start, node.end)) {
          if (field === NODE_OPERATOR) operators.add(file.text(start, end));
        }
      }
    }
  } finally {
    file.close();
  }
  return operators;
}

/** A field whose value is bytes: a message or a text. */
interface Field {
  field: number;
  start: number;
  end: number;
}

const WINDOW = 1 << 16;

class ProtobufFile {
  readonly size: number;
  private readonly fd: number;
  private readonly window = new Uint8Array(WINDOW);
  private from = 0;
  private length = 0;

  constructor(path: string) {
    this.fd = openSync(path, "r");
    this.size = fstatSync(this.fd).size;
  }

  /** The fields between two places that hold bytes; ends at what is no protobuf. */
  *fields(start: number, end: number): Generator<Field> {
    for (let at = start; at < end; ) {
      const key = this.varint(at);
      const [kind, field] = [key.value % 8, Math.floor(key.value / 8)];
      if (kind === 0) at = this.varint(key.end).end;
      else if (kind === 1) at = key.end + 8;
      else if (kind === 5) at = key.end + 4;
      else if (kind === 2) {
        const { value: length, end: start } = this.varint(key.end);
        if (start + length > end) return;
        yield { field, start, end: start + length };
        at = start + length;
      } else return;
    }
  }

  text(start: number, end: number): string {
    return new TextDecoder().decode(
      Uint8Array.from({ length: Math.min(end - start, 256) }, (_, i) => this.byte(start + i)),
    );
  }

  close(): void {
    closeSync(this.fd);
  }

  private varint(at: number): { value: number; end: number } {
    let value = 0;
    for (let i = 0; i < 10; i++) {
      const byte = this.byte(at + i);
      value += (byte & 0x7f) * 2 ** (7 * i);
      if (byte < 0x80) return { value, end: at + i + 1 };
    }
    return { value, end: at + 10 };
  }

  private byte(at: number): number {
    if (at < this.from || at >= this.from + this.length) {
      this.from = at;
      this.length = readSync(this.fd, this.window, 0, WINDOW, at);
      if (this.length === 0) return 0;
    }
    return this.window[at - this.from]!;
  }
}
