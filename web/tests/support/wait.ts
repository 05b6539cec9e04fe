/** A patience, in milliseconds: what comes at all comes sooner, on a busy machine too. */
const LIMIT = 60_000;

/** Waits until a condition holds, and fails with its name when it does not. */
export async function until(
  what: string,
  condition: () => boolean | Promise<boolean>,
  within = LIMIT,
): Promise<void> {
  const end = Date.now() + within;
  while (!(await condition())) {
    if (Date.now() > end) throw new Error(`not within ${within} ms: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}

/** What became of a promise within a while: "pending" when nothing did. */
export function outcome(promise: Promise<unknown>, within = LIMIT): Promise<unknown> {
  return Promise.race([
    promise.then(
      () => "resolved",
      (error: unknown) => error,
    ),
    new Promise((resolve) => setTimeout(resolve, within, "pending")),
  ]);
}
