// Which layouts the controller was told of, so that each goes out once: they are large and seldom
// change. It must not know what is in them.
import { factsDigest } from "@railyard/lib/attest";
import { canonicalJson, type Plain, sha256Hex } from "@railyard/lib/canonical";
import type { GuestLayout as WireLayout } from "@railyard/proto/gen/railyard/agent/v1/agent";
import type { InstanceReport } from "../model.js";
import { wireLayout } from "./report.js";

/** Of all layouts in one report, characters; what is beyond goes out with the next one. */
const LAYOUTS_SIZE_MAX = 512 * 1024;

export class ToldLayouts {
  private readonly told = new Map<string, string>();
  private left = false;

  /** Whether the last answer was cut short: then the same instances have more to tell. */
  get hasMore(): boolean {
    return this.left;
  }

  /** Everything is news again: nobody acknowledges reports, so every welcome starts afresh. */
  forget(): void {
    this.told.clear();
  }

  /**
   * What the next report should carry, by instance id; from then on it counts as told. A layout is
   * news with new facts, too: the controller keeps it only if it wanted those.
   */
  untold(instances: readonly InstanceReport[]): ReadonlyMap<string, WireLayout> {
    const news = new Map<string, WireLayout>();
    const there = new Set(instances.map((i) => i.instanceId));
    for (const id of this.told.keys()) if (!there.has(id)) this.told.delete(id);
    let size = 0;
    this.left = false;
    for (const { instanceId, facts, view } of instances) {
      if (!facts || !view) continue;
      const text = canonicalJson(view as unknown as Plain);
      const digest = `${factsDigest(facts)} ${sha256Hex(text)}`;
      if (this.told.get(instanceId) === digest) continue;
      this.left = size > 0 && size + text.length > LAYOUTS_SIZE_MAX;
      if (this.left) break;
      size += text.length;
      this.told.set(instanceId, digest);
      news.set(instanceId, wireLayout(view));
    }
    return news;
  }
}
