import type { App } from "../state/app.ts";
import { Chat } from "./Chat.tsx";
import { SignIn } from "./SignIn.tsx";

/** The whole page. */
export function Root({ app }: { app: App }) {
  return app.client.value ? <Chat app={app} /> : <SignIn app={app} />;
}
