import { t } from "../state/i18n.ts";

/** Says by how many bytes a text is too long for the server, where it is. */
export function TooLong({ by }: { by: number }) {
  return by > 0 ? (
    <p class="error" role="alert">
      {t("tooLong", { n: by })}
    </p>
  ) : null;
}
