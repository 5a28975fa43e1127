/**
 * A writer for the part of ONNX that an encoder needs: plain protobuf, no library.
 * Field numbers: https://github.com/onnx/onnx/blob/main/onnx/onnx.proto
 */

/** TensorProto.DataType */
export const DataType = { float: 1, int8: 3, int32: 6, int64: 7, float16: 10 } as const;
export type DataTypeName = keyof typeof DataType;

export type Attribute = number | { float: number } | string | readonly number[];

/** Where the bytes of an initializer lie: a file relative to the session's external data folder. */
export interface ExternalData {
  location: string;
  /** bytes from the start of the file */
  offset: number;
  /** bytes */
  length: number;
}

type Dimension = number | string;

const encoder = new TextEncoder();

class Message {
  private readonly parts: Uint8Array[] = [];

  varint(field: number, value: number | bigint): this {
    this.parts.push(varint(field * 8), varint(value));
    return this;
  }

  float(field: number, value: number): this {
    this.parts.push(varint(field * 8 + 5), new Uint8Array(new Float32Array([value]).buffer));
    return this;
  }

  bytes(field: number, value: Uint8Array): this {
    this.parts.push(varint(field * 8 + 2), varint(value.length), value);
    return this;
  }

  string(field: number, value: string): this {
    return this.bytes(field, encoder.encode(value));
  }

  message(field: number, value: Message): this {
    return this.bytes(field, value.finish());
  }

  finish(): Uint8Array {
    return Buffer.concat(this.parts);
  }
}

const SMALL = Array.from({ length: 128 }, (_, value) => Uint8Array.of(value));

function varint(value: number | bigint): Uint8Array {
  // Nearly all: field numbers, lengths and sizes. A BigInt for each would take longer than opening the graph.
  if (value >= 0 && value < 128) return SMALL[Number(value)]!;
  let rest = BigInt.asUintN(64, BigInt(value));
  const out: number[] = [];
  do {
    const low = Number(rest & 0x7fn);
    rest >>= 7n;
    out.push(rest > 0n ? low | 0x80 : low);
  } while (rest > 0n);
  return Uint8Array.from(out);
}

/** Collects nodes and initializers of one graph; `node` returns the name of its output, so calls nest like formulas. */
export class Graph {
  private readonly body = new Message();
  private counter = 0;
  private readonly constants = new Map<string, string>();

  input(name: string, type: DataTypeName, shape: readonly Dimension[]): string {
    this.body.message(11, valueInfo(name, type, shape));
    return name;
  }

  output(name: string, type: DataTypeName, shape: readonly Dimension[]): void {
    this.body.message(12, valueInfo(name, type, shape));
  }

  /** Adds a node of `op` (`"com.microsoft:Gelu"` for another domain) and returns the name of its output. */
  node(
    op: string,
    inputs: readonly string[],
    attributes: Record<string, Attribute> = {},
    output = this.name(op),
  ): string {
    const [domain, type] = op.includes(":") ? op.split(":") : ["", op];
    const node = new Message();
    for (const input of inputs) node.string(1, input);
    node.string(2, output).string(3, output).string(4, type!);
    for (const [name, value] of Object.entries(attributes)) node.message(5, attribute(name, value));
    if (domain) node.string(7, domain);
    this.body.message(1, node);
    return output;
  }

  /** A fresh value name. */
  private name(hint: string): string {
    return `${hint.replace(/^.*:/, "")}_${this.counter++}`;
  }

  initializer(name: string, type: DataTypeName, shape: readonly number[], data: ExternalData): string {
    const tensor = tensorHead(name, type, shape);
    for (const [key, value] of Object.entries(data)) {
      tensor.message(13, new Message().string(1, key).string(2, String(value)));
    }
    this.body.message(5, tensor.varint(14, 1));
    return name;
  }

  /** A small tensor that is written into the graph itself; equal ones are stored once. */
  constant(type: "float" | "int64", values: readonly number[], shape: readonly number[] = [values.length]): string {
    const key = `${type}:${shape}:${values}`;
    const known = this.constants.get(key);
    if (known !== undefined) return known;
    const name = this.name("constant");
    const raw = type === "float" ? new Float32Array(values) : new BigInt64Array(values.map((value) => BigInt(value)));
    this.body.message(5, tensorHead(name, type, shape).bytes(9, new Uint8Array(raw.buffer)));
    this.constants.set(key, name);
    return name;
  }

  /** The whole ModelProto: ONNX opset 20 with com.microsoft's contrib operators. */
  finish(name: string): Uint8Array {
    const opset = (domain: string, version: number) => new Message().string(1, domain).varint(2, version);
    return new Message()
      .varint(1, 9)
      .string(2, "bge-reranker")
      .message(7, this.body.string(2, name))
      .message(8, opset("", 20))
      .message(8, opset("com.microsoft", 1))
      .finish();
  }
}

function tensorHead(name: string, type: DataTypeName, shape: readonly number[]): Message {
  const tensor = new Message();
  for (const size of shape) tensor.varint(1, size);
  return tensor.varint(2, DataType[type]).string(8, name);
}

function valueInfo(name: string, type: DataTypeName, shape: readonly Dimension[]): Message {
  const dims = new Message();
  for (const size of shape) {
    dims.message(1, typeof size === "number" ? new Message().varint(1, size) : new Message().string(2, size));
  }
  const tensor = new Message().varint(1, DataType[type]).message(2, dims);
  return new Message().string(1, name).message(2, new Message().message(1, tensor));
}

function attribute(name: string, value: Attribute): Message {
  const out = new Message().string(1, name);
  if (typeof value === "number") return out.varint(3, value).varint(20, 2);
  if (typeof value === "string") return out.string(4, value).varint(20, 3);
  if ("float" in value) return out.float(2, value.float).varint(20, 1);
  for (const item of value) out.varint(8, item);
  return out.varint(20, 7);
}
