import assert from "node:assert/strict";
import { test } from "node:test";
import { sharedReranker } from "../../src/rerankers/shared.js";
import { hubFixture, MODEL, WEIGHTS } from "../support/hub-model.js";
import { sendPart } from "../support/hub-server.js";
import { ownTime } from "../support/own-time.js";

test("dispose ends a download at once and tells whoever waits for it", async (t) => {
  const { hub, options } = await hubFixture(t);
  hub.fail("cdn", /./, 1, (response, request) => sendPart(response, request, WEIGHTS, 50_000, false));
  let arrived = () => {};
  const started = new Promise<void>((resolve) => {
    arrived = resolve;
  });
  const onProgress = ({ file, loaded }: { file: string; loaded: number }) => {
    if (file === "model.safetensors" && loaded > 0) arrived();
  };
  const reranker = sharedReranker(MODEL, { ...options, token: "none", onProgress });
  const loading = reranker.load();
  const refused = assert.rejects(loading, { code: "DISPOSED" });
  await started;
  const start = ownTime();
  await reranker.dispose();
  assert.ok(ownTime() - start < 1500, "the server would have kept it waiting for two seconds");
  await refused;
});
