import { crc32 } from "node:zlib";
import { RerankError } from "../../errors.js";

/** What a compiled tokenizer file holds: a small description and some long arrays. */
export interface Compiled {
  meta: unknown;
  trie: Int32Array;
  scores: Float32Array;
  charsmap: Uint8Array | undefined;
}

const MAGIC = "BGETOK\r\n";
/** Raise it when the layout, or the meaning of anything in it, changes. */
const VERSION = 1;
/** magic, version, crc32 of all that follows, byte lengths of meta, trie, scores and charsmap */
const HEADER = 32;

/** One block of bytes, every section at a multiple of 8, numbers in this machine's byte order. */
export function packCompiled({ meta, trie, scores, charsmap }: Compiled): Uint8Array {
  const sections = [
    new TextEncoder().encode(JSON.stringify(meta)),
    bytesOf(trie),
    bytesOf(scores),
    charsmap ?? new Uint8Array(0),
  ];
  const packed = new Uint8Array(HEADER + sections.reduce((sum, section) => sum + aligned(section.length), 0));
  let at = HEADER;
  for (const section of sections) {
    packed.set(section, at);
    at += aligned(section.length);
  }
  packed.set(new TextEncoder().encode(MAGIC));
  packed.set(bytesOf(new Uint32Array([VERSION, 0, ...sections.map((section) => section.length)])), 8);
  packed.set(bytesOf(new Uint32Array([crc32(packed.subarray(16))])), 12);
  return packed;
}

/** Views into the bytes of a compiled tokenizer; throws `MODEL_INVALID` when they are of another version or damaged. */
export function openCompiled(packed: Uint8Array): Compiled {
  // views need alignment; and a Buffer's own slice() would not copy
  const bytes =
    packed.byteOffset % 8 === 0
      ? new Uint8Array(packed.buffer, packed.byteOffset, packed.length)
      : new Uint8Array(packed);
  if (bytes.length < HEADER || new TextDecoder().decode(bytes.slice(0, 8)) !== MAGIC)
    damaged("it does not start with BGETOK");
  const [version, crc, ...lengths] = new Uint32Array(bytes.slice(8, 32).buffer);
  if (version !== VERSION) damaged(`it is of version ${version}, expected ${VERSION}`);
  const end = lengths.reduce((sum, length) => sum + aligned(length), HEADER);
  if (end !== bytes.length) damaged(`it should have ${end} bytes, but has ${bytes.length}`);
  if (crc32(bytes.subarray(16)) !== crc) damaged("its checksum does not fit");
  let at = HEADER;
  const [meta, trie, scores, charsmap] = lengths.map((length) => {
    const section = bytes.subarray(at, at + length);
    at += aligned(length);
    return section;
  }) as [Uint8Array, Uint8Array, Uint8Array, Uint8Array];
  return {
    meta: JSON.parse(new TextDecoder().decode(meta.slice())),
    trie: new Int32Array(trie.buffer, trie.byteOffset, trie.length / 4),
    scores: new Float32Array(scores.buffer, scores.byteOffset, scores.length / 4),
    charsmap: charsmap.length > 0 ? charsmap : undefined,
  };
}

function damaged(why: string): never {
  throw new RerankError(
    "MODEL_INVALID",
    `the compiled tokenizer cannot be used: ${why}; delete it, and it is made again`,
  );
}

function aligned(length: number): number {
  return Math.ceil(length / 8) * 8;
}

function bytesOf(array: Int32Array | Uint32Array | Float32Array): Uint8Array {
  return new Uint8Array(array.buffer, array.byteOffset, array.byteLength);
}
