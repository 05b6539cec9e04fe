import { useLayoutEffect, useState } from "preact/hooks";
import type { App } from "../state/app.ts";
import { t } from "../state/i18n.ts";
import { loginUrl } from "../state/login.ts";
import { excessOf, MAX_NAME } from "../state/long.ts";
import { TooLong } from "./TooLong.tsx";

/** The way in: by a name, where that is enough, or by logging in on this site. */
export function SignIn({ app }: { app: App }) {
  const { value: way } = app.way;
  return (
    <main class="sign-in">
      {way === "form" ? <Form app={app} /> : <Login app={app} known={way === "login"} />}
    </main>
  );
}

/** Leads to where one logs in. */
function Login({ app, known }: { app: App; known: boolean }) {
  const error = app.signInError.value;
  const url = error === "loginFailed" ? undefined : loginUrl.value;
  return (
    <div class="card">
      <Title />
      <p role="status">{t(known ? (error ?? "loginNeeded") : "connecting")}</p>
      {known && url !== undefined && (
        <a class="button primary" href={url}>
          {t("logIn")}
        </a>
      )}
      {known && url === undefined && (
        <button type="button" class="primary" onClick={() => void app.logIn()}>
          {t(error === "loginFailed" ? "retry" : "logIn")}
        </button>
      )}
    </div>
  );
}

function Title() {
  return (
    <>
      <h1>
        <img src="icon.svg" alt="" width="32" height="32" /> Parley
      </h1>
      <p class="muted">{t("tagline")}</p>
    </>
  );
}

/** Asks for a name, a channel, and a token where the server wants one. */
function Form({ app }: { app: App }) {
  const [user, setUser] = useState(app.user.value || app.lastUser);
  const [channel, setChannel] = useState(app.activeName.value ?? "lobby");
  const [token, setToken] = useState("");
  const [asksToken, setAsksToken] = useState(false);
  const [incomplete, setIncomplete] = useState(false);
  useLayoutEffect(() => document.getElementById(asksToken ? "token" : "user")?.focus(), [asksToken]);

  const excess = excessOf(user.trim(), MAX_NAME);
  const excessive = excessOf(channel.trim(), MAX_NAME);
  const withToken = asksToken || app.needsToken.value;
  const submit = (event: Event) => {
    event.preventDefault();
    // A token says by itself whose it is.
    const known = user.trim() !== "" || (withToken && token.trim() !== "");
    const complete = known && channel.trim() !== "";
    setIncomplete(!complete);
    if (!complete) return;
    const secret = withToken && token.trim() ? { token: token.trim() } : {};
    app.signIn({ user: user.trim(), ...secret }, channel.trim());
  };
  const error = incomplete ? "fillName" : app.signInError.value;

  return (
    <form class="card" onSubmit={submit} noValidate>
      <Title />
      <label for="user">{t("name")}</label>
      <input
        id="user"
        value={user}
        onInput={(e) => setUser(e.currentTarget.value)}
        autocomplete="nickname"
        aria-invalid={excess > 0}
        required={!withToken}
      />
      <TooLong by={excess} />
      <label for="channel">{t("channel")}</label>
      <input
        id="channel"
        value={channel}
        onInput={(e) => setChannel(e.currentTarget.value)}
        autocomplete="off"
        aria-invalid={excessive > 0}
        required
      />
      <TooLong by={excessive} />
      {withToken ? (
        <>
          <label for="token">{t("token")}</label>
          <input
            id="token"
            type="password"
            value={token}
            onInput={(e) => setToken(e.currentTarget.value)}
            autocomplete="off"
          />
        </>
      ) : (
        <button type="button" class="link" onClick={() => setAsksToken(true)}>
          {t("useToken")}
        </button>
      )}
      {!withToken && <p class="muted note">{t("unverified")}</p>}
      <p class="error" role="alert">
        {error ? t(error) : ""}
      </p>
      <button type="submit" class="primary" disabled={excess > 0 || excessive > 0}>
        {t("enter")}
      </button>
    </form>
  );
}
