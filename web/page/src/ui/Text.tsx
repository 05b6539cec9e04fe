import { legible } from "../state/names.ts";
import { pieces, type Key, type Values } from "../state/i18n.ts";

/**
 * A sentence with names in it. Each is kept apart from the words around it, so
 * that one written from right to left, or made to look so, turns nothing around.
 */
export function Text({ of, with: values }: { of: Key; with: Values }) {
  return <>{pieces(of, values).map((piece, i) => (i % 2 === 0 ? piece : <bdi>{legible(piece)}</bdi>))}</>;
}
