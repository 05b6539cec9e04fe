import { createServer, request } from "node:http";
import { connect, type AddressInfo, type Socket } from "node:net";

/**
 * A reverse proxy that serves a server below some paths, and nothing at its root,
 * as nginx does. It can be `away`, and serve a file by another name and changed.
 */
export async function serveBelow(paths: string[], target: string) {
  const site = {
    away: false,
    change: undefined as ((path: string, text: string) => string) | undefined,
    nameOf: (path: string) => path,
  };
  const { hostname, port } = new URL(target);
  const inner = (url: string) => {
    const path = paths.find((path) => url.startsWith(path));
    return path && site.nameOf(`/${url.slice(path.length)}`);
  };
  const proxy = createServer(({ method, url, headers }, response) => {
    const path = inner(url!);
    if (path === undefined) return void response.writeHead(404).end();
    const { change } = site;
    if (change) {
      // Whole and as it is, so that it can be changed.
      for (const name of ["accept-encoding", "if-none-match", "range"]) delete headers[name];
    }
    request({ hostname, port, path, method, headers }, (answer) => {
      if (!change) {
        response.writeHead(answer.statusCode!, answer.headers);
        return void answer.pipe(response);
      }
      const { "content-length": _, etag: __, ...others } = answer.headers;
      const parts: Buffer[] = [];
      answer.on("data", (part) => parts.push(part));
      answer.on("end", () => {
        response.writeHead(answer.statusCode!, others);
        response.end(change(path, Buffer.concat(parts).toString()));
      });
    })
      .on("error", () => response.destroy())
      .end();
  });
  const sockets = new Set<Socket>();
  proxy.on("connection", (socket) => {
    if (site.away) return void socket.destroy();
    sockets.add(socket);
    socket.on("close", () => sockets.delete(socket));
  });
  proxy.on("upgrade", ({ url, rawHeaders }, near) => {
    const path = inner(url!);
    near.on("error", () => {}); // a close follows
    if (path === undefined) return near.end("HTTP/1.1 404 Not Found\r\n\r\n");
    const far = connect(Number(port), hostname);
    far.on("error", () => {});
    const lines = rawHeaders.map((part, i) => part + (i % 2 === 0 ? ": " : "\r\n"));
    far.write(`GET ${path} HTTP/1.1\r\n${lines.join("")}\r\n`);
    for (const [socket, other] of [[near, far], [far, near]] as const) {
      socket.on("close", () => other.destroy());
      socket.pipe(other);
    }
  });
  await new Promise<void>((resolve) => proxy.listen(0, "127.0.0.1", resolve));
  return Object.assign(site, {
    /** Cuts everything, and lets nobody in until it is back. */
    leave() {
      site.away = true;
      for (const socket of sockets) socket.destroy();
    },
    url: `http://127.0.0.1:${(proxy.address() as AddressInfo).port}`,
    async stop() {
      for (const socket of sockets) socket.destroy();
      await new Promise((resolve) => proxy.close(resolve));
    },
  });
}
