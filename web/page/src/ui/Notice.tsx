import { t, type Key } from "../state/i18n.ts";
import { reasonOf } from "../state/reason.ts";
import type { ChannelView } from "../state/view.ts";
import { Text } from "./Text.tsx";

/** Says that a change was not made, until one has read it; and reads out that one can be taken back. */
export function Notice({ view }: { view: ChannelView }) {
  const { error, deleting, copied } = view.changes;
  const told = view.moderation.told.value;
  const did = told && said[told.action];
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
      <div class="notice" role="status">
        {copied.value && <p>{t("copied")}</p>}
        {did && (
          <p>
            <Text of={did} with={{ user: told.user, by: told.by.user ?? told.by.key }} />{" "}
            {told.reason && <Text of="reason" with={{ reason: told.reason }} />}
          </p>
        )}
      </div>
      <p class="unseen" role="status">
        {deleting.value.size > 0 && `${t("deleting")} ${t("undo")}?`}
      </p>
    </>
  );
}

/** What a moderator did, as it is told to the others. */
const said: Record<string, Key> = {
  mute: "toldMute",
  ban: "toldBan",
  kick: "toldKick",
  lift: "toldLift",
};
