// A trace as Jaeger's query API returns it, put in order. Nothing in it is to be
// relied on: spans may be missing, occur twice, or name parents in a circle.

/** The rows of a tree, from the top: {span, by, depth, orphan, failed, links}. */
export function rowsOf(trace) {
  const nodes = new Map();
  const inOrder = [...trace.spans].sort((a, b) => a.startTime - b.startTime || b.duration - a.duration);
  for (const span of inOrder) if (!nodes.has(span.spanID)) nodes.set(span.spanID, { span, children: [] });
  const roots = [];
  for (const node of nodes.values()) {
    const parent = parentOf(node.span);
    node.orphan = parent !== "" && !nodes.has(parent);
    (nodes.get(parent)?.children ?? roots).push(node);
  }
  const rows = [];
  const placed = new Set();
  const place = (node, depth) => {
    if (placed.has(node)) return;
    placed.add(node);
    const { span, orphan } = node;
    rows.push({
      span, depth, orphan,
      by: by(trace, span),
      failed: tag(span, "error") === "true",
      links: (span.references ?? []).filter((r) => r.traceID !== span.traceID).map((r) => r.traceID),
    });
    for (const child of node.children) place(child, depth + 1);
  };
  for (const node of roots) place(node, 0);
  for (const node of nodes.values()) {
    if (placed.has(node)) continue; // else it is in a circle, which is opened here
    node.orphan = true;
    place(node, 0);
  }
  return rows;
}

/** Who made a span: the service, and its part where one process is all of Parley. */
function by(trace, span) {
  const service = trace.processes?.[span.processID]?.serviceName ?? "?";
  const part = tag(span, "otel.scope.name").split("/").pop();
  return service === "parley" && part ? `${service} ${part}` : service;
}

function parentOf(span) {
  return (span.references ?? []).find((r) => r.refType === "CHILD_OF" && r.traceID === span.traceID)?.spanID ?? "";
}

/** An attribute of a span as text; "" for none. */
export function tag(span, key) {
  const found = (span.tags ?? []).find((t) => t.key === key);
  return found ? String(found.value) : "";
}

/** When a trace began and how long it took, in microseconds. */
export function extent(trace) {
  const began = Math.min(...trace.spans.map((s) => s.startTime));
  return { began, took: Math.max(...trace.spans.map((s) => s.startTime + s.duration)) - began };
}

/** Microseconds, to read. */
export function time(micros) {
  if (micros < 1000) return `${Math.round(micros)} µs`;
  if (micros < 1e6) return `${Number((micros / 1000).toPrecision(3))} ms`;
  return `${Number((micros / 1e6).toPrecision(3))} s`;
}

/**
 * Where a moment is between 0 and 1. A message is with its readers after a
 * millisecond and in the database after a second or so: where the longest is so
 * much longer than the shortest, the scale is logarithmic.
 */
export function scaleOf(rows, took) {
  const shortest = Math.min(...rows.map((r) => r.span.duration));
  if (took <= 0) return { place: () => 0, ticks: [] };
  if (shortest * 200 > took) {
    return { place: (t) => t / took, ticks: [0, 0.25, 0.5, 0.75].map((part) => part * took) };
  }
  const unit = Math.max(20, took / 5000);
  const ticks = [0];
  for (let tick = 100; tick < took * 0.7; tick *= 10) ticks.push(tick);
  return { place: (t) => Math.log1p(t / unit) / Math.log1p(took / unit), ticks };
}
