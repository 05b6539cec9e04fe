import type { VirtualItem } from "@tanstack/virtual-core";
import type { RefObject } from "preact";
import { useCallback, useEffect, useLayoutEffect, useRef, useState } from "preact/hooks";
import type { App } from "../state/app.ts";
import { day } from "../state/format.ts";
import { t } from "../state/i18n.ts";
import { hasMarkup, loadParser, parser } from "../state/markup.ts";
import { reasonOf } from "../state/reason.ts";
import type { Row } from "../state/rows.ts";
import type { ChannelView } from "../state/view.ts";
import { Current, walk } from "./current.ts";
import { Details, type Subject } from "./Details.tsx";
import { Estimates } from "./estimate.ts";
import { Icon } from "./Icon.tsx";
import { anchorIn, usePlaceKept } from "./kept.ts";
import { RowView } from "./RowView.tsx";
import { Text } from "./Text.tsx";
import { rangeWith, runOf, useVirtualizer } from "./virtual.ts";

/** Height in pixels of what is above the oldest message. */
const HEADER = 4 * parseFloat(getComputedStyle(document.documentElement).fontSize);
/** Pixels from the top at which the next older page is asked for. */
const NEAR_TOP = 600;
/** Pixels from the bottom within which the list follows new messages. */
const AT_END = 48;

/** Milliseconds that the first messages wait for the parser of their marks. */
const PARSER_WITHIN = 1_000;

/** The messages of a channel; only those near the visible ones are in the document. */
export function Messages({ app, view }: { app: App; view: ChannelView }) {
  const part = useRef<HTMLDivElement>(null);
  const scroller = useRef<HTMLDivElement>(null);
  const [subject, setSubject] = useState<Subject | undefined>(undefined);
  const rows = view.rows.value;
  const { channel } = view;
  const focused = focusedKey(scroller.current);
  const [estimates] = useState(() => new Estimates());

  const list = useVirtualizer({
    count: rows.length,
    getScrollElement: () => scroller.current,
    estimateSize: (index) => estimates.height(rows[index]),
    getItemKey: (index) => rows[index]!.key,
    anchorTo: "end",
    followOnAppend: true,
    scrollEndThreshold: AT_END,
    overscan: 8,
    rangeExtractor: rangeWith(focused ? rows.findIndex(({ key }) => key === focused) : -1),
    paddingStart: HEADER,
    paddingEnd: 8,
  });
  if (list.scrollElement) estimates.fit(list.scrollElement, list.scrollRect?.width ?? 0);

  // Begins where one was, or at the newest message; nothing is drawn before there is one.
  const [begun, setBegun] = useState(false);
  const [peer] = useState(view.privateTo.value);
  const { anchors } = view.reading;
  const anchor = anchors.get(peer);
  const atEnd = begun ? list.isAtEnd(AT_END) : !anchor;
  // Where a row is follows from heights, and these from how wide the list is.
  const wide = list.scrollElement !== null;
  const readable = useReadable(rows);
  useLayoutEffect(() => {
    if (begun || rows.length === 0 || !readable || !wide) return;
    setBegun(true);
    const item = anchor && list.measurementsCache[rows.findIndex(({ key }) => key === anchor.key)];
    if (item) list.scrollToOffset(item.start - anchor.below);
    else list.scrollToEnd();
  });
  useLayoutEffect(() => {
    const current = scroller.current!;
    return () => {
      // Where nothing was drawn, one is where one was.
      if (current.querySelector("[data-key]")) anchors.set(peer, anchorIn(current, AT_END));
    };
  }, [anchors]);

  const sent = view.sent.value;
  const before = useRef(sent);
  useLayoutEffect(() => {
    if (sent > before.current) list.scrollToEnd();
    before.current = sent;
  }, [sent]);

  const target = view.changes.target.value;
  const index = target ? rows.findIndex((row) => row.kind === "message" && row.message.seq === target.seq) : -1;
  useEffect(() => {
    if (!begun || !target || index < 0) return;
    view.changes.target.value = undefined;
    list.scrollToIndex(index, { align: "center" });
    setFound(target.seq);
  }, [target, rows, begun]);
  const [found, setFound] = useState<number | undefined>(undefined);
  useFound(part, found, () => setFound(undefined));

  usePlaceKept(scroller, list, (element) => estimates.fit(element, element.offsetWidth), AT_END);
  // Whoever is on the way to another message only passes the end.
  useWatched(view, atEnd && index < 0 && !view.changes.looking.value);
  const nearTop = begun && list.scrollElement !== null && (list.scrollOffset ?? 0) < NEAR_TOP;
  useOlder(view, rows.length === 0 || nearTop);

  const items = begun ? list.getVirtualItems() : [];
  const run = runOf(items);
  const top = run[0]?.start ?? 0;
  const offset = list.scrollOffset ?? 0;
  const [chosen, choose] = useState<string | undefined>(undefined);
  const stop = stopIn(items, rows, chosen, offset + (list.scrollRect?.height ?? 0));
  const measure = useCallback((node: HTMLDivElement | null) => list.measureElement(node), [list]);
  const unread = view.unread.value;
  // What one reads back in; at the end it is today, and at the top the day is there itself.
  const topmost = atEnd || offset < HEADER ? undefined : items.find(({ end }) => end > offset);
  const dayInSight = topmost && timeOf(rows, topmost.index);
  return (
    <div class="messages" ref={part}>
      <div
        class="scroller"
        ref={scroller}
        tabIndex={stop === undefined ? 0 : -1}
        role="region"
        aria-label={t("messages", { name: channel.name })}
        onKeyDown={walk}
        onFocusIn={() => choose(focusedKey(scroller.current))}
      >
        <div class="sizer" style={{ height: `${list.getTotalSize()}px` }}>
          <Top view={view} />
          <div class="window" role="list" style={{ transform: `translateY(${top}px)` }}>
            {items.map((item) => (
              <div
                key={item.key}
                ref={measure}
                data-index={item.index}
                data-key={item.key}
                {...(run.includes(item) ? {} : apart(item.start - top))}
                role="listitem"
                aria-posinset={item.index + 1}
                aria-setsize={channel.hasOlder ? -1 : rows.length}
              >
                <Current.Provider value={item.key === stop}>
                  <RowView
                    app={app}
                    view={view}
                    row={rows[item.index]!}
                    inspect={setSubject}
                    found={found}
                  />
                </Current.Provider>
              </div>
            ))}
          </div>
        </div>
      </div>
      {dayInSight !== undefined && (
        <p class="floating-date" aria-hidden="true">
          {day(dayInSight)}
        </p>
      )}
      {!atEnd && (
        <button type="button" class="jump" onClick={() => list.scrollToEnd()}>
          <Icon name="down" /> {unread > 0 ? t("jumpNew", { n: unread }) : t("jump")}
        </button>
      )}
      <Details app={app} view={view} subject={subject} close={() => setSubject(undefined)} />
    </div>
  );
}

/** Whether what texts need to be drawn as they are meant is there, or does not come soon. */
function useReadable(rows: readonly Row[]): boolean {
  const [waited, setWaited] = useState(false);
  const marked = (row: Row) => "message" in row && hasMarkup(row.message.body);
  const wanted = !waited && parser.value === undefined && rows.some(marked);
  useEffect(() => {
    if (!wanted) return;
    const end = () => setWaited(true);
    const timer = setTimeout(end, PARSER_WITHIN);
    void loadParser().then(end);
    return () => clearTimeout(timer);
  }, [wanted]);
  return !wanted;
}

/** When the message at a row was written, or the next one after it. */
function timeOf(rows: readonly Row[], index: number): number | undefined {
  for (let i = index; i < rows.length; i++) {
    const row = rows[i]!;
    if (row.kind === "day") return row.time;
    if ("message" in row) return row.message.time;
  }
  return undefined;
}

/** The row that Tab leads to: where one was, or the last message that is in sight as a whole. */
function stopIn(
  items: readonly VirtualItem[],
  rows: readonly Row[],
  chosen: string | undefined,
  bottom: number,
): VirtualItem["key"] | undefined {
  const messages = items.filter(({ index }) => "message" in rows[index]!);
  const is = messages.find(({ key }) => key === chosen) ?? messages.filter(({ end }) => end <= bottom).at(-1);
  return (is ?? messages[0])?.key;
}

/** The key of the row in which the focus is. */
function focusedKey(scroller: HTMLElement | null): string | undefined {
  const focused = document.activeElement;
  if (!focused || !scroller?.contains(focused)) return undefined;
  return focused.closest<HTMLElement>("[data-key]")?.dataset.key;
}

/** How a row is placed that does not follow the others. */
function apart(distance: number) {
  return { class: "apart", style: { transform: `translateY(${distance}px)` } };
}

function Top({ view }: { view: ChannelView }) {
  void view.version;
  const { channel } = view;
  const first = view.rows.value.find((row) => row.kind === "message" || row.kind === "outgoing");
  const oldest = first && "message" in first ? first.message : undefined;
  const user = view.privateTo.value;
  const { name } = channel;
  let text =
    user === undefined ? (
      <Text of="beginning" with={{ name }} />
    ) : (
      <Text of="beginningPrivate" with={{ user }} />
    );
  const hidden = channel.forbidden.has("history");
  const failed = view.olderFailed.value && !hidden && channel.state !== "idle";
  if (channel.state === "failed" && !view.shutOut) {
    text = <Text of="joinFailed" with={{ reason: reasonOf(channel.error) }} />;
  } else if (channel.state === "joining" && !oldest) text = <>{t("joining")}</>;
  else if (channel.state === "idle") text = <></>; // the bar above says why
  else if (hidden) text = <>{t("noHistory")}</>;
  else if (failed) text = <>{t("loadOlderFailed")}</>;
  else if (channel.hasOlder && view.barren.value) {
    text = (
      <>
        <Text of="barren" with={{ name }} />{" "}
        <button type="button" class="link" onClick={() => view.lookOn()}>
          {t("lookOn")}
        </button>
      </>
    );
  } else if (channel.hasOlder) text = <>{t("loadingOlder")}</>;
  return (
    <div class="top" role="note">
      <p class="muted">
        {text}{" "}
        {failed && (
          <button type="button" class="link" onClick={() => void view.loadOlder()}>
            {t("retry")}
          </button>
        )}
      </p>
      {oldest && <p class="rule">{day(oldest.time)}</p>}
    </div>
  );
}

/** Puts the focus on the message that was looked for, and shows for a while which one that is. */
function useFound(
  part: RefObject<HTMLElement | null>,
  found: number | undefined,
  end: () => void,
): void {
  useEffect(() => {
    if (found === undefined) return;
    const timer = setTimeout(end, 2_500);
    return () => clearTimeout(timer);
  }, [found]);
  // It may not be drawn yet; once it was found the focus is free to go.
  const wanted = useRef<number | undefined>(undefined);
  useEffect(() => void (wanted.current = found), [found]);
  useEffect(() => {
    const article = part.current?.querySelector<HTMLElement>(".message.found");
    if (wanted.current === undefined || !article) return;
    wanted.current = undefined;
    article.focus({ preventScroll: true });
  });
}

/** Counts messages as read while their end is on the screen. */
function useWatched(view: ChannelView, atEnd: boolean): void {
  // At once: passive effects of a list that goes away end after those of the next one began.
  useLayoutEffect(() => {
    const update = () => {
      view.watched = atEnd && document.visibilityState === "visible";
      if (view.watched) view.seen();
    };
    update();
    document.addEventListener("visibilitychange", update);
    return () => {
      view.watched = false;
      document.removeEventListener("visibilitychange", update);
    };
  }, [view, atEnd]);
}

/** Loads older messages while the top is near, until there are none. */
function useOlder(view: ChannelView, nearTop: boolean): void {
  void view.version;
  const { channel } = view;
  const refused =
    view.olderFailed.value || view.barren.value || channel.forbidden.has("history");
  const wanted = nearTop && channel.state === "joined" && channel.hasOlder && !refused;
  useEffect(() => {
    if (wanted) void view.loadOlder();
  }, [wanted, channel.messages[0], view]);
}
