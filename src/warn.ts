/** Takes one sentence for the user. */
export type Warn = (message: string) => void;

/** Tells the user of this process: a warning named `BgeRerankerWarning`. */
export const emitWarning: Warn = (message) => {
  process.emitWarning(message, { type: "BgeRerankerWarning" });
};
