/** The names of the classes that apply. */
export function classes(...names: (string | false)[]): string {
  return names.filter(Boolean).join(" ");
}
