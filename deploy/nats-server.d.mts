// The type of nats-server.mjs for the tests, which are TypeScript.
export declare function findNatsServer(): string | undefined;
