import { createHmac } from "node:crypto";
import type { Page, Route } from "playwright-core";

/** What the server of these tests checks tokens with. */
export const secret = "a secret of at least thirty-two bytes";

export interface Grant {
  channels: string[];
  allow: string[];
}

export const everything: Grant[] = [{ channels: ["*"], allow: ["*"] }];

/** A JWT of a user that is good for some seconds. */
export function tokenOf(sub: string, seconds: number, grants = everything, key = secret): string {
  return sign({ sub, parley: { grants } }, seconds, key);
}

/** A JWT that lets a user into one channel. */
export function channelTokenOf(sub: string, channel: string, seconds: number): string {
  return sign({ sub, channel, allow: ["join", "history", "chat"] }, seconds, secret);
}

function sign(claims: object, seconds: number, key: string): string {
  const part = (value: object) => Buffer.from(JSON.stringify(value)).toString("base64url");
  const iat = Math.floor(Date.now() / 1000);
  const head = part({ alg: "HS256", typ: "JWT" });
  const signed = `${head}.${part({ ...claims, iat, exp: iat + seconds })}`;
  return `${signed}.${createHmac("sha256", key).update(signed).digest("base64url")}`;
}

/** The part of a site where people log in and get tokens, as the page sees it. */
export class Site {
  /** Who is logged in. */
  user: string | undefined;
  grants = everything;
  key = secret;
  /** Where it says that one logs in. */
  login: unknown = "/auth/login";
  /** Whether it is out of order. */
  down = false;
  readonly asked: string[] = [];

  /** Stands beside the server, below /auth/. */
  async on(page: Page): Promise<this> {
    await page.route("**/auth/*", (route) => this.#answer(route));
    return this;
  }

  #answer(route: Route): Promise<void> {
    const request = route.request();
    const what = new URL(request.url()).pathname.replace(/.*\/auth\//, "");
    this.asked.push(`${request.method()} ${what}`);
    if (this.down) return route.fulfill({ status: 500 });
    if (what === "logout") this.user = undefined;
    if (what === "login") return route.fulfill({ contentType: "text/html", body: "<h1>Who?</h1>" });
    if (what === "logout") return route.fulfill({ status: 204 });
    if (this.user === undefined) return route.fulfill({ status: 401, json: { login: this.login } });
    if (what !== "token") return route.fulfill({ status: 403, json: {} });
    return route.fulfill({ json: { token: tokenOf(this.user, 600, this.grants, this.key) } });
  }
}
