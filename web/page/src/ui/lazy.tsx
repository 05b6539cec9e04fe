import type { ComponentType } from "preact";
import { useEffect, useState } from "preact/hooks";

/** A component whose code is fetched when it is first drawn; until then, and without it, there is nothing. */
export function lazy<P extends object>(load: () => Promise<ComponentType<P>>): ComponentType<P> {
  let found: ComponentType<P> | undefined;
  return function Lazy(props: P) {
    const [Component, set] = useState(() => found);
    useEffect(() => {
      if (found) return;
      load().then(
        (component) => set(() => (found = component)),
        () => {}, // it is tried again when it is drawn again
      );
    }, []);
    return Component ? <Component {...props} /> : null;
  };
}
