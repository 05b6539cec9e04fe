import { useEffect, useMemo, useState } from "preact/hooks";
import { copy } from "../state/clipboard.ts";
import { t } from "../state/i18n.ts";
import { linkify } from "../state/linkify.ts";
import { isLong } from "../state/long.ts";
import { hasMarkup, loadParser, parser, type Block, type Inline } from "../state/markup.ts";
import { split } from "../state/mentions.ts";
import type { ChannelView } from "../state/view.ts";
import { classes } from "./classes.ts";
import { useStop } from "./current.ts";

interface Props {
  message: { id: string; body: string; mentions?: readonly string[] };
  view: ChannelView;
  /** One's own name. */
  me: string;
}

const NOBODY: readonly string[] = [];

/**
 * A message's text, as elements: no part of it ever becomes HTML. As Markdown it takes as
 * many lines as it was written in, so that nothing moves when the parser comes later.
 */
export function Body({ message, view, me }: Props) {
  const { id, body, mentions = NOBODY } = message;
  const long = isLong(body);
  const cut = long && !view.expanded.value.has(id);
  const stop = useStop();
  const marked = hasMarkup(body);
  const parse = marked ? parser.value : undefined;
  useEffect(() => {
    if (marked) void loadParser();
  }, [marked]);
  const blocks = useMemo(() => parse?.(body, mentions), [parse, body, mentions]);
  return (
    <div>
      <div class={classes("body", cut && "cut")} dir="auto">
        {blocks ? <Blocks of={blocks} me={me} /> : <Plain text={body} mentions={mentions} me={me} />}
      </div>
      {long && (
        <button type="button" class="link" tabIndex={stop} aria-expanded={!cut} onClick={() => view.toggle(id)}>
          {t(cut ? "showAll" : "showLess")}
        </button>
      )}
    </div>
  );
}

function Blocks({ of, me }: { of: readonly Block[]; me: string }) {
  return <>{of.map((block) => render(block, me, of.length === 1))}</>;
}

function render(block: Block, me: string, alone: boolean) {
  switch (block.kind) {
    case "text": {
      const line = <Line of={block.children} me={me} />;
      return alone ? line : <p dir="auto">{line}</p>;
    }
    case "blank":
      return "\n".repeat(block.lines);
    case "quote":
      return (
        <blockquote>
          <Blocks of={block.children} me={me} />
        </blockquote>
      );
    case "list": {
      const items = block.items.map(({ value, children }) => (
        <li value={value}>
          <Blocks of={children} me={me} />
        </li>
      ));
      return block.ordered ? <ol>{items}</ol> : <ul>{items}</ul>;
    }
    case "fence":
      return <Fence {...block} />;
  }
}

function Line({ of, me }: { of: readonly Inline[]; me: string }) {
  return <>{of.map((inline) => piece(inline, me))}</>;
}

function piece(inline: Inline, me: string) {
  if (typeof inline === "string") return inline;
  switch (inline.kind) {
    case "code":
      return <code>{inline.text}</code>;
    case "mention":
      return <Mention user={inline.user} text={inline.text} me={me} />;
    case "link":
      return (
        <Link href={inline.href}>
          <Line of={inline.children} me={me} />
        </Link>
      );
    default: {
      const { kind: Tag, children } = inline;
      return (
        <Tag>
          <Line of={children} me={me} />
        </Tag>
      );
    }
  }
}

function Link({ href, children }: { href: string; children: preact.ComponentChildren }) {
  return (
    <a href={href} title={href} tabIndex={useStop()} target="_blank" rel="noopener noreferrer nofollow">
      {children}
    </a>
  );
}

function Mention({ user, text, me }: { user: string; text: string; me: string }) {
  return <mark class={user === me ? "me" : ""}>{text}</mark>;
}

/** Code, with the button that copies it. */
function Fence({ text, language }: { text: string; language: string }) {
  const stop = useStop();
  const [copied, setCopied] = useState(false);
  useEffect(() => {
    if (!copied) return;
    const timer = setTimeout(() => setCopied(false), 2_000);
    return () => clearTimeout(timer);
  }, [copied]);
  return (
    <div class="fence" dir="ltr">
      <p class="fence-bar">
        <bdi class="muted">{language}</bdi>
        <button type="button" class="link" tabIndex={stop} onClick={() => void copy(text).then(setCopied)}>
          {t(copied ? "copied" : "copyCode")}
        </button>
        <span class="unseen" role="status">
          {copied && t("copied")}
        </span>
      </p>
      <pre>
        <code>{text}</code>
      </pre>
    </div>
  );
}

/** A text with its addresses and mentions, and no other marks. */
function Plain({ text, mentions, me }: { text: string; mentions: readonly string[]; me: string }) {
  return (
    <>
      {linkify(text).map((piece) =>
        typeof piece !== "string" ? (
          <Link href={piece.href}>{piece.text}</Link>
        ) : mentions.length === 0 ? (
          piece
        ) : (
          split(piece, mentions).map(({ text, user }) =>
            user === undefined ? text : <Mention user={user} text={text} me={me} />,
          )
        ),
      )}
    </>
  );
}
