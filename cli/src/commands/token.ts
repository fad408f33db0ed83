// railctl token: access tokens, for operators.
import {
  type CreateTokenResponse,
  Role,
  TokenServiceService as service,
  Token,
} from "@railyard/proto/gen/railyard/admin/v1/token";
import type { Command } from "commander";
import { present } from "../answer.js";
import { durationMs } from "../config.js";
import {
  type ChangeFlags,
  type CreateFlags,
  change,
  changing,
  collect,
  creating,
  creation,
} from "../flags.js";
import type { View } from "../output.js";
import { listAll } from "../pages.js";
import type { Run } from "../program.js";
import { resolveId } from "../resolve.js";
import { writeSecretFile } from "../secret-file.js";
import type { Session } from "../session.js";
import { enumValueOf, timeOf, wordOf, wordsOf } from "../words.js";

const VIEW: View<Token> = {
  columns: [
    { title: "NAME", cell: ({ name }) => name },
    { title: "ID", cell: ({ id }) => id },
    { title: "ACCOUNT", cell: ({ account }) => account },
    { title: "ROLES", cell: rolesOf },
    { title: "CREATED", cell: ({ createdAt }) => timeOf(createdAt) },
    { title: "EXPIRES", cell: ({ expiresAt }) => timeOf(expiresAt) },
    { title: "REVOKED", cell: ({ revokedAt }) => timeOf(revokedAt) },
  ],
  json: Token.toJSON,
};

// Spelt as --role takes them.
function rolesOf({ roles }: Token): string {
  return roles.map((role) => wordOf(Role, role).replaceAll("_", "-")).join(",");
}

const WITH_SECRET: View<{ readonly token: Token; readonly secret: string }> = {
  columns: [
    ...VIEW.columns.map(({ title, cell }) => ({
      title,
      cell: ({ token }: { readonly token: Token }) => cell(token),
    })),
    { title: "SECRET", cell: ({ secret }) => secret },
  ],
  json: ({ token, secret }) => ({ token: Token.toJSON(token), secret }),
};

/** Adds the noun. */
export function addToken(program: Command, run: Run): void {
  const noun = program.command("token").description("access tokens (operators)");
  creating(noun.command("create").description("make a token; its secret is shown once"))
    .requiredOption("--role <role>", `one of ${[...wordsOf(Role).keys()].join(", ")}`, collect)
    .option("--account <account>", "the account it acts in (tenant roles)")
    .option("--name <name>", "what it is called (four random words when absent)")
    .option("--ttl <duration>", "for how long, such as 24h (until revoked when absent)")
    .option("--out <file>", "write the secret to this file, readable by its owner only")
    .option("--force", "replace the file if it is there")
    .action(run(create));
  noun
    .command("list")
    .description("list tokens without their secrets")
    .option("--account <account>", "only those of this account")
    .action(run(list));
  changing(noun.command("revoke <token>").description("end a token at once")).action(run(revoke));
}

interface Create extends CreateFlags {
  readonly role: readonly string[];
  readonly account?: string;
  readonly name?: string;
  readonly ttl?: string;
  readonly out?: string;
  readonly force?: boolean;
}

async function create(session: Session, flags: Create): Promise<void> {
  const { out: path, force = false } = flags;
  if (path === undefined || flags.validateOnly) {
    const { token, secret } = await createToken(session, flags);
    return session.output.one(WITH_SECRET, { token: present(token), secret });
  }
  let made: Token | undefined;
  await writeSecretFile({ path, force, rng: session.rng }, async () => {
    const { token, secret } = await createToken(session, flags);
    made = token;
    return `${secret}\n`;
  });
  session.output.one(VIEW, present(made));
  session.note(`secret written to ${path}`);
}

function createToken(session: Session, flags: Create): Promise<CreateTokenResponse> {
  const ms = flags.ttl === undefined ? undefined : durationMs(flags.ttl, "--ttl");
  return session.admin.call(service.createToken, {
    account: flags.account ?? "",
    roles: flags.role.map((role) => enumValueOf(Role, role, "--role")),
    name: flags.name ?? "",
    ttl: ms === undefined ? undefined : { seconds: BigInt(Math.ceil(ms / 1_000)), nanos: 0 },
    ...creation(session, flags),
  });
}

async function list(session: Session, flags: { readonly account?: string }): Promise<void> {
  session.output.many(VIEW, await tokens(session, flags.account ?? ""));
}

function tokens(session: Session, account: string) {
  return listAll(session.admin, {
    method: service.listTokens,
    filters: { account },
    items: (answer) => answer.tokens,
  });
}

async function revoke(session: Session, flags: ChangeFlags, [text = ""]: readonly string[]) {
  const all = await tokens(session, "");
  const id = await resolveId(
    {
      kind: "token",
      // Names may repeat, as when one token is to take the place of another.
      named: async (wanted) =>
        all.flatMap(({ id, name, revokedAt }) => (name === wanted && !revokedAt ? [id] : [])),
      exists: async (wanted) => all.some((one) => one.id === wanted),
    },
    text,
  );
  const request = { id, ...change(session, flags) };
  const { token } = await session.admin.call(service.revokeToken, request);
  session.output.one(VIEW, present(token));
}
