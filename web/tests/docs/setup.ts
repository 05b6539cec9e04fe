import type { TestProject } from "vitest/node";
import { unpackBrowser } from "../support/browser.ts";

/** Unpacks the browser; `make docs` has rendered the pages. */
export default async function setup(project: TestProject): Promise<void> {
  project.provide("browser", await unpackBrowser());
}
