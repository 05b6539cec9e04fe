import type { Target } from "./channel-types.js";
import { ErrorCode, ParleyError, type ErrorData } from "./errors.js";
import { Messages, seqOf } from "./messages.js";
import type {
  ModerationOptions,
  Sanction,
  Sanctioned,
  SanctionOptions,
  SanctionsResult,
  SetOptions,
  Signal,
} from "./moderation-types.js";
import type { ActResult, Removed } from "./protocol.js";
import type { WaitOptions } from "./wait.js";

/** The part of a {@link Channel} that moderates, and tells what is not kept. */
export abstract class Moderation<Data = unknown> extends Messages<Data> {
  /** What was done about oneself last. */
  #told: Sanction | Sanctioned | undefined;

  /**
   * The mute that one is under: one cannot send, edit, react or signal. Where it
   * has an `until`, it ends then, and is still here.
   */
  get sanction(): Sanction | undefined {
    return this.#told?.action === "mute" ? (this.#told as Sanction) : undefined;
  }

  /** Stops a user from writing here. Like all of these for moderators; durable when it resolves. */
  mute(user: string, options?: SanctionOptions): Promise<ActResult> {
    return this.#moderate("mute", { user, ...options });
  }

  /** Puts a user out, who cannot join again for as long as that lasts. */
  ban(user: string, options?: SanctionOptions): Promise<ActResult> {
    return this.#moderate("ban", { user, ...options });
  }

  /** Puts a user out, who may join again at once. */
  kick(user: string, options?: ModerationOptions): Promise<ActResult> {
    return this.#moderate("kick", { user, ...options });
  }

  /** Ends the mute and the ban of a user, or one of them. */
  lift(
    user: string,
    options?: { action?: "mute" | "ban"; id?: string },
  ): Promise<ActResult> {
    return this.#moderate("lift", { user, ...options });
  }

  /** Deletes the messages of a user, private ones too: from one on, or all of them. */
  purge(
    user: string,
    options?: ModerationOptions & { since?: Target },
  ): Promise<ActResult> {
    return this.#moderate("purge", { user, ...options });
  }

  /** Sets something of the channel; what it says of everything is in `settings`. */
  set(options: SetOptions): Promise<ActResult> {
    return this.#moderate("set", { ...options });
  }

  /** The mutes and bans that nobody has lifted, of users after one. */
  sanctions(
    options: { after?: string; limit?: number } & WaitOptions = {},
  ): Promise<SanctionsResult> {
    return this.requests.ask("sanctions", options, "moderate");
  }

  /**
   * Tells the other users who are here something that is gone a moment later, such
   * as `typing`. Nobody promises that it arrives, and it is not sent again.
   */
  signal(name: string, data?: unknown): Promise<void> {
    return this.inside(() => this.requests.ask("signal", { name, data }, "signal"));
  }

  /** A signal of another user came. @internal */
  signalled(signal: Signal): void {
    this.emit("signal", signal);
  }

  /** The mute that one is under is as a result says. @internal */
  protected bound(sanction: Sanction | undefined): void {
    this.#told = sanction;
  }

  /** Somebody was sanctioned. @internal */
  protected sanctioned(push: Sanctioned): void {
    // The end of a ban alone leaves a mute as it is, and so does what is not known.
    const binds = /^(mute|ban|lift(?!b))/.test(push.action + push.lifted);
    if (push.user === this.link.user && binds) this.#told = push;
    this.emit("sanctioned", push);
  }

  /** Why one is out of the channel: for a ban as a refused join says it. @internal */
  protected out({ seq, reason, until }: Removed): ParleyError {
    const banned = reason === "banned";
    const why = this.#told?.seq === seq ? this.#told.reason : undefined;
    const data = { action: banned ? "ban" : "join", reason: banned ? why : reason, until };
    const code = banned ? ErrorCode.Sanctioned : ErrorCode.Forbidden;
    const text = "put out of the channel";
    return new ParleyError(code, text, { channel: this.name, ...data } as ErrorData);
  }

  /** Asks for something; `purge` and `since` are the message from which on others go. */
  #moderate(
    method: string,
    params: { purge?: Target; since?: Target; id?: string; [name: string]: unknown },
  ): Promise<ActResult> {
    const { purge, since } = params;
    const from = purge ?? since;
    const full = {
      ...params,
      // 0 is all of them.
      purge: purge && seqOf(purge),
      since: since && seqOf(since),
      ...(from && this.in(from)),
    };
    return this.inside(() => this.acts.add(method, "moderate", full));
  }
}
