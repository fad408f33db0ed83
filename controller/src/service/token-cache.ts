// Tokens that were asked for lately, so that a call needs no transaction to learn who makes it.
// Forgets all of them whenever any token changes. Knows neither secrets nor what a token allows.
import type { Soon } from "@railyard/lib/soon";
import type { Token } from "../domain/token.js";
import type { Store } from "../store/contract.js";

/** Tokens kept; beyond that all are forgotten and asked for again. */
const TOKENS_MAX = 4_096;

class TokenCache {
  private readonly tokens = new Map<string, Token>();
  /** Counts what a reading transaction could have missed. */
  private changes = 0;
  /** Who wants to hear of a token, by its id. */
  private readonly listeners = new Map<string, Set<() => void>>();

  constructor(private readonly store: Store) {
    store.onTouch(({ kind, id }) => {
      if (kind !== "token") return;
      this.changes += 1;
      this.tokens.clear();
      for (const listener of this.listeners.get(id) ?? []) listener();
    });
  }

  /**
   * Calls `fn` whenever the token is touched, or that is undone; whoever then asks for it waits for
   * the outcome. `fn` must not throw. Returns how to end that.
   */
  onTouch(id: string, fn: () => void): () => void {
    const told = this.listeners.get(id) ?? new Set();
    this.listeners.set(id, told.add(fn));
    return () => {
      told.delete(fn);
      if (told.size === 0 && this.listeners.get(id) === told) this.listeners.delete(id);
    };
  }

  /** The token as the newest commit has it; at once when it was asked for since any changed. */
  byHash(hash: string): Soon<Token | undefined> {
    return this.tokens.get(hash) ?? this.stored(hash);
  }

  private async stored(hash: string): Promise<Token | undefined> {
    let before = 0;
    const found = await this.store.read((tx) => {
      before = this.changes;
      return tx.tokens.byHash(hash);
    });
    if (found && before === this.changes) this.keep(hash, found);
    return found;
  }

  private keep(hash: string, token: Token): void {
    if (this.tokens.size >= TOKENS_MAX) this.tokens.clear();
    this.tokens.set(hash, token);
  }
}

const caches = new WeakMap<Store, TokenCache>();

/** The store's one cache. */
export function tokensOf(store: Store): TokenCache {
  const known = caches.get(store);
  if (known) return known;
  const made = new TokenCache(store);
  caches.set(store, made);
  return made;
}
