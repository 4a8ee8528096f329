// Bundles the official device SDK as a JavaScript module, and collects the licences of everything that
// the bundle contains. Usage: node bundle.js OUT_DIRECTORY, in a directory with node_modules.

import { mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { build } from "esbuild";

const out = process.argv[2];
mkdirSync(out, { recursive: true });
const { metafile } = await build({
  stdin: { contents: 'export { default } from "@bandwidth/webrtc-browser";', resolveDir: process.cwd() },
  outfile: join(out, "device-sdk.js"),
  bundle: true,
  format: "esm",
  platform: "browser",
  target: "es2022",
  minify: true,
  legalComments: "none",
  define: { global: "globalThis" },
  metafile: true,
  logLevel: "warning",
});

/** The directory of the package that contains a file. */
const packageOf = (file) => file.match(/^(.*node_modules\/(?:@[^/]+\/)?[^/]+)\//)?.[1];

const packages = [...new Set(Object.keys(metafile.inputs).map(packageOf))].filter(Boolean).sort();
const texts = packages.map((directory) => {
  const { name, version, license } = JSON.parse(readFileSync(join(directory, "package.json")));
  const files = readdirSync(directory).filter((file) => /^(licen[cs]e|copying|notice)/i.test(file));
  const text = files.map((file) => readFileSync(join(directory, file), "utf8").trim()).join("\n\n");
  if (!license) throw new Error(`${name} states no licence`);
  return `${name} ${version} (${license})\n\n${text || "The package contains no licence text."}\n`;
});
writeFileSync(join(out, "device-sdk.txt"), texts.join(`\n${"-".repeat(72)}\n\n`));
