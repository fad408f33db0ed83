// The other side of every comparison: a bare grpc-js server in a process of its own, which decodes
// the same request and encodes the same response as the controller, with nothing between.
import * as grpc from "@grpc/grpc-js";
import { TENANT_METHODS } from "./methods.js";
import { serve } from "./remote.js";

const server = new grpc.Server({ "grpc.max_concurrent_streams": 256 });

serve({
  /** Microseconds of processor time until now. */
  cpuMicros: () => process.cpuUsage().user + process.cpuUsage().system,
  /** Answers `path` with this response, given as base64, from now on. */
  start: ({ path, response }: { path: string; response: string }) => {
    const method = TENANT_METHODS.get(path);
    if (!method) throw new Error(`no method ${path}`);
    const message = method.responseDeserialize(Buffer.from(response, "base64"));
    server.addService({ [path]: method }, {
      [path]: (_: unknown, answer: grpc.sendUnaryData<object>) => answer(null, message),
    } as never);
    const at = grpc.ServerCredentials.createInsecure();
    return new Promise((resolve, reject) => {
      server.bindAsync("127.0.0.1:0", at, (err, port) => (err ? reject(err) : resolve(port)));
    });
  },
});
