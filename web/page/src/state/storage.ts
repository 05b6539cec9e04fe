/**
 * What the page remembers: in the tab (over a reload), or in the browser (for
 * every later tab). A browser that forbids storage remembers nothing.
 */
export interface Memory {
  get<T>(key: string): T | undefined;
  /** Undefined forgets the key. */
  set(key: string, value: unknown): void;
}

function memory(storage: () => Storage): Memory {
  return {
    get<T>(key: string): T | undefined {
      try {
        const text = storage().getItem(`parley.${key}`);
        return text === null ? undefined : (JSON.parse(text) as T);
      } catch {
        return undefined;
      }
    },
    set(key: string, value: unknown): void {
      try {
        if (value === undefined) storage().removeItem(`parley.${key}`);
        else storage().setItem(`parley.${key}`, JSON.stringify(value));
      } catch {
        // Full or forbidden: the page works without it.
      }
    },
  };
}

export const tab = memory(() => sessionStorage);
export const browser = memory(() => localStorage);
