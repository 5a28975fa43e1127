import { type TransferListItem, Worker } from "node:worker_threads";
import { type OwnFile, ownFile } from "../own-files.js";
import { type ExitState, holdExit, newExitState } from "../runtime/exit-guard.js";

/** What every thread finds in its `workerData`. */
export interface ThreadData {
  exitState: ExitState;
}

/** A worker thread whose native code `process.exit` waits for. */
export class Thread extends Worker {
  constructor(file: OwnFile & `${string}Worker`, workerData: object = {}, transferList: TransferListItem[] = []) {
    const exitState = newExitState();
    const data = { ...workerData, exitState } satisfies ThreadData;
    // Of the flags that threads inherit, this one belongs to `node --eval` alone and would keep a worker from starting.
    const execArgv = process.execArgv.some((flag) => flag.startsWith("--input-type")) ? { execArgv: [] } : {};
    super(ownFile(file), { workerData: data, transferList, name: "bge-reranker", ...execArgv });
    this.once("exit", holdExit(exitState));
  }
}
