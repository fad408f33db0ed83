// Request records: what a request id was answered with the first time.
import type { RequestRecord, Requests } from "../contract.js";
import { toNumber, toText } from "../sql.js";
import type { Work } from "../work.js";

export class RequestRecords implements Requests {
  constructor(private readonly work: Work) {}

  async get(scope: string, method: string, requestId: string): Promise<RequestRecord | undefined> {
    const row = await this.work.sql.get(
      `SELECT hash, answer, at FROM request_records
       WHERE scope = ? AND method = ? AND request_id = ?`,
      [scope, method, requestId],
    );
    if (!row) return undefined;
    const answer = new Uint8Array(row.answer as Uint8Array);
    return { scope, method, requestId, hash: toText(row.hash), answer, at: toNumber(row.at) };
  }

  async insert(record: RequestRecord): Promise<void> {
    const { scope, method, requestId, hash, answer, at } = record;
    await this.work.sql.run(
      `INSERT INTO request_records (scope, method, request_id, hash, answer, at)
       VALUES (?, ?, ?, ?, ?, ?)`,
      [scope, method, requestId, hash, answer, at],
    );
  }
}
