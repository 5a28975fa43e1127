import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { makeBatch } from "../../src/runtime/batch.js";
import { createSession, type Session } from "../../src/runtime/session.js";
import { editModel, useOwnCache } from "../support/checkpoint.js";
import { openGraph, openSession } from "../support/engine.js";
import { fixture } from "../support/paths.js";
import { robertaReferences } from "../support/reference.js";

useOwnCache();

const PAD = 1;
const known = robertaReferences();
/** Many lengths, without those that make every other row of a batch long. */
const short = known.filter(({ ids }) => ids.length < 64);
const row = (ids: number[]) => ({ ids: Int32Array.from(ids), firstSegment: ids.length });

function assertClose(logits: ArrayLike<number>, wanted: number[], tolerance: number): void {
  assert.equal(logits.length, wanted.length);
  for (const [i, value] of wanted.entries()) {
    assert.ok(Math.abs(logits[i]! - value) < tolerance, `row ${i}: ${logits[i]}, PyTorch ${value}`);
  }
}

describe("the float32 graph of RoBERTa gives PyTorch's logits", () => {
  const sessions = new Map<boolean, Session>();
  before(async () => {
    for (const padded of [false, true]) sessions.set(padded, await openSession(fixture("models/roberta"), padded));
  });
  after(async () => {
    for (const session of sessions.values()) await session.release();
  });

  it("on pairs of many lengths", () => {
    const lengths = known.map(({ ids }) => ids.length);
    assert.ok(known.length >= 50 && Math.max(...lengths) > 500 && Math.min(...lengths) < 10);
    assert.ok(short.length >= 30);
  });

  for (const padded of [false, true]) {
    it(`one at a time, ${padded ? "for padded" : "for unpadded"} batches`, async () => {
      for (const { ids, logit } of known) {
        assertClose(await sessions.get(padded)!.run(makeBatch([row(ids)], PAD)), [logit], 1e-4);
      }
    });
  }

  it("equal lengths together, unpadded", async () => {
    const { ids, logit } = known.find(({ ids }) => ids.length > 20 && ids.length < 60)!;
    const other = known.find(({ ids: more }) => more.length > ids.length)!.ids.slice(0, ids.length);
    const logits = await sessions.get(false)!.run(makeBatch([row(ids), row(other), row(ids)], PAD));
    assertClose([logits[0]!, logits[2]!], [logit, logit], 1e-4);
    assert.ok(Math.abs(logits[1]! - logit) > 1e-3, "rows do not mix");
  });

  it("all lengths together, padded, whatever the padding holds", async () => {
    for (const [pad, pairs] of [
      [PAD, known],
      [0, short],
      [700, short],
    ] as const) {
      const batch = makeBatch(
        pairs.map(({ ids }) => row(ids)),
        pad,
      );
      const logits = pairs.map(({ logit }) => logit);
      assertClose(await sessions.get(true)!.run(batch), logits, 1e-4);
    }
  });

  it("in any order of rows", async () => {
    const backwards = short.toReversed();
    const batch = makeBatch(
      backwards.map(({ ids }) => row(ids)),
      PAD,
    );
    assertClose(
      await sessions.get(true)!.run(batch),
      backwards.map(({ logit }) => logit),
      1e-4,
    );
  });
});

describe("the float32 graph", () => {
  it("reads every tensor: another value anywhere is another logit", async (t) => {
    const ids = known.find(({ ids }) => ids.length > 15 && ids.length < 40)!.ids;
    const score = async (folder: string) => {
      const { parts, ...graph } = await openGraph(folder, false);
      // Packed weights would be kept in files, for one run.
      const unpacked = { ...graph, parts: parts.map(({ prepacked, ...part }) => part) };
      const session = await createSession(unpacked, { name: "cpu", index: 0 });
      const logits = await session.run(makeBatch([row(ids)], PAD));
      await session.release();
      return logits[0]!;
    };
    const original = await score(fixture("models/roberta"));
    const names: string[] = [];
    editModel(t, "roberta", { tensors: (tensors) => void names.push(...tensors.keys()) });
    assert.equal(names.length, 41);
    for (const name of names) {
      // A key's bias moves all attention logits of a query alike, which softmax takes back.
      if (name.endsWith("key.bias")) continue;
      const folder = editModel(t, "roberta", {
        tensors: (tensors) => {
          const { bytes } = tensors.get(name)!;
          for (let at = 0; at < bytes.length; at += 4)
            bytes.writeFloatLE(bytes.readFloatLE(at) + (1 + ((at / 4) % 3)) * 0.1, at);
        },
      });
      assert.ok(Math.abs((await score(folder)) - original) > 1e-6, `${name} makes no difference`);
    }
  });
});
