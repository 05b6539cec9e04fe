/**
 * Has the browser keep the page's own files for when the server is away. Where it
 * cannot (no HTTPS, a private window), the page is as it was.
 */
export async function keepShell(): Promise<void> {
  const { serviceWorker } = navigator;
  if (!serviceWorker) return;
  const file = "sw.js";
  // The one policy that there is allows this one address, whatever it is asked for.
  const types = (globalThis as unknown as { trustedTypes?: TrustedTypes }).trustedTypes;
  const address = types?.createPolicy("shell", { createScriptURL: () => file }).createScriptURL("");
  await serviceWorker.register((address ?? file) as string).catch(() => {});
}

interface TrustedTypes {
  createPolicy(
    name: string,
    rules: { createScriptURL(): string },
  ): { createScriptURL(input: string): unknown };
}
