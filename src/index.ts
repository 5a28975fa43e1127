export { RerankError, type RerankErrorCode } from "./errors.js";
export type * from "./types.js";
