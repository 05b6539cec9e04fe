import { useLayoutEffect, useRef, useState } from "preact/hooks";
import type { App } from "../state/app.ts";
import { t } from "../state/i18n.ts";
import { excessOf, MAX_NAME } from "../state/long.ts";
import { legible } from "../state/names.ts";
import { find, keyOf, type Place } from "../state/places.ts";
import { Avatar } from "./Avatar.tsx";
import { composing } from "./shortcuts.ts";
import { Text } from "./Text.tsx";
import { TooLong } from "./TooLong.tsx";

/** Goes to a channel, a conversation or a person by name. */
export function Switcher({ app, close }: { app: App; close(): void }) {
  const field = useRef<HTMLInputElement>(null);
  const list = useRef<HTMLUListElement>(null);
  const [text, setText] = useState("");
  const [at, setAt] = useState(0);
  useLayoutEffect(() => field.current?.focus(), []);
  const view = app.active.value;
  const places = app.places.map(({ view, peer }) => ({ channel: view.channel.name, peer }));
  const writes = view !== undefined && !view.channel.forbidden.has("private");
  const people = writes ? view.people : [];
  const excess = excessOf(text.trim(), MAX_NAME);
  const found = find({ places, channel: view?.channel.name, people }, text);
  useLayoutEffect(() => {
    list.current?.querySelector("[aria-selected='true']")?.scrollIntoView({ block: "nearest" });
  }, [at, text]);
  const go = ({ channel, peer }: Place) => {
    close();
    app.open(channel, peer);
  };
  const onKeyDown = (event: KeyboardEvent) => {
    if (composing(event)) return;
    const step = { ArrowDown: 1, ArrowUp: found.length - 1 }[event.key];
    const place = found[at];
    if (step !== undefined && found.length > 0) setAt((at + step) % found.length);
    else if (event.key === "Enter" && place) go(place);
    else return;
    event.preventDefault();
  };
  return (
    <>
      <input
        ref={field}
        role="combobox"
        aria-label={t("switcher")}
        aria-expanded={true}
        aria-controls="places"
        aria-activedescendant={found.length > 0 ? `place-${at}` : undefined}
        placeholder={t("switcherHint")}
        aria-invalid={excess > 0}
        value={text}
        onInput={(event) => {
          setText(event.currentTarget.value);
          setAt(0);
        }}
        onKeyDown={onKeyDown}
      />
      <TooLong by={excess} />
      <ul id="places" ref={list} class="places" role="listbox" aria-label={t("switcher")}>
        {found.map((place, i) => (
          <li
            key={keyOf(place)}
            id={`place-${i}`}
            role="option"
            aria-selected={i === at}
            onClick={() => go(place)}
          >
            <PlaceName place={place} known={places} />
          </li>
        ))}
      </ul>
    </>
  );
}

function PlaceName({ place, known }: { place: Place; known: readonly Place[] }) {
  const { channel, peer } = place;
  if (peer !== undefined) {
    return (
      <>
        <Avatar user={peer} small /> <bdi>{legible(peer)}</bdi>{" "}
        <bdi class="muted">{channel}</bdi>
      </>
    );
  }
  const is = known.some((one) => one.peer === undefined && one.channel === channel);
  return is ? <bdi>{channel}</bdi> : <Text of="openNamed" with={{ name: channel }} />;
}
