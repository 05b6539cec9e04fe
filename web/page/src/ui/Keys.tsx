import { t, type Key } from "../state/i18n.ts";

const KEYS: [keys: string, does: Key][] = [
  ["Ctrl K", "switcher"],
  ["/", "search"],
  ["Alt ↑ / Alt ↓", "keyStep"],
  ["↑", "keyEdit"],
  ["Enter", "keySend"],
  ["Shift Enter", "keyLine"],
  ["Shift Tab, ↑ / ↓", "keyWalk"],
  ["Enter", "keyMenu"],
  ["Esc", "keyEscape"],
  ["?", "keys"],
];

/** The keys that the page knows. */
export function Keys({ close }: { close(): void }) {
  return (
    <>
      <h2>{t("keys")}</h2>
      <dl class="keys">
        {KEYS.map(([keys, does]) => (
          <>
            <dt>
              <kbd>{keys}</kbd>
            </dt>
            <dd>{t(does)}</dd>
          </>
        ))}
      </dl>
      <div class="actions">
        <button type="button" class="primary" onClick={close}>
          {t("close")}
        </button>
      </div>
    </>
  );
}
