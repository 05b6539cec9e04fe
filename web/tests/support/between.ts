import type { Page, WebSocketRoute } from "playwright-core";

/** A request, an answer or a push, as far as tests change it. */
export interface Frame {
  id?: number;
  method?: string;
  params?: any;
  result?: any;
}

/** What becomes of a frame; undefined when it goes no further. */
export type Change = (frame: Frame, socket: WebSocketRoute) => Frame | undefined;

/** Lets frames through as changed: those of the page, and those of the server. */
export async function between(page: Page, ofPage: Change, ofServer: Change = (frame) => frame) {
  await page.routeWebSocket("**/ws", (socket) => {
    const server = socket.connectToServer();
    socket.onMessage((text) => {
      const frame = ofPage(JSON.parse(String(text)), socket);
      if (frame) server.send(JSON.stringify(frame));
    });
    server.onMessage((text) => {
      const frame = ofServer(JSON.parse(String(text)), socket);
      if (frame) socket.send(JSON.stringify(frame));
    });
  });
}

export function refuse(
  socket: WebSocketRoute,
  frame: Frame,
  code: number,
  message: string,
  data?: object,
): undefined {
  socket.send(JSON.stringify({ jsonrpc: "2.0", id: frame.id, error: { code, message, data } }));
}
