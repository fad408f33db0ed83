// The type of ports.mjs for the tests, which are TypeScript.
export declare function freePort(): Promise<number>;
