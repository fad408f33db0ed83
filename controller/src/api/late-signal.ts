// An abort signal that is made when somebody first asks for it: most calls end without anybody
// having done so, and signals are dear. Knows no call.

export class LateSignal {
  private controller: AbortController | undefined;
  private made: AbortSignal | undefined;
  private ending: { readonly reason: unknown } | undefined;

  /** `others`: it aborts with the first of these, too. */
  constructor(private readonly others: () => readonly AbortSignal[] = () => []) {}

  get signal(): AbortSignal {
    this.made ??= this.make();
    return this.made;
  }

  /** Aborts the signal, now or when it is asked for. The first reason stands. */
  end(reason: unknown): void {
    this.ending ??= { reason };
    this.controller?.abort(this.ending.reason);
  }

  /** Throws what the signal was ended with; makes no signal, and does not ask the others. */
  throwIfEnded(): void {
    if (this.ending) throw this.ending.reason;
  }

  private make(): AbortSignal {
    this.controller = new AbortController();
    if (this.ending) this.controller.abort(this.ending.reason);
    const others = this.others();
    const own = this.controller.signal;
    return others.length === 0 ? own : AbortSignal.any([own, ...others]);
  }
}
