import { hue, initials } from "../state/names.ts";

/** A user's initials on a ground of their colour; the name itself is beside it. */
export function Avatar({ user, small }: { user: string; small?: true }) {
  return (
    <span class={`avatar ${small ? "small " : ""}${hue(user)}`} aria-hidden="true">
      {initials(user)}
    </span>
  );
}
