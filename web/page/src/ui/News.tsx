import { useEffect, useRef } from "preact/hooks";
import { t } from "../state/i18n.ts";
import type { ChannelView } from "../state/view.ts";
import { Icon } from "./Icon.tsx";

/** Leads to the first of the messages that were unread when the conversation was opened. */
export function News({ view }: { view: ChannelView }) {
  const bar = useRef<HTMLDivElement>(null);
  const news = view.news.unread.value;
  useEffect(() => {
    const scroller = bar.current?.parentElement?.querySelector(".scroller");
    if (!news || !scroller) return;
    // Whoever sees where they begin needs nothing that leads there.
    const look = () => {
      const rule = scroller.querySelector(".rule.new")?.getBoundingClientRect();
      const { top, bottom } = scroller.getBoundingClientRect();
      if (rule && rule.bottom > top && rule.top < bottom) view.news.dismiss();
    };
    // The list finds its place in the frames after the messages came.
    const timer = setTimeout(look, 300);
    scroller.addEventListener("scroll", look, { passive: true });
    return () => {
      clearTimeout(timer);
      scroller.removeEventListener("scroll", look);
    };
  }, [news]);
  const n = news && `${news.count}${news.more ? "+" : ""}`;
  return (
    <div class="news" ref={bar}>
      {news && (
        <>
          <button type="button" class="primary" onClick={() => void view.news.go()}>
            {/* Above once they were seen at the end, below where one came back to one's place. */}
            <Icon name={view.unread.value > 0 ? "down" : "up"} />{" "}
            {t("newCount", { n: news.count === 1 && !news.more ? 1 : n! })}
          </button>
          <button
            type="button"
            class="primary"
            aria-label={t("dismiss")}
            title={t("dismiss")}
            onClick={() => view.news.dismiss()}
          >
            <Icon name="close" />
          </button>
        </>
      )}
    </div>
  );
}
