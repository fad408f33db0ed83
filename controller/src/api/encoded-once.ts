// Messages of views that are encoded for two: the caller whose mutation made the view, and those
// who watch what it left behind. Knows no message.

/** Encodes each view once, as long as somebody holds it: views never change. */
export class EncodedOnce<View extends object> {
  private readonly made = new WeakMap<View, Uint8Array>();

  constructor(private readonly encode: (view: View) => Uint8Array) {}

  of(view: View): Uint8Array {
    const known = this.made.get(view);
    if (known) return known;
    const bytes = this.encode(view);
    this.made.set(view, bytes);
    return bytes;
  }
}
