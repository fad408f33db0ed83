// What the contract says of a call for which its client names no deadline: the server has one.
// Takes as long as that deadline, in a file of its own, so that nothing waits for it.
import { Client, credentials, Metadata, type ServiceError } from "@grpc/grpc-js";
import { MzoneServiceService } from "@railyard/proto/gen/railyard/admin/v1/mzone";
import { afterAll, beforeAll, expect, test } from "vitest";
import { type Target, target } from "./target.js";

const DEADLINE_EXCEEDED = 4;
const DEADLINE_MS = 30_000;
/** What a busy machine may add. */
const SLACK_MS = 60_000;

let at: Target;
beforeAll(async () => {
  at = await target();
});
afterAll(() => at.close());

test(
  "a call whose client names no deadline, and does not end it, ends after thirty seconds",
  async () => {
    const { server, token } = at.admin;
    const client = new Client(server, credentials.createInsecure());
    try {
      const { path, requestSerialize, responseDeserialize } = MzoneServiceService.validateMzone;
      const metadata = new Metadata();
      metadata.set("authorization", `Bearer ${token}`);
      const begun = performance.now();
      const refused = await new Promise<ServiceError | null>((resolve) => {
        const how = [path, requestSerialize, responseDeserialize, metadata] as const;
        const upload = client.makeClientStreamRequest(...how, (err) => resolve(err));
        // The server waits for the rest of the document.
        upload.write({ documentChunk: Buffer.from("{") });
      });
      const took = performance.now() - begun;
      expect(refused?.code).toBe(DEADLINE_EXCEEDED);
      expect(refused?.details).toContain(`${DEADLINE_MS} ms`);
      expect(took).toBeGreaterThan(DEADLINE_MS - 1_000);
      expect(took).toBeLessThan(DEADLINE_MS + SLACK_MS);
    } finally {
      client.close();
    }
  },
  DEADLINE_MS + 2 * SLACK_MS,
);
