// railctl in this process, as a tenant of a controller.
import { run } from "@railyard/cli/program";
import { systemClock } from "@railyard/lib/clock";
import { seededRng } from "@railyard/lib/rng";

/** Its exit status and what it printed, the answer apart from the rest. */
export async function tenantRailctl(
  { server, token }: { readonly server: string; readonly token: string },
  args: readonly string[],
) {
  const said = { out: "", err: "" };
  const keep = (name: keyof typeof said) => (text: string) => {
    said[name] += text;
  };
  const code = await run([...args], {
    stdout: { write: keep("out"), tty: false },
    stderr: { write: keep("err"), tty: false },
    environment: () => ({ server, adminServer: server, token, color: false }),
    clock: systemClock(),
    rng: seededRng(args.join(" ")),
  });
  return { code, ...said };
}
