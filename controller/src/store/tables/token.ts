// Tokens in the database: only the hash of a secret ever gets here.
import type { TokenId } from "@railyard/lib/ids";
import type { Token } from "../../domain/token.js";
import { int, type Table, text } from "../codec.js";
import type { TokenReads } from "../contract.js";
import { NounRows } from "../rows.js";
import type { Work } from "../work.js";

// Not owned: tokens are the operators', so an account's own log never shows them.
const TABLE: Table<Token> = {
  name: "tokens",
  kind: "token",
  owned: false,
  columns: { id: text(), secretHash: text(), createdAt: int() },
};

export class Tokens extends NounRows<Token, TokenId, object> implements TokenReads {
  constructor(work: Work) {
    super(work, TABLE);
  }

  byHash(secretHash: string): Promise<Token | undefined> {
    return this.first("secret_hash = ?", [secretHash]);
  }

  /** Oldest first. */
  all(): Promise<readonly Token[]> {
    return this.where("TRUE ORDER BY created_at, id", []);
  }
}
