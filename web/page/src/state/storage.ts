/**
 * What the page remembers: in the tab (over a reload), or in the browser (for
 * every later tab). A browser that forbids storage remembers nothing, and what
 * another version of the page or somebody else wrote there is looked at first.
 */
export interface Memory {
  /** The value of a key, where it is what `is` says. */
  get<T>(key: string, is: (value: unknown) => value is T): T | undefined;
  /** Undefined forgets the key. */
  set(key: string, value: unknown): void;
}

function memory(storage: () => Storage, prefix: string): Memory {
  return {
    get<T>(key: string, is: (value: unknown) => value is T): T | undefined {
      try {
        const value: unknown = JSON.parse(storage().getItem(prefix + key) ?? "null");
        return is(value) ? value : undefined;
      } catch {
        return undefined;
      }
    },
    set(key: string, value: unknown): void {
      try {
        if (value === undefined) storage().removeItem(prefix + key);
        else storage().setItem(prefix + key, JSON.stringify(value));
      } catch {
        // Full or forbidden: the page works without it.
      }
    },
  };
}

/** Servers below different paths of one host share its storage, but no name, token or draft. */
export const path = globalThis.location?.pathname.replace(/[^/]*$/, "");

export const tab = memory(() => sessionStorage, `parley${path}`);
export const browser = memory(() => localStorage, "parley.");
/** In the browser, and for the server below this path alone. */
export const kept = memory(() => localStorage, `parley${path}`);

export function isString(value: unknown): value is string {
  return typeof value === "string";
}

export function isBoolean(value: unknown): value is boolean {
  return typeof value === "boolean";
}

export function isStrings(value: unknown): value is string[] {
  return Array.isArray(value) && value.every(isString);
}
