// Runs write_bytecode of bytecode.py by Pyodide: node bytecode.mjs FOLDER RUNS_IN VERSION PYODIDE

import { readFileSync } from "node:fs";
import { pathToFileURL } from "node:url";

const [folder, runsIn, version, module] = process.argv.slice(2);
try {
  const pyodide = await import(pathToFileURL(module));
  if (pyodide.version !== version) {
    throw new Error(`Pyodide ${pyodide.version} is installed, ${version} is locked`);
  }
  // Of the machine's environment nothing gets in, and hashes of strings are the same in every process.
  const python = await pyodide.loadPyodide({ env: { PYTHONHASHSEED: "0" } });
  python.FS.writeFile("bytecode.py", readFileSync(new URL("bytecode.py", import.meta.url)));
  python.mountNodeFS("/folder", folder);
  python.pyimport("bytecode").write_bytecode("/folder", runsIn);
} catch (error) {
  console.error(error.message);
  process.exitCode = 1;
}
