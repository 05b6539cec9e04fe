import { useLayoutEffect, useRef, useState } from "preact/hooks";
import type { ChannelView } from "../state/view.ts";

/** The sides of the chat, by the ids of their elements. */
export type Drawer = "channels" | "members";

/** Where a side has no room beside the messages, as the style sheet has it. */
const NARROW: Record<Drawer, string> = {
  members: "(max-width: 60rem)",
  channels: "(max-width: 44rem)",
};

/**
 * The side that lies over the messages on a narrow screen. The focus goes into
 * it, stays there while it is open (the rest is inert), and comes back: to the
 * field to write in when something was chosen, else to where it was opened.
 */
export function useDrawer(view: ChannelView | undefined) {
  const [open, setOpen] = useState<Drawer | undefined>(undefined);
  const chosen = useRef(false);
  const to = view?.privateTo.value;
  const choice = view?.chosen.value;
  const show = (side: Drawer) => {
    chosen.current = false;
    setOpen(side);
  };
  const close = () => setOpen(undefined);

  useLayoutEffect(() => {
    // A phone's keyboard would cover the messages of a channel that was chosen.
    chosen.current = to !== undefined || matchMedia("(hover: hover)").matches;
    close();
  }, [view, to, choice]);
  useLayoutEffect(() => {
    if (!open) return;
    const side = document.getElementById(open);
    side?.querySelector<HTMLElement>("button, a, input")?.focus();
    return () => {
      const back = chosen.current ? "#composer" : `[aria-controls="${open}"]`;
      document.querySelector<HTMLElement>(back)?.focus();
    };
  }, [open]);
  useLayoutEffect(() => {
    if (!open) return;
    const query = matchMedia(NARROW[open]);
    if (!query.matches) close(); // turned since the click
    query.addEventListener("change", close);
    return () => query.removeEventListener("change", close);
  }, [open]);
  return { open, show, close };
}
