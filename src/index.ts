export { RerankError, type RerankErrorCode } from "./errors.js";
export { type RemoteOptions, remoteReranker } from "./remote/reranker.js";
export { loadReranker } from "./rerankers/load.js";
export { sharedReranker } from "./rerankers/shared.js";
export type * from "./types.js";
