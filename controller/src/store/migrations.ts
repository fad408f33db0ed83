// Numbered steps from an empty database to the schema this program knows. A database written by a
// newer program is refused. Knows no table's meaning.
import { refuse } from "@railyard/lib/errors";
import { SCHEMA_1 } from "./schema.js";
import { SCHEMA_2 } from "./schema-2.js";
import { SCHEMA_12 } from "./schema-12.js";
import { SCHEMA_13 } from "./schema-13.js";
import { SCHEMA_14 } from "./schema-14.js";
import { SCHEMA_FABRIC } from "./schema-fabric.js";
import { SCHEMA_GUEST_LAYOUTS } from "./schema-guest-layouts.js";
import { SCHEMA_HOLDS } from "./schema-holds.js";
import { SCHEMA_NODE_FAULTS } from "./schema-node-faults.js";
import { SCHEMA_PENDING } from "./schema-pending.js";
import { SCHEMA_RAIL_SETS } from "./schema-rail-sets.js";
import { SCHEMA_ROWIDS } from "./schema-rowids.js";
import { SCHEMA_SUBNET_BLOCKS } from "./schema-subnet-blocks.js";
import { SCHEMA_VOLUMES } from "./schema-volumes.js";
import { type Engine, toNumber } from "./sql.js";

/** Step n leads from version n - 1 to n; a published step is never edited. */
export const STEPS: readonly (readonly string[])[] = [
  SCHEMA_1,
  SCHEMA_2,
  SCHEMA_RAIL_SETS,
  SCHEMA_VOLUMES,
  SCHEMA_GUEST_LAYOUTS,
  SCHEMA_NODE_FAULTS,
  SCHEMA_FABRIC,
  SCHEMA_HOLDS,
  SCHEMA_PENDING,
  SCHEMA_ROWIDS,
  SCHEMA_SUBNET_BLOCKS,
  SCHEMA_12,
  SCHEMA_13,
  SCHEMA_14,
];

/** The version this program reads and writes. */
export const SCHEMA_VERSION = STEPS.length;

/**
 * Brings the schema up to date in one transaction, `upgraded` included, which runs after an older
 * schema was found; throws `precondition` when it is newer.
 */
export async function migrate(engine: Engine, upgraded?: () => Promise<void>): Promise<void> {
  await engine.begin();
  try {
    const found = await schemaVersion(engine);
    if (found > SCHEMA_VERSION) {
      throw refuse(
        "precondition",
        `the database has schema version ${found}, this program knows up to ${SCHEMA_VERSION}`,
      );
    }
    for (const step of STEPS.slice(found)) {
      for (const statement of step) await engine.sql.run(statement);
    }
    await engine.sql.run("UPDATE schema_version SET version = ? WHERE version < ?", [
      SCHEMA_VERSION,
      SCHEMA_VERSION,
    ]);
    if (found > 0 && found < SCHEMA_VERSION) await upgraded?.();
    await engine.commit();
  } catch (err) {
    await engine.rollback();
    throw err;
  }
}

async function schemaVersion({ sql }: Engine): Promise<number> {
  await sql.run("CREATE TABLE IF NOT EXISTS schema_version (version INTEGER NOT NULL)");
  const row = await sql.get("SELECT version FROM schema_version");
  if (row) return toNumber(row.version);
  await sql.run("INSERT INTO schema_version (version) VALUES (0)");
  return 0;
}
