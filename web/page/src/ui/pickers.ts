import { lazy } from "./lazy.tsx";

export const EmojiPicker = lazy(() => import("./EmojiPicker.tsx").then(({ EmojiPicker }) => EmojiPicker));
