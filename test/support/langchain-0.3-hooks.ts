/**
 * A module loader hook that gives `@langchain/core` 0.3, installed under another name, to all that asks for the
 * package: https://nodejs.org/api/module.html#customization-hooks
 */
export async function resolve(
  specifier: string,
  context: object,
  next: (specifier: string, context: object) => Promise<unknown>,
): Promise<unknown> {
  return next(specifier.replace(/^@langchain\/core(?=\/|$)/, "langchain-core-0.3"), context);
}
