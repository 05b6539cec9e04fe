import { excessOf, MAX_NAME } from "./long.ts";
import type { Peer } from "./reading.ts";

/** Where one can go: a channel, or a conversation with one user in it. */
export interface Place {
  channel: string;
  peer?: Peer;
}

/** What there is to go to. */
export interface Known {
  /** What the sidebar lists. */
  places: readonly Place[];
  /** The channel that is shown, and those whom one may write to in it. */
  channel: string | undefined;
  people: readonly string[];
}

/** Places that are offered at most. */
const MOST = 12;

/** The places whose names have a text in them, those that begin with it first. */
export function find({ places, channel, people }: Known, text: string): Place[] {
  const wanted = text.trim().toLowerCase();
  const listed = new Set(places.map(keyOf));
  const others = channel === undefined ? [] : people.map((peer): Place => ({ channel, peer }));
  const all = [...places, ...others.filter((place) => !listed.has(keyOf(place)))];
  const rank = ({ channel, peer }: Place) => (peer ?? channel).toLowerCase().indexOf(wanted);
  const ranked = all.map((place) => ({ place, rank: rank(place) })).filter(({ rank }) => rank >= 0);
  const first = ranked.filter(({ rank }) => rank === 0);
  const found = [...first, ...ranked.filter(({ rank }) => rank > 0)].map(({ place }) => place);
  const exact = all.some(({ channel, peer }) => peer === undefined && channel === text.trim());
  const more = wanted === "" || exact || excessOf(text.trim(), MAX_NAME) > 0 ? [] : [{ channel: text.trim() }];
  return [...found.slice(0, MOST), ...more];
}

export function keyOf({ channel, peer }: Place): string {
  return JSON.stringify([channel, peer]);
}
