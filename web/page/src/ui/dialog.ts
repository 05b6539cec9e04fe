/**
 * What follows when a dialog was closed. The event comes late: by then the dialog may
 * be open again, for something else.
 */
export function closed(then: () => void): (event: Event) => void {
  return ({ currentTarget }) => {
    if (!(currentTarget as HTMLDialogElement).open) then();
  };
}
