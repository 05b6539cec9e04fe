/**
 * The page's own files, for when its server is away: nothing else is kept here,
 * and every other request goes by as if this were not there.
 */

const worker = self as unknown as ServiceWorkerGlobalScope;

/** What the build puts in: the version of the whole page, and its files relative to its address. */
declare const __SHELL__: { version: string; files: string[] };

const { version, files } = __SHELL__;
const { href: home, pathname } = new URL(worker.registration.scope);
/** Of this address and no other: pages below several paths of a host share their caches. */
const prefix = `parley${pathname}:`;
/** Whatever its reader accepts, a file is the same. To open a cache that was removed would make it again. */
const found = { ignoreVary: true, cacheName: prefix + version };
const own = new Set(files.map((file) => new URL(file, home).href));

worker.addEventListener("install", (event) => {
  event.waitUntil(install());
  void worker.skipWaiting();
});

worker.addEventListener("activate", (event) => event.waitUntil(removeOthers()));

worker.addEventListener("fetch", (event) => {
  const { request } = event;
  const url = new URL(request.url);
  if (request.method !== "GET" || url.origin !== worker.location.origin) return;
  const document = url.pathname === pathname || url.pathname === `${pathname}index.html`;
  if (request.mode === "navigate" && document) event.respondWith(newest(request, home));
  else if (url.href.startsWith(`${home}assets/`) && own.has(url.href)) event.respondWith(kept(request));
  else if (own.has(url.href) && url.href !== home) event.respondWith(newest(request, url.href));
});

/** Whole or not at all: the document must be that of this version, which another server may not have yet. */
async function install(): Promise<void> {
  const cache = await caches.open(prefix + version);
  await cache.addAll(own);
  const text = await (await caches.match(home, found))!.text();
  const named = [...text.matchAll(/(?:src|href)="\.\/(assets\/[^"]+)"/g)];
  if (named.length > 0 && named.every(([, file]) => files.includes(file!))) return;
  await caches.delete(prefix + version);
  throw new Error("the page is of another version");
}

async function removeOthers(): Promise<void> {
  const names = await caches.keys();
  const old = names.filter((name) => name.startsWith(prefix) && name !== prefix + version);
  await Promise.all(old.map((name) => caches.delete(name)));
}

/** What the server has, or, while it is away, what was kept. */
async function newest(request: Request, url: string): Promise<Response> {
  const response = await fetch(request).catch(() => undefined);
  if (response && (response.status < 502 || response.status > 504)) return response;
  return (await caches.match(url, found)) ?? response ?? Response.error();
}

/** A file whose name tells what is in it. */
async function kept(request: Request): Promise<Response> {
  return (await caches.match(request.url, found)) ?? fetch(request);
}
