// What railctl's exit status says, as the table that `railctl --help` prints. It knows error codes,
// not commands.
import type { ErrorCode, RailyardError } from "@railyard/lib/errors";

export const EXIT = {
  ok: 0,
  unexpected: 1,
  usage: 2,
  notFound: 3,
  conflict: 4,
  exhausted: 5,
  forbidden: 6,
  unavailable: 7,
  stateNotReached: 8,
} as const;

export type ExitCode = (typeof EXIT)[keyof typeof EXIT];

const OF_ERROR: Readonly<Record<ErrorCode, ExitCode>> = {
  invalid: EXIT.usage,
  notFound: EXIT.notFound,
  exists: EXIT.conflict,
  conflict: EXIT.conflict,
  precondition: EXIT.conflict,
  expired: EXIT.conflict,
  exhausted: EXIT.exhausted,
  unauthenticated: EXIT.forbidden,
  forbidden: EXIT.forbidden,
  unavailable: EXIT.unavailable,
  deadline: EXIT.unavailable,
  unimplemented: EXIT.unexpected,
  bug: EXIT.unexpected,
};

/** The exit status for an error. */
export function exitCodeOf(error: RailyardError): ExitCode {
  return OF_ERROR[error.code];
}

export const EXIT_HELP = `
Exit status:
  0  done
  1  internal or unexpected error
  2  wrong usage or invalid argument
  3  not found
  4  conflict: exists already, changed meanwhile, or not allowed in the present state
  5  exhausted: no capacity, or a quota is used up
  6  not authenticated or not allowed
  7  unavailable, or the deadline passed
  8  --wait: the state was not reached (the instance failed)

Environment:
  RAILYARD_SERVER, RAILYARD_ADMIN_SERVER   host:port of the tenant and the operator listener
  RAILYARD_TOKEN                           bearer token (or --token-file)
  NO_COLOR                                 no colours
`;
