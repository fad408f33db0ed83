// A value that may be at hand already: what need not be waited for is not, since a promise costs
// more than most of what stands behind one. Knows no value.

/** The value, or the promise of it. */
export type Soon<T> = T | Promise<T>;

/** What `next` makes of the value: at once when it is at hand. */
export function andThen<T, R>(value: Soon<T>, next: (value: T) => Soon<R>): Soon<R> {
  return value instanceof Promise ? value.then(next) : next(value);
}
