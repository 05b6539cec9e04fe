import { type Client, type ClientState, ErrorCode, UnauthorizedError } from "@parley-chat/sdk";
import { expect, test, vi } from "vitest";
import { lasts } from "../../sdk/src/token.ts";
import { make, server } from "../support/clients.ts";
import { tokenFor } from "../support/fake-server.ts";
import { outcome, until } from "../support/wait.ts";

/** The token of a connection: fetched when it is needed, and only then. */

/** The tokens that were sent, in their order. */
const sent = () =>
  server.calls.filter(({ method }) => method === "hello").map(({ params }) => params.token);

/** What the application issues; every one is another one. */
function issuer(seconds: number | ((n: number) => number) = 600) {
  const issued: string[] = [];
  const getToken = async () => {
    const n = issued.length;
    issued.push(tokenFor(typeof seconds === "number" ? seconds : seconds(n)));
    return issued[n]!;
  };
  return { issued, getToken };
}

/** Refuses tokens as a connector does. */
function refuse(bad: (token: string) => boolean, code = 3500): void {
  server.intercept = ({ method, params, socket, error }) => {
    if (method !== "hello" || !bad(params.token)) return false;
    error(1001);
    socket.close(code);
    return true;
  };
}

const statuses = (client: Client) => {
  const seen: ClientState["status"][] = [];
  client.on("state", ({ status }) => seen.push(status));
  return seen;
};

test("a token is fetched once, and used as long as it lasts", async () => {
  const { issued, getToken } = issuer();
  const client = make({ getToken });
  await client.connect();
  server.cut();
  await until("the reconnect", () => server.count("hello") === 2);
  await until("online", () => client.state.status === "online");
  expect(issued).toHaveLength(1);
  expect(sent()).toEqual([issued[0], issued[0]]);
});

test("a first token that is given is used first", async () => {
  const { issued, getToken } = issuer();
  const token = tokenFor(600);
  const client = make({ token, getToken });
  await client.connect();
  server.close(3005);
  await until("the reconnect", () => server.count("hello") === 2);
  expect(sent()).toEqual([token, issued[0]]);
});

test("of a token of another kind nobody knows how long it lasts: it is used once", async () => {
  let n = 0;
  const client = make({ token: () => `t${++n}` });
  await client.connect();
  server.cut();
  await until("the reconnect", () => server.count("hello") === 2);
  expect(sent()).toEqual(["t1", "t2"]);
  await until("online", () => client.state.status === "online");
  await client.refresh();
  expect(sent()).toEqual(["t1", "t2", "t3"]);
});

test("3005: it is back at once, with a fresh token", async () => {
  vi.spyOn(Math, "random").mockReturnValue(1);
  const { issued, getToken } = issuer();
  const client = make({ getToken });
  await client.connect();
  const seen = statuses(client);
  server.close(3005);
  await until("the second session", () => seen.includes("online"));
  expect(seen).toEqual(["connecting", "online"]);
  expect(sent()).toEqual(issued);
  expect(issued).toHaveLength(2);
  // Fresh ones that run out as soon are fetched with pauses.
  server.close(3005);
  await until("the wait", () => seen.includes("waiting"));
  client.wake();
  await until("the third session", () => server.count("hello") === 3);
});

test("a token that has run out at hello is replaced; without a function it is the end", async () => {
  const first = tokenFor(600);
  refuse((token) => token === first, 3005);
  await make({ token: first, getToken: issuer().getToken }).connect();
  await expect(make({ token: first }).connect()).rejects.toMatchObject({
    code: ErrorCode.Unauthenticated,
  });
});

test("shortly before it runs out a fresh one is sent on the same connection", async () => {
  const { issued, getToken } = issuer((n) => (n === 0 ? 2 : 600));
  const client = make({ getToken });
  const seen = statuses(client);
  await client.connect();
  await until("the fresh one", () => server.count("hello") === 2);
  expect(sent()).toEqual(issued);
  expect(server.sockets.size).toBe(1);
  expect(seen).toEqual(["connecting", "online"]);
});

test("a fresh token that cannot be fetched in time is tried for again, while the session lasts", async () => {
  let n = 0;
  const getToken = () => {
    n++;
    if (n === 2) throw new Error("the endpoint is away");
    return tokenFor(n === 1 ? 2 : 600);
  };
  const lines: string[] = [];
  const client = make({ getToken, debug: (line) => lines.push(line) });
  await client.connect();
  await until("the fresh one", () => server.count("hello") === 2);
  expect(n).toBe(3);
  expect(client.state.status).toBe("online");
  expect(lines.join()).toContain("the endpoint is away");
});

test.each(["at hello", "on a live connection"])(
  "3500 %s: one fresh token is tried, a second one that is refused is the end",
  async (when) => {
    const { issued, getToken } = issuer();
    const client = make({ getToken });
    if (when !== "at hello") await client.connect();
    refuse(() => true);
    if (when === "at hello") void client.connect();
    else server.close(3500);
    await until("the end", () => client.state.status === "closed");
    expect(client.state).toMatchObject({ error: { code: ErrorCode.Unauthenticated } });
    expect(issued).toHaveLength(2);
    expect(sent()).toEqual(issued);
  },
);

test("after 3500 the fresh token is not of the second in which the other one was revoked", async () => {
  const at: number[] = [];
  const client = make({ getToken: () => (at.push(Date.now()), tokenFor(600)) });
  await client.connect();
  const revoked = Date.now();
  server.close(3500);
  await until("the fresh one", () => at.length === 2);
  expect(at[1]! - revoked).toBeGreaterThan(1_000);
  await until("online", () => client.state.status === "online");
});

test("3500: where the fresh token is accepted, it goes on", async () => {
  const { issued, getToken } = issuer();
  const client = make({ getToken });
  refuse((token) => token === issued[0]);
  const channel = await client.join("lobby");
  expect(sent()).toEqual(issued);
  server.close(3500); // before that one has lasted
  await until("the end", () => client.state.status === "closed");
  expect(channel.state).toBe("idle");
  expect(client.state).toMatchObject({ error: { code: 3500 } });
  await client.connect();
  expect(issued).toHaveLength(3);
});

test("a refused token whose close does not come is replaced too", async () => {
  const { issued, getToken } = issuer();
  server.intercept = ({ method, params, error }) => {
    if (method !== "hello" || params.token !== issued[0]) return false;
    error(1001);
    return true;
  };
  await make({ getToken }).connect();
  expect(issued).toHaveLength(2);
});

test("a getToken that fails is asked again; an UnauthorizedError ends it", async () => {
  const errors = [new Error("502"), new UnauthorizedError("log in first")];
  const client = make({
    getToken: () => {
      throw errors.shift()!;
    },
  });
  // The wait may be over before anybody looks.
  const waited = new Promise<ClientState>((resolve) => {
    client.on("state", (state) => state.status === "waiting" && resolve(state));
  });
  const connected = client.connect();
  expect(await waited).toMatchObject({ code: ErrorCode.NoToken, reason: "no token: Error: 502" });
  client.wake();
  expect(await outcome(connected)).toMatchObject({
    code: ErrorCode.LoggedOut,
    message: "log in first",
  });
  expect(client.state).toMatchObject({ status: "closed", error: { code: ErrorCode.LoggedOut } });
  expect(server.count("hello")).toBe(0);
});

test("whoever has logged out is disconnected when the next token is due", async () => {
  let n = 0;
  const getToken = () => {
    if (n++ > 0) throw new UnauthorizedError();
    return tokenFor(2);
  };
  const client = make({ getToken });
  const channel = await client.join("lobby");
  await until("the end", () => client.state.status === "closed");
  expect(client.state).toMatchObject({ error: { code: ErrorCode.LoggedOut } });
  expect(channel.state).toBe("idle");
});

test("a fresh token of somebody else ends it: what waits is not sent in their name", async () => {
  const client = make();
  const channel = await client.join("lobby");
  server.intercept = (call) => {
    if (call.method === "hello") call.params.user = "bob";
    return call.method === "chat";
  };
  const said = channel.send("signed, ada");
  await until("it is on its way", () => server.count("chat") === 1);
  server.cut();
  expect(await outcome(said)).toMatchObject({ code: ErrorCode.OtherUser });
  expect(client.state).toMatchObject({ status: "closed", error: { code: ErrorCode.OtherUser } });
  expect(server.count("chat")).toBe(1);

  const other = make({ getToken: issuer().getToken });
  server.intercept = () => false;
  await other.connect();
  server.intercept = (call) => (call.method === "hello" && call.error(1002), true);
  expect(await outcome(other.refresh())).toMatchObject({ code: 1002 });
  expect(other.state).toMatchObject({ status: "closed", error: { code: ErrorCode.OtherUser } });
});

test("barred: it stops, and says until when and why", async () => {
  const data = { action: "ban", until: 1_800_000_000_000, reason: "spam" };
  server.intercept = (call) => {
    call.error(1009, data);
    call.socket.close(3503);
    return true;
  };
  const client = make({ getToken: issuer().getToken });
  const error = await outcome(client.connect());
  expect(error).toMatchObject({ code: ErrorCode.Sanctioned, data });
  expect(client.state).toMatchObject({ status: "closed", error: { code: 1009, data } });
  expect(server.count("hello")).toBe(1);
});

test.each([
  ["a token of an hour, just issued", 3600, 0, 3_540_000, 3_570_000],
  ["one of ten minutes, half of it gone", 600, 300, 240_000, 271_000],
  ["one of 30 days", 30 * 86_400, 0, 2 ** 31 - 1, 2 ** 31 - 1],
  ["one that is over by this clock: it may be the clock", 600, 1200, 540_000, 570_000],
  ["one that ends in a second by this clock", 600, 599, 10_000, 10_000],
])("%s: when it is replaced", (_, seconds, age, least, most) => {
  for (const random of [0, 0.5, 1]) {
    const wait = lasts(tokenFor(seconds, age), () => random);
    expect(wait).toBeGreaterThanOrEqual(least - 1_000);
    expect(wait).toBeLessThanOrEqual(most);
  }
});

test.each(["", "opaque", "a.b.c", "a.bnVsbA.c", "a.e30.c", "a.eyJleHAiOiJzb29uIn0.c"])(
  "of %j nobody knows how long it lasts",
  (token) => expect(lasts(token)).toBe(0),
);
