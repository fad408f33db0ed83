// A guest of the lab as its owner talks to it: shell commands over the serial console of the
// contract. It knows nothing of where the guest runs.
import { randomUUID } from "node:crypto";
import { ConsoleCaller } from "../../console.js";
import type { Customer } from "../../customer.js";
import { until } from "../../until.js";

/** Emulated within an emulation, and beside others that boot. */
const BOOT_MS = 180_000;
const ANSWER_MS = 120_000;
const TRY_MS = 30_000;
/** How often a guest that boots is tried: what is typed meanwhile may get lost. */
const KNOCK_MS = 1_500;

/** A NIC as the guest's kernel shows it. */
export interface GuestNic {
  readonly pciAddress: string;
  /** Addresses of the bridges above it, top down. */
  readonly path: readonly string[];
  readonly name: string;
  readonly mac: string;
  readonly mtu: number;
}

/** What is to be tried: an address through one NIC, and the size of the whole packet. */
export interface Probe {
  readonly to: string;
  readonly by: string;
  readonly bytes?: number;
}

/** IPv4's and ICMP's. */
const HEADER_BYTES = 28;

const NICS = `
cd /sys/bus/pci/devices
for pci in *; do
  for nic in $pci/virtio*/net/*; do
    [ -e $nic ] || continue
    echo "NIC $pci $(readlink $pci) \${nic##*/} $(cat $nic/address) $(cat $nic/mtu)"
  done
done
cd /
`;

export class Guest {
  private session: ConsoleCaller | undefined;

  private constructor(
    private readonly customer: Customer,
    private readonly instanceId: string,
  ) {}

  /** Waits until the guest's shell answers. */
  static async reach(customer: Customer, instanceId: string): Promise<Guest> {
    const guest = new Guest(customer, instanceId);
    await guest.said("true", BOOT_MS, KNOCK_MS);
    return guest;
  }

  /** What a shell command printed; throws with it when it failed. */
  async ask(command: string): Promise<string> {
    const { status, text } = await this.said(command);
    if (status !== 0) throw new Error(`${command}: ${text}`);
    return text;
  }

  /** In the order of their PCI addresses. */
  async nics(): Promise<readonly GuestNic[]> {
    const rows = (await this.ask(NICS)).split("\n").filter((line) => line.startsWith("NIC "));
    return rows.map((row) => {
      const [, pciAddress = "", link = "", name = "", mac = "", mtu] = row.trim().split(" ");
      const path = link.split("/").filter((part) => /^[0-9a-f]{4}:[0-9a-f:.]+$/.test(part));
      return { pciAddress, path: path.slice(0, -1), name, mac, mtu: Number(mtu) };
    });
  }

  /** Sends them all at once; those to which something came back. */
  async answered(probes: readonly Probe[]): Promise<readonly Probe[]> {
    const pings = probes.map(({ to, by, bytes = 84 }, index) => {
      const size = bytes - HEADER_BYTES;
      return `(ping -c 3 -W 2 -s ${size} -I ${by} ${to} >/dev/null && echo "BACK ${index}") &`;
    });
    const back = await this.ask(`${pings.join(" ")} wait`);
    return probes.filter((_, index) => back.includes(`BACK ${index}\n`));
  }

  /** Ends the session. */
  async leave(): Promise<void> {
    const { session } = this;
    this.session = undefined;
    session?.end();
    await session?.ending();
  }

  /**
   * Says a command until it is answered: a session may be lost while others boot. Commands bear
   * being given twice.
   */
  private async said(command: string, limitMs = ANSWER_MS, againMs?: number): Promise<Answer> {
    const end = performance.now() + limitMs;
    let last: unknown;
    while (performance.now() < end) {
      try {
        this.session ??= await this.attach();
        return await answered(this.session, command.trim(), againMs);
      } catch (thrown) {
        last = thrown;
        await this.leave();
      }
    }
    throw new Error(`no answer from ${this.instanceId}: ${command.trim()}`, { cause: last });
  }

  private async attach(): Promise<ConsoleCaller> {
    const session = new ConsoleCaller(this.customer.wire, {
      ...{ instanceId: this.instanceId, force: true },
    });
    try {
      await unlessEnded(session, session.opened());
    } catch (thrown) {
      session.cancel();
      throw thrown;
    }
    return session;
  }
}

interface Answer {
  readonly status: number;
  readonly text: string;
}

/** `againMs`: it is typed again whenever so much time has passed. */
async function answered(
  session: ConsoleCaller,
  command: string,
  againMs = TRY_MS,
): Promise<Answer> {
  const mark = randomUUID();
  const [head, tail] = [mark.slice(0, 8), mark.slice(8)];
  const from = session.said.length;
  // What is typed while the guest boots may come back as it is: the shell puts the marks together.
  // Between them is nothing that an earlier command says late.
  const say = (word: string) => `echo "${head}""${tail}" ${word}`;
  const typed = `${say("begins")}\n${command}\n${say("$?")}\r`;
  const whole = new RegExp(`${mark} begins\\r?\\n([^]*?)${mark} (\\d+)\\s`);
  session.type(typed);
  const again = setInterval(() => session.type(typed), againMs);
  try {
    const answer = () => whole.exec(session.said.slice(from));
    const found = await unlessEnded(session, until(`an answer to ${command}`, answer, TRY_MS));
    return { status: Number(found[2]), text: (found[1] ?? "").replaceAll("\r", "") };
  } finally {
    clearInterval(again);
  }
}

/** What `awaited` comes to; throws when the session ends first. */
function unlessEnded<T>(session: ConsoleCaller, awaited: Promise<T>): Promise<T> {
  const ended = session.ending().then((reason) => {
    throw new Error(`the session ended: ${reason}`);
  });
  return Promise.race([awaited, ended]);
}
