declare module "virtual:emoji/*" {
  /** Groups of `[emoji, name, other words]`. */
  const groups: [string, string, string][][];
  export default groups;
}
