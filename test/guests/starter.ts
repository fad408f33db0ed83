// An agent's hands in a process of their own: starts one guest in the directory that it is told,
// under the account whose number it is told, if any; says so, and stays until it is killed.
import { GuestRig } from "./rig.js";

const [, , dir, account] = process.argv;
const rig = new GuestRig(dir);
const id = Number(account);
await rig.open(account ? { name: account, uid: id, gid: id } : undefined).start(rig.spec());
process.stdout.write("started\n");
setInterval(() => {}, 60_000);
