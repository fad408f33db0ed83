// The type of find-program.mjs for the tests, which are TypeScript.
export declare function findProgram(name: string, folders?: readonly string[]): string | undefined;
