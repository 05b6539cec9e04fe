import { t } from "../state/i18n.ts";
import { reasonOf } from "../state/reason.ts";
import type { ChannelView } from "../state/view.ts";
import { Text } from "./Text.tsx";

/** Says that a change was not made, until one has read it; and reads out that one can be taken back. */
export function Notice({ view }: { view: ChannelView }) {
  const { error, deleting } = view.changes;
  return (
    <>
      <div class="notice" role="alert">
        {error.value && (
          <p>
            <Text of="notChanged" with={{ reason: reasonOf(error.value) }} />{" "}
            <button type="button" class="link" onClick={() => (error.value = undefined)}>
              {t("dismiss")}
            </button>
          </p>
        )}
      </div>
      <p class="unseen" role="status">
        {deleting.value.size > 0 && `${t("deleting")} ${t("undo")}?`}
      </p>
    </>
  );
}
