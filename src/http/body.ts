/** A URL without user, password and query, which may hold secrets. */
export function address(url: URL): string {
  return url.origin + url.pathname;
}

/**
 * The text of an answer, of at most `limit` bytes once it is unpacked. Of a longer one no more is read, and `whole` is
 * false.
 */
export async function readText(
  chunks: AsyncIterable<Uint8Array> | Iterable<Uint8Array>,
  limit: number,
): Promise<{ text: string; whole: boolean }> {
  const received: Uint8Array[] = [];
  let size = 0;
  for await (const chunk of chunks) {
    received.push(chunk);
    size += chunk.length;
    if (size > limit) break;
  }
  return { text: Buffer.concat(received).toString("utf8", 0, limit), whole: size <= limit };
}

/** Frees the connection of an answer that is not read. */
export async function discard(response: Response): Promise<void> {
  await response.body?.cancel().catch(() => {});
}
