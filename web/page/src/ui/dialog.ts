/**
 * What follows when a dialog was closed. The event comes late: by then the dialog may
 * be open again, for something else.
 */
export function closed(then: () => void): (event: Event) => void {
  return ({ currentTarget }) => {
    if (!(currentTarget as HTMLDialogElement).open) then();
  };
}

/** Opens a dialog whose contents come later: one begins above them, at no button of its end. */
export function showDialog(dialog: HTMLDialogElement | null): void {
  dialog?.showModal();
  dialog?.focus();
}
