// An agent's hands in a process of their own: starts one guest in the directory that it is told,
// says so, and stays until it is killed.
import { GuestRig } from "./rig.js";

const rig = new GuestRig(process.argv[2]);
await rig.open().start(rig.spec());
process.stdout.write("started\n");
setInterval(() => {}, 60_000);
