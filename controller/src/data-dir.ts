// The controller's data directory: where its files are, and the secrets in it, each made at the
// first start and kept in a file that only its owner may read. Nothing is written outside of it.
import { createHmac } from "node:crypto";
import { rmSync } from "node:fs";
import { join } from "node:path";
import { type BusIdentity, createBusIdentity, publicKeyOf } from "@railyard/lib/bus/identity";
import { readIfThere, writeDurably } from "@railyard/lib/durable-file";
import { makePrivateFolder } from "@railyard/lib/private-folder";
import type { Rng } from "@railyard/lib/rng";
import { createSigner, newSeed, type Signer } from "@railyard/lib/sign";

const KEY_BYTES = 32;

/** Where a started controller is reached. */
export interface Endpoints {
  /** `host:port` for tenants. */
  readonly tenant: string;
  /** `host:port` for operators. */
  readonly admin: string;
}

export class DataDir {
  /** Signs desired states. */
  readonly signer: Signer;
  /** Who the controller is on the bus. */
  readonly identity: BusIdentity;
  private readonly key: Uint8Array;

  /** Makes the directory and whatever secret is missing. */
  constructor(
    readonly path: string,
    rng: Rng,
  ) {
    makePrivateFolder(path, "RAILYARD_CONTROLLER_DATA_DIR");
    this.signer = createSigner(this.secret("signing.seed", () => newSeed(rng)));
    const seed = this.secret("bus.seed", () => createBusIdentity().seed);
    this.identity = { seed, publicKey: publicKeyOf(seed) };
    const text = this.secret("server.key", () =>
      Buffer.from(rng.bytes(KEY_BYTES)).toString("base64url"),
    );
    this.key = Buffer.from(text, "base64url");
  }

  get database(): string {
    return join(this.path, "railyard.db");
  }

  /** The broker's configuration includes this file. */
  get brokerUsers(): string {
    return join(this.path, "broker-users.conf");
  }

  /** The first operator's secret, one line. */
  readonly operatorToken = {
    read: () => this.read("operator.token"),
    write: (secret: string) => this.write("operator.token", secret),
  };

  /** A key of 32 bytes for one purpose, the same after a restart. */
  keyFor(purpose: string): Uint8Array {
    return createHmac("sha256", this.key).update(purpose).digest();
  }

  writeEndpoints(endpoints: Endpoints): void {
    this.write("endpoints.json", JSON.stringify(endpoints));
  }

  removeEndpoints(): void {
    rmSync(join(this.path, "endpoints.json"), { force: true });
  }

  /** True the first time it is asked about `name` in the life of this directory. */
  first(name: string): boolean {
    const file = `${name}.done`;
    if (this.read(file) !== undefined) return false;
    this.write(file, "done");
    return true;
  }

  private secret(file: string, make: () => string): string {
    const known = this.read(file);
    if (known !== undefined) return known;
    const made = make();
    this.write(file, made);
    return made;
  }

  private read(file: string): string | undefined {
    return readIfThere(join(this.path, file))?.trim();
  }

  private write(file: string, text: string): void {
    writeDurably(join(this.path, file), `${text}\n`);
  }
}
