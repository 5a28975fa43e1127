export { RerankError, type RerankErrorCode } from "./errors.js";
export { sharedReranker } from "./registry.js";
export { type RemoteOptions, remoteReranker } from "./remote.js";
export { loadReranker } from "./reranker.js";
export type * from "./types.js";
