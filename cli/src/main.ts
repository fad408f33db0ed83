// The railctl process: its arguments in, its exit status out.
import { run } from "./program.js";
import { processShell } from "./shell.js";

process.exitCode = await run(process.argv.slice(2), processShell());
