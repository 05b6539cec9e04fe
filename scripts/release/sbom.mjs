// Joins CycloneDX documents into one: node sbom.mjs VERSION FILE... > parley.cdx.json
import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";

const [version, ...files] = process.argv.slice(2);
const components = new Map();
const ours = ({ purl = "" }) => /^pkg:(golang\/github\.com\/parley-chat\/parley@|npm\/%40parley-chat\/|npm\/parley-)/.test(purl);
for (const file of files) {
  for (const component of JSON.parse(readFileSync(file, "utf8")).components ?? []) {
    if (ours(component)) continue;
    // A module is the same one on each platform, wherever it was found.
    const purl = component.purl?.replace(/\?.*/, "");
    const key = purl ?? `${component.name}@${component.version}`;
    const { type, name, scope, hashes, licenses } = component;
    components.set(key, { type, name, version: component.version, scope, hashes, licenses, purl, "bom-ref": key });
  }
}
const list = [...components.values()].sort((a, b) => (a["bom-ref"] < b["bom-ref"] ? -1 : 1));
const digest = createHash("sha256").update(version + JSON.stringify(list)).digest("hex");
const uuid = [digest.slice(0, 8), digest.slice(8, 12), `5${digest.slice(13, 16)}`, `8${digest.slice(17, 20)}`, digest.slice(20, 32)].join("-");
const document = {
  bomFormat: "CycloneDX",
  specVersion: "1.6",
  serialNumber: `urn:uuid:${uuid}`,
  version: 1,
  metadata: { component: { type: "application", name: "parley", version, "bom-ref": `parley@${version}`, licenses: [{ license: { id: "Apache-2.0" } }] } },
  components: list,
};
process.stdout.write(JSON.stringify(document, null, 2) + "\n");
