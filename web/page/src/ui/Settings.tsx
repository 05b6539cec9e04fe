import { useRef } from "preact/hooks";
import type { App } from "../state/app.ts";
import { theme, type Theme } from "../state/appearance.ts";
import { language, languageNames, t, type Language } from "../state/i18n.ts";
import { Icon } from "./Icon.tsx";

/** Appearance, language, notifications, and the way out. */
export function Settings({ app }: { app: App }) {
  const dialog = useRef<HTMLDialogElement>(null);
  const { attention } = app;
  return (
    <>
      <button
        type="button"
        class="quiet"
        aria-label={t("settings")}
        aria-haspopup="dialog"
        onClick={() => dialog.current?.showModal()}
      >
        <Icon name="gear" />
      </button>
      <dialog ref={dialog} aria-labelledby="settings-title">
        <h2 id="settings-title">{t("settings")}</h2>
        <label for="theme">{t("theme")}</label>
        <select
          id="theme"
          value={theme.value}
          onChange={(e) => (theme.value = e.currentTarget.value as Theme)}
        >
          <option value="auto">{t("themeAuto")}</option>
          <option value="light">{t("themeLight")}</option>
          <option value="dark">{t("themeDark")}</option>
        </select>
        <label for="language">{t("language")}</label>
        <select
          id="language"
          value={language.value}
          onChange={(e) => (language.value = e.currentTarget.value as Language)}
        >
          {Object.entries(languageNames).map(([code, name]) => (
            <option key={code} value={code} lang={code}>
              {name}
            </option>
          ))}
        </select>
        <label class="check">
          <input
            type="checkbox"
            checked={attention.enabled.value}
            onChange={(e) => void attention.enable(e.currentTarget.checked)}
          />
          {t("notify")}
        </label>
        <label class="check">
          <input
            type="checkbox"
            checked={attention.sound.value}
            onChange={(e) => attention.setSound(e.currentTarget.checked)}
          />
          {t("sound")}
        </label>
        {attention.denied.value && (
          <p class="error" role="alert">
            {t("notifyDenied")}
          </p>
        )}
        <div class="actions">
          <button type="button" onClick={() => app.signOut()}>
            {t("signOut")}
          </button>
          <button type="button" class="primary" onClick={() => dialog.current?.close()}>
            {t("close")}
          </button>
        </div>
      </dialog>
    </>
  );
}
