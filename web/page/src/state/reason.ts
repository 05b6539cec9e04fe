import { ErrorCode, type ParleyError } from "@parley-chat/sdk";
import { t, type Key } from "./i18n.ts";

/** What codes mean to people: of errors, and those with which a connection closes for good. */
const reasons: Record<number, Key> = {
  [ErrorCode.InvalidParams]: "invalidName",
  [ErrorCode.Unauthenticated]: "badToken",
  [ErrorCode.Forbidden]: "forbidden",
  [ErrorCode.RateLimited]: "tooFast",
  [ErrorCode.TooManyChannels]: "tooManyChannels",
  [ErrorCode.TooLarge]: "tooLarge",
  [ErrorCode.Gone]: "gone",
  [ErrorCode.Full]: "full",
  [ErrorCode.UnknownMethod]: "notYet",
  [ErrorCode.HistoryUnavailable]: "historyAway",
  [ErrorCode.Timeout]: "noAnswer",
  [ErrorCode.Disconnected]: "noConnection",
  [ErrorCode.Lost]: "noAnswer",
  1009: "tooLarge",
  3500: "badToken",
  3501: "misuse",
  3502: "noHello",
  3503: "administrator",
  3504: "tooManyConnections",
};

/** What is not granted, where the message says what one tried. */
const actions: Record<string, Key> = {
  chat: "noWriting",
  private: "noPrivateWriting",
  edit: "noEditing",
  react: "noReacting",
  moderate: "noModerating",
  history: "noReading",
};

/** What a moderator did that keeps one from it. */
const sanctions: Record<string, Key> = { mute: "noVoice", frozen: "noVoiceNow", ban: "noEntry" };

/** What became of a message that failed: it was not sent, and why; or nobody knows whether it was. */
export function unsent(error: ParleyError | undefined): string {
  // One that an older page has kept has no error.
  const lost = !error || error.code === ErrorCode.Lost;
  return lost ? t("failedLost") : t("failed", { reason: reasonOf(error) });
}

/** Why something did not work, in the reader's language where that is known. */
export function reasonOf(error: ParleyError | undefined): string {
  if (!error) return t("noAnswer");
  if (error.data.reason === "age") return t("tooOld");
  // Of a request's fields only the channel's name is the reader's own affair.
  const field = error.data.field ?? "channel";
  const action = error.code === ErrorCode.Forbidden ? actions[error.data.action ?? ""] : undefined;
  const sanction = error.code === ErrorCode.Sanctioned ? sanctions[error.data.action ?? ""] : undefined;
  const key = action ?? sanction ?? (field === "channel" ? reasons[error.code] : undefined);
  return key ? t(key) : error.message;
}
