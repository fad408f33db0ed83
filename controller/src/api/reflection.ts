// Server reflection, v1 and v1alpha, over the contract's descriptor image. A listener shows its own
// services and what they are made of, and nothing of the other listener's.

import { fromBinary, toBinary } from "@bufbuild/protobuf";
import {
  type DescriptorProto,
  type FileDescriptorProto,
  FileDescriptorProtoSchema,
  FileDescriptorSetSchema,
} from "@bufbuild/protobuf/wkt";
import type { ServerDuplexStream, ServiceDefinition, UntypedHandleCall } from "@grpc/grpc-js";
import type { Clock } from "@railyard/lib/clock";
import { refuse } from "@railyard/lib/errors";
import * as v1 from "@railyard/proto/gen/grpc/reflection/v1/reflection";
import * as v1alpha from "@railyard/proto/gen/grpc/reflection/v1alpha/reflection";
import { toServiceError, wireCode } from "./grpc-status.js";
import { send } from "./stream.js";

type Request = v1.ServerReflectionRequest;
type Response = v1.ServerReflectionResponse;
type Answer = NonNullable<Response["messageResponse"]>;

/** The two reflection services, whose messages are the same on the wire. */
export const REFLECTION_SERVICES: readonly ServiceDefinition[] = [
  v1.ServerReflectionService,
  v1alpha.ServerReflectionService,
];

/** Open conversations of one listener, and how long one may last: nobody is asked who they are. */
export const CONVERSATIONS_MAX = 64;
export const CONVERSATION_MS_MAX = 60_000;

/** What can be asked for: files, and which file declares a symbol or an extension. */
interface Index {
  readonly files: ReadonlyMap<string, FileDescriptorProto>;
  readonly symbols: ReadonlyMap<string, FileDescriptorProto>;
  /** `extended.Type/number`. */
  readonly extensions: ReadonlyMap<string, FileDescriptorProto>;
}

export interface ReflectionOptions {
  /** The descriptor image. */
  readonly image: Uint8Array;
  /** Full names of what the listener serves. */
  readonly services: readonly string[];
  readonly clock: Clock;
  /** Aborts when the listener stops. */
  readonly stopping: AbortSignal;
}

/** The handler of `ServerReflectionInfo`. */
export function reflectionHandler(options: ReflectionOptions): UntypedHandleCall {
  const { image, services } = options;
  const index = indexOf(reachable(image, services));
  let open = 0;
  return (call: ServerDuplexStream<Request, Response>) => {
    if (open >= CONVERSATIONS_MAX) {
      call.emit("error", toServiceError(TOO_MANY));
      return;
    }
    open += 1;
    call.once("close", () => {
      open -= 1;
    });
    converse(call, (request) => answerTo(index, services, request), options);
  };
}

const TOO_MANY = refuse("exhausted", `${CONVERSATIONS_MAX} reflection streams are open`, {
  reason: "TOO_MANY_STREAMS",
});

/**
 * Answers one question at a time; ends when the client has no more, after CONVERSATION_MS_MAX, or
 * when the listener stops.
 */
function converse(
  call: ServerDuplexStream<Request, Response>,
  answer: (request: Request) => Answer,
  { clock, stopping }: Pick<ReflectionOptions, "clock" | "stopping">,
): void {
  const gone = new AbortController();
  const signal = AbortSignal.any([gone.signal, stopping]);
  const end = () => call.end();
  signal.addEventListener("abort", end, { once: true });
  const timer = clock.after(CONVERSATION_MS_MAX, end);
  const leave = () => {
    timer.cancel();
    gone.abort();
  };
  // Not `for await`: it destroys the stream at the end of the questions, before a status is sent.
  call.on("data", (originalRequest: Request) => {
    call.pause();
    const { host: validHost } = originalRequest;
    const messageResponse = answer(originalRequest);
    const taking = send(call, { validHost, originalRequest, messageResponse }, signal);
    void Promise.resolve(taking).then(() => call.resume());
  });
  call.on("end", end).on("cancelled", leave).on("close", leave).on("error", leave);
}

function answerTo(index: Index, services: readonly string[], { messageRequest }: Request): Answer {
  switch (messageRequest?.$case) {
    case "listServices":
      return {
        $case: "listServicesResponse",
        value: { service: services.map((name) => ({ name })) },
      };
    case "fileByFilename":
      return filesFrom(index, index.files.get(messageRequest.value));
    case "fileContainingSymbol":
      return filesFrom(index, index.symbols.get(messageRequest.value));
    case "fileContainingExtension": {
      const { containingType, extensionNumber } = messageRequest.value;
      return filesFrom(index, index.extensions.get(`${containingType}/${extensionNumber}`));
    }
    case "allExtensionNumbersOfType": {
      const baseTypeName = messageRequest.value;
      const extensionNumber = [...index.extensions.keys()]
        .filter((key) => key.startsWith(`${baseTypeName}/`))
        .map((key) => Number(key.slice(baseTypeName.length + 1)));
      return { $case: "allExtensionNumbersResponse", value: { baseTypeName, extensionNumber } };
    }
    default:
      return missing("unknown question");
  }
}

function missing(errorMessage: string): Answer {
  return { $case: "errorResponse", value: { errorCode: wireCode("notFound"), errorMessage } };
}

/** A file and everything it imports, each once. */
function filesFrom(index: Index, file: FileDescriptorProto | undefined): Answer {
  if (!file) return missing("not found");
  const fileDescriptorProto = [...closure(index.files, [file])].map((one) =>
    Buffer.from(toBinary(FileDescriptorProtoSchema, one)),
  );
  return { $case: "fileDescriptorResponse", value: { fileDescriptorProto } };
}

function closure(
  files: ReadonlyMap<string, FileDescriptorProto>,
  from: readonly FileDescriptorProto[],
): Set<FileDescriptorProto> {
  const seen = new Set(from);
  for (const file of seen) {
    for (const name of file.dependency) {
      const imported = files.get(name);
      if (imported) seen.add(imported);
    }
  }
  return seen;
}

function reachable(image: Uint8Array, services: readonly string[]): Set<FileDescriptorProto> {
  const { file: all } = fromBinary(FileDescriptorSetSchema, image);
  const declares = (file: FileDescriptorProto) =>
    file.service.some(({ name }) => services.includes(`${file.package}.${name}`));
  return closure(new Map(all.map((file) => [file.name, file])), all.filter(declares));
}

function indexOf(files: ReadonlySet<FileDescriptorProto>): Index {
  const symbols = new Map<string, FileDescriptorProto>();
  const extensions = new Map<string, FileDescriptorProto>();
  for (const file of files) {
    for (const name of symbolsOf(file)) symbols.set(name, file);
    for (const one of file.extension) {
      extensions.set(`${one.extendee.replace(/^\./, "")}/${one.number}`, file);
    }
  }
  return { files: new Map([...files].map((file) => [file.name, file])), symbols, extensions };
}

function symbolsOf(file: FileDescriptorProto): string[] {
  const prefix = file.package === "" ? "" : `${file.package}.`;
  const services = file.service.flatMap(({ name, method }) => [
    prefix + name,
    ...method.map((m) => `${prefix}${name}.${m.name}`),
  ]);
  return [
    ...services,
    ...file.messageType.flatMap((m) => messageSymbols(prefix, m)),
    ...file.enumType.flatMap((e) => [prefix + e.name, ...e.value.map((v) => prefix + v.name)]),
    ...file.extension.map((e) => prefix + e.name),
  ];
}

function messageSymbols(prefix: string, message: DescriptorProto): string[] {
  const name = prefix + message.name;
  return [
    name,
    ...message.field.map((f) => `${name}.${f.name}`),
    ...message.enumType.map((e) => `${name}.${e.name}`),
    ...message.nestedType.flatMap((m) => messageSymbols(`${name}.`, m)),
  ];
}
