import type { Outgoing, Saved } from "@parley-chat/sdk";

const STATUSES: readonly unknown[] = ["pending", "failed"];

/** Reports whether a value is an outbox that the page may have saved. */
export function isOutbox(value: unknown): value is Saved[] {
  return Array.isArray(value) && value.every(isSaved);
}

function isSaved(value: unknown): value is Saved {
  const saved = (value ?? {}) as Partial<Saved>;
  const { id, body, to, time, status, attempted, error, reply, epoch, mentions } = saved;
  return (
    typeof id === "string" &&
    typeof body === "string" &&
    (to === undefined || typeof to === "string") &&
    (reply === undefined || Number.isSafeInteger(reply)) &&
    (epoch === undefined || typeof epoch === "string") &&
    (mentions === undefined ||
      (Array.isArray(mentions) && mentions.every((user) => typeof user === "string"))) &&
    Number.isSafeInteger(time) &&
    STATUSES.includes(status) &&
    (attempted === undefined ||
      (typeof attempted?.epoch === "string" && Number.isSafeInteger(attempted.seq))) &&
    (error === undefined || (Number.isSafeInteger(error?.code) && typeof error.message === "string"))
  );
}

/** What of a message on its way out outlives the page. */
export function toSave(message: Outgoing): Saved {
  const { id, body, to, time, status, attempted, error, reply, epoch, mentions } = message;
  return { id, body, to, time, status, attempted, error, reply, epoch, mentions } as Saved;
}
