// Free addresses of subnets as disjoint runs [first, last], never touching each other, so that
// taking and giving back cost one or two index seeks however large the block is. A subnet of which
// nothing was ever taken has no run yet.
import { bug } from "@railyard/lib/errors";
import type { AccountId, SubnetId } from "@railyard/lib/ids";
import type { Addresses } from "../contract.js";
import { type SqlRow, toNumber } from "../sql.js";
import type { Work } from "../work.js";
import { Subnets } from "./subnet.js";

interface Run {
  readonly first: number;
  readonly last: number;
}

export class AddressRuns implements Addresses {
  private readonly subnets: Subnets;

  constructor(
    private readonly work: Work,
    account?: AccountId,
  ) {
    this.subnets = new Subnets(work, account);
  }

  async take(subnet: SubnetId, wanted?: number): Promise<number | undefined> {
    const below = wanted === undefined ? undefined : await this.upTo(subnet, wanted);
    const run = below ?? (await this.lowest(subnet));
    if (!run) return undefined;
    const { first, last } = run;
    const address = wanted ?? first;
    if (address < first || last < address) return undefined;
    await this.subnets.addAvailable(subnet, -1);
    if (first === address) {
      await this.beginLater(subnet, run, address + 1);
    } else {
      await this.endAt(subnet, run, address - 1);
      if (address < last) await this.insertRun(subnet, { first: address + 1, last });
    }
    return address;
  }

  async takeLowest(subnet: SubnetId, count: number): Promise<readonly number[]> {
    const got: number[] = [];
    const { available } = await this.subnets.room(subnet);
    const most = Math.min(count, available);
    while (got.length < most) {
      const run = await this.lowest(subnet);
      if (!run) throw bug(`subnet ${subnet} has fewer free addresses than it counts`);
      const last = Math.min(run.last, run.first + most - got.length - 1);
      await this.beginLater(subnet, run, last + 1);
      for (let address = run.first; address <= last; address++) got.push(address);
    }
    await this.subnets.addAvailable(subnet, -got.length);
    return got;
  }

  async giveBack(subnet: SubnetId, address: number): Promise<void> {
    const { run, available } = await this.subnets.room(subnet);
    if (address < run.first || run.last < address) {
      throw bug(`address is not one of subnet ${subnet}`);
    }
    const below = await this.upTo(subnet, address);
    const isFree = available > run.last - run.first || (below && address <= below.last);
    if (isFree) throw bug(`an address of subnet ${subnet} is free already`);
    const above = await this.at(subnet, address + 1);
    const last = above?.last ?? address;
    if (above) await this.dropRun(subnet, above);
    if (below?.last === address - 1) await this.endAt(subnet, below, last);
    else await this.insertRun(subnet, { first: address, last });
    await this.subnets.addAvailable(subnet, 1);
  }

  private async lowest(subnet: SubnetId): Promise<Run | undefined> {
    const row = await this.work.sql.get(
      "SELECT first, last FROM address_runs WHERE subnet_id = ? ORDER BY first LIMIT 1",
      [subnet],
    );
    return row ? asRun(row) : this.untouched(subnet);
  }

  /** The whole of a subnet that has no run, unless all of it is taken. */
  private async untouched(subnet: SubnetId): Promise<Run | undefined> {
    const { run, available } = await this.subnets.room(subnet);
    if (available === 0) return undefined;
    if (available !== run.last - run.first + 1) {
      throw bug(`subnet ${subnet} counts free addresses that it does not have`);
    }
    await this.insertRun(subnet, run);
    return run;
  }

  /** The highest run that begins at `address` or below. */
  private async upTo(subnet: SubnetId, address: number): Promise<Run | undefined> {
    return asRun(
      await this.work.sql.get(
        `SELECT first, last FROM address_runs WHERE subnet_id = ? AND first <= ?
         ORDER BY first DESC LIMIT 1`,
        [subnet, address],
      ),
    );
  }

  private async at(subnet: SubnetId, first: number): Promise<Run | undefined> {
    return asRun(
      await this.work.sql.get(
        "SELECT first, last FROM address_runs WHERE subnet_id = ? AND first = ?",
        [subnet, first],
      ),
    );
  }

  private async insertRun(subnet: SubnetId, { first, last }: Run): Promise<void> {
    await this.work.sql.run("INSERT INTO address_runs (subnet_id, first, last) VALUES (?, ?, ?)", [
      subnet,
      first,
      last,
    ]);
  }

  /** Takes what lies before `first` off the run; all of it when nothing is left. */
  private async beginLater(subnet: SubnetId, run: Run, first: number): Promise<void> {
    if (first > run.last) return this.dropRun(subnet, run);
    await this.work.sql.run("UPDATE address_runs SET first = ? WHERE subnet_id = ? AND first = ?", [
      first,
      subnet,
      run.first,
    ]);
  }

  private async endAt(subnet: SubnetId, { first }: Run, last: number): Promise<void> {
    await this.work.sql.run("UPDATE address_runs SET last = ? WHERE subnet_id = ? AND first = ?", [
      last,
      subnet,
      first,
    ]);
  }

  private async dropRun(subnet: SubnetId, { first }: Run): Promise<void> {
    await this.work.sql.run("DELETE FROM address_runs WHERE subnet_id = ? AND first = ?", [
      subnet,
      first,
    ]);
  }
}

function asRun(row: SqlRow | undefined): Run | undefined {
  return row && { first: toNumber(row.first), last: toNumber(row.last) };
}
