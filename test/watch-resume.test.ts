// railctl --watch over a stream that breaks in every way a server may end it: it goes on from the
// last whole revision, or lists again where the server says so.
import { Server, ServerCredentials, type ServerWritableStream } from "@grpc/grpc-js";
import { run } from "@railyard/cli/program";
import { toServiceError } from "@railyard/controller/api/grpc-status";
import { systemClock } from "@railyard/lib/clock";
import { refuse } from "@railyard/lib/errors";
import { seededRng } from "@railyard/lib/rng";
import {
  ClusterNetwork,
  ClusterNetworkServiceService,
} from "@railyard/proto/gen/railyard/v1/cluster_network";
import {
  ResourceKind,
  WatchEvent,
  type WatchObjectsRequest,
  type WatchObjectsResponse,
  WatchOperation,
  WatchServiceService,
} from "@railyard/proto/gen/railyard/v1/watch";
import { expect, test } from "vitest";

type Stream = ServerWritableStream<WatchObjectsRequest, WatchObjectsResponse>;

function network(name: string): ClusterNetwork {
  return ClusterNetwork.fromPartial({ id: `cn-${name}`, name });
}

function event(revision: bigint, value: ClusterNetwork): WatchObjectsResponse {
  const head = { revision, lastOfRevision: true, kind: ResourceKind.RESOURCE_KIND_CLUSTER_NETWORK };
  const operation = WatchOperation.WATCH_OPERATION_UPDATED;
  const object = { $case: "clusterNetwork" as const, value };
  return {
    message: { $case: "event", value: WatchEvent.fromPartial({ ...head, operation, object }) },
  };
}

function bookmark(revision: bigint): WatchObjectsResponse {
  return { message: { $case: "bookmark", value: { revision } } };
}

function listen(server: Server): Promise<number> {
  return new Promise((resolve, reject) =>
    server.bindAsync("127.0.0.1:0", ServerCredentials.createInsecure(), (err, at) =>
      err ? reject(err) : resolve(at),
    ),
  );
}

test("--watch goes on where it broke, lists again when told to, and ends in time", async () => {
  const broken = [
    refuse("unavailable", "restarting"),
    refuse("exhausted", "too slow", { reason: "READER_TOO_SLOW" }),
    refuse("expired", "relist", { reason: "REVISION_TOO_OLD" }),
  ];
  const sent = [[bookmark(5n), event(6n, network("a"))], [event(7n, network("b"))], []];
  const lists = [
    ["x", "gone"],
    ["x", "late"],
  ];
  const asked: (bigint | undefined)[] = [];
  const server = new Server();
  server.addService(WatchServiceService, {
    watchObjects: (call: Stream) => {
      asked.push(call.request.fromRevision);
      for (const message of sent.shift() ?? [bookmark(100n), event(101n, network("c"))]) {
        call.write(message);
      }
      const error = broken.shift();
      if (error) call.emit("error", toServiceError(error));
    },
  });
  server.addService(ClusterNetworkServiceService, {
    listClusterNetworks: (_call: unknown, answer: (err: null, value: object) => void) => {
      const clusterNetworks = (lists.shift() ?? []).map(network);
      answer(null, { clusterNetworks, nextPageToken: "", totalSize: 2n });
    },
  } as never);
  const port = await listen(server);
  const said = { out: "", err: "" };
  const keep = (name: keyof typeof said) => (text: string) => {
    said[name] += text;
  };
  const address = `127.0.0.1:${port}`;
  const code = await run(["network", "list", "--watch", "--timeout", "8s", "-o", "json"], {
    stdout: { write: keep("out"), tty: false },
    stderr: { write: keep("err"), tty: false },
    environment: () => ({ server: address, adminServer: address, token: "t", color: false }),
    clock: systemClock(),
    rng: seededRng("resume"),
  });
  server.forceShutdown();
  expect(asked.slice(0, 4)).toEqual([undefined, 6n, 7n, undefined]);
  const lines = said.out
    .split("\n")
    .slice(0, -1)
    .map((line) => JSON.parse(line));
  expect(lines.map(({ operation, object }) => `${operation} ${object.name}`)).toEqual([
    ...["present x", "present gone", "updated a", "updated b", "present late"],
    ...["deleted gone", "deleted a", "deleted b", "updated c"],
  ]);
  expect(said.err).toContain("changes were missed, listing again");
  expect(code).toBe(0);
});
