// The seam for what runs guests on a machine. Kept apart from the host's devices, which are the
// same whoever runs the guests.
import type { GuestSpec, ObservedGuest } from "../../model.js";
import type { GuestConsole } from "../hardware.js";

/** Errors as in `Hardware`. Deadlines are the caller's. */
export interface Guests {
  /** Every guest with any trace, running or not, in instance id order. */
  list(): Promise<readonly ObservedGuest[]>;
  /**
   * Does nothing when the same guest with the same boot count runs. Once `givenUp` is aborted, no
   * guest comes to be any more.
   */
  start(guest: GuestSpec, givenUp?: AbortSignal): Promise<void>;
  /** Removes every trace of a guest; does nothing when there is none. */
  stop(instanceId: string): Promise<void>;
  reboot(instanceId: string, bootCount: number): Promise<void>;
  /** As `guestConsole` of `Hardware`. */
  console(instanceId: string): Promise<GuestConsole>;
}
