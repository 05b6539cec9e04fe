import type { Member, MembersResult } from "./protocol.js";

/**
 * Who is in a channel: the first users by name as far as they were loaded, and
 * how many there are in all.
 */
export class Roster {
  /** Sorted by code point, which is the order of their bytes. */
  readonly users: string[] = [];
  /** What the tokens of these told of them. */
  readonly infos = new Map<string, unknown>();
  count = 0;

  /** Reports whether `users` holds everybody. */
  get complete(): boolean {
    return this.users.length >= this.count;
  }

  get last(): string | undefined {
    return this.users.at(-1);
  }

  /** Starts again with the first page. */
  reset(members: readonly Member[], count: number): void {
    this.users.length = 0;
    this.infos.clear();
    this.addPage(members, count);
  }

  addPage(members: readonly Member[], count: number): void {
    for (const { user, info } of members) {
      if (!this.infos.has(user)) this.users.push(user);
      this.infos.set(user, info);
    }
    this.users.sort(compareNames);
    this.count = count;
  }

  /** Loads the next page, where there is one. */
  async load(ask: (query: object) => Promise<MembersResult>, limit: number): Promise<void> {
    if (this.complete) return;
    const page = await ask({ limit, after: this.last }); // what is undefined is not in the frame
    this.addPage(page.members, page.count);
  }

  joined(member: Member): void {
    // A user after the last one loaded comes with a later page.
    const held = this.complete || compareNames(member.user, this.last ?? "") < 0;
    this.addPage(held ? [member] : [], this.count + 1);
  }

  left(user: string): void {
    this.count = Math.max(0, this.count - 1);
    if (this.infos.delete(user)) this.users.splice(this.users.indexOf(user), 1);
  }
}

/**
 * Compares by code point. JavaScript's own order is by UTF-16 unit, which puts
 * an emoji before some characters whose bytes are smaller.
 */
export function compareNames(a: string, b: string): number {
  const length = Math.min(a.length, b.length);
  for (let i = 0; i < length; i++) {
    const x = a.charCodeAt(i);
    const y = b.charCodeAt(i);
    if (x !== y) return codePointRank(x) - codePointRank(y);
  }
  return a.length - b.length;
}

/** Lifts surrogates, which encode the highest code points, above the rest. */
function codePointRank(unit: number): number {
  return unit >= 0xd800 && unit <= 0xdfff ? unit + 0x10000 : unit;
}
