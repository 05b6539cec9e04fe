import type { TestProject } from "vitest/node";
import { unpackBrowser } from "../support/browser.ts";

/** Unpacks the browser; the stack is started by the test. */
export default async function setup(project: TestProject): Promise<void> {
  project.provide("browser", await unpackBrowser());
}
