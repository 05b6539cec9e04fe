import type { Found, ParleyError, SearchResult } from "@parley-chat/sdk";
import { useLayoutEffect, useRef, useState } from "preact/hooks";
import type { App } from "../state/app.ts";
import { minute } from "../state/format.ts";
import { t } from "../state/i18n.ts";
import { excessOf } from "../state/long.ts";
import { hue, legible } from "../state/names.ts";
import { peerOf } from "../state/reading.ts";
import { reasonOf } from "../state/reason.ts";
import { snippet } from "../state/search.ts";
import { missingIn, Said } from "./Access.tsx";
import { Text } from "./Text.tsx";

/** Bytes of what one looks for that the server takes. */
const MAX_QUERY = 256;

/** Finds messages by their words, and leads to them. */
export function Search({ app, close }: { app: App; close(): void }) {
  const field = useRef<HTMLInputElement>(null);
  const [text, setText] = useState("");
  const [everywhere, setEverywhere] = useState(false);
  const { page, error, asking, ask } = useSearch(app);
  const out = useShutOut(app, asking);
  const found = page && { ...page, messages: asTheyAre(app, page.messages, out) };
  useLayoutEffect(() => field.current?.focus(), []);
  const channel = app.active.value?.channel.name;
  const where = everywhere || channel === undefined ? {} : { channel };
  const excess = excessOf(text.trim(), MAX_QUERY);
  const go = (message: Found) => {
    close();
    app.open(message.channel, peerOf(message, app.user.value), message);
  };
  return (
    <>
      <form
        class="search"
        role="search"
        onSubmit={(event) => {
          event.preventDefault();
          if (text.trim() !== "" && excess <= 0) void ask({ query: text.trim(), ...where });
        }}
      >
        <input
          ref={field}
          role="searchbox"
          enterkeyhint="search"
          aria-label={t("search")}
          placeholder={t("searchHint")}
          value={text}
          aria-invalid={excess > 0}
          onInput={(event) => setText(event.currentTarget.value)}
        />
        <button type="submit" class="primary" aria-disabled={asking} disabled={excess > 0}>
          {t("find")}
        </button>
        {channel !== undefined && (
          <label class="check">
            <input
              type="checkbox"
              checked={everywhere}
              onChange={(event) => setEverywhere(event.currentTarget.checked)}
            />
            {t("everywhere")}
          </label>
        )}
      </form>
      <div role="status">
        {app.views.value.map((view) =>
          view.shutOut && out.has(view.channel.name) ? (
            <p key={view.channel.name}>
              <Said missing={missingIn(view)!} />
            </p>
          ) : null,
        )}
        {excess > 0 ? (
          <p class="error">{t("tooLong", { n: excess })}</p>
        ) : (
          <p class={error ? "error" : "muted"}>{error ?? (found && outcome(found))}</p>
        )}
      </div>
      <ul class="found-list">
        {found?.messages.map((message) => (
          <li key={`${message.channel}/${message.epoch}/${message.seq}`}>
            <button type="button" onClick={() => go(message)}>
              <Result message={message} me={app.user.value} />
            </button>
          </li>
        ))}
      </ul>
      <div class="actions">
        {found?.more && (
          <button type="button" aria-disabled={asking} onClick={() => void ask()}>
            {t("more")}
          </button>
        )}
        <button type="button" onClick={close}>
          {t("close")}
        </button>
      </div>
    </>
  );
}

function outcome({ messages, more }: SearchResult): string {
  if (messages.length === 0 && !more) return t("nothingFound");
  return t("messagesFound", { n: `${messages.length}${more ? "+" : ""}` });
}

/** Why a search failed: of what one typed, or as with all requests. */
function failure(error: ParleyError): string {
  const reason = error.data.field === "query" ? t("badQuery") : reasonOf(error);
  return t("searchFailed", { reason });
}

function Result({ message, me }: { message: Found; me: string }) {
  const { user, channel, time, body, highlight } = message;
  const peer = peerOf(message, me);
  return (
    <>
      <span class="by">
        <bdi class={`author ${hue(user)}`}>{legible(user)}</bdi>{" "}
        <span class="muted">
          <bdi>{channel}</bdi>
          {peer !== undefined && (
            <>
              , <Text of="privateTo" with={{ user: user === me ? peer : me }} />
            </>
          )}
          , {minute(time)}
        </span>
      </span>
      <span class="snippet" dir="auto">
        {snippet(body, highlight).map(({ text, found }) => (found ? <mark>{text}</mark> : text))}
      </span>
    </>
  );
}

interface Query {
  query: string;
  channel?: string;
}

/** One search at a time, which is all that the server does for a session. */
function useSearch(app: App) {
  const [page, setPage] = useState<SearchResult | undefined>(undefined);
  const [error, setError] = useState<string | undefined>(undefined);
  const [asking, setAsking] = useState(false);
  const [query, setQuery] = useState<Query | undefined>(undefined);
  /** With a query it begins, without one it goes on. */
  const ask = async (begin?: Query) => {
    const wanted = begin ?? query;
    const { value: client } = app.client;
    if (!wanted || !client || asking) return;
    const before = begin ? undefined : page?.before;
    setAsking(true);
    setError(undefined);
    setQuery(wanted);
    try {
      const next = await client.search({ ...wanted, ...(before === undefined ? {} : { before }) });
      const messages = before === undefined ? next.messages : [...page!.messages, ...next.messages];
      setPage({ ...next, messages });
    } catch (error) {
      setError(failure(error as ParleyError));
    } finally {
      setAsking(false);
    }
  };
  return { page, error, asking, ask };
}

/**
 * The channels that the user was put out of since the search began: what was found there is
 * not for them, and may be gone when they are back. What begins later the server judges.
 */
function useShutOut(app: App, asking: boolean): ReadonlySet<string> {
  const out = useRef(new Set<string>());
  const before = useRef<readonly string[] | undefined>(undefined);
  useLayoutEffect(() => {
    if (asking) out.current.clear();
  }, [asking]);
  const now = app.views.value.filter((view) => view.shutOut).map(({ channel: { name } }) => name);
  for (const name of now) if (!(before.current ?? now).includes(name)) out.current.add(name);
  before.current = now;
  return out.current;
}

/** Of what was found, what may be seen, as it is by now where that is known. */
function asTheyAre(app: App, found: readonly Found[], out: ReadonlySet<string>): Found[] {
  return found.flatMap((message) => {
    const { channel, edited } = message;
    if (out.has(channel)) return [];
    const view = app.views.value.find((view) => view.channel.name === channel);
    void view?.version;
    const held = view?.changes.held(message);
    if (held?.deleted) return [];
    if (!held || held.edited?.seq === edited?.seq) return [message];
    return [{ ...message, body: held.body, highlight: [] }];
  });
}
