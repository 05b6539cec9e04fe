// Compiles the package as modules (dist) and for `require` (dist/cjs), each with its types.
import { execFileSync } from "node:child_process";
import { rmSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const here = fileURLToPath(new URL(".", import.meta.url));
const compiler = createRequire(import.meta.url).resolve("typescript/package.json");
const tsc = join(dirname(compiler), "bin/tsc");

rmSync(join(here, "dist"), { recursive: true, force: true });
for (const project of ["tsconfig.json", "tsconfig.cjs.json"]) {
  execFileSync(process.execPath, [tsc, "-p", join(here, project)], { stdio: "inherit" });
}
writeFileSync(join(here, "dist/cjs/package.json"), '{ "type": "commonjs" }\n');
