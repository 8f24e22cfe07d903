import { queueNameFault } from "./queue-address.ts";

/** In front of the names of queues that have no address: those of other virtual hosts than "/", and those with names that no topic can have. */
export const HOSTED_PREFIX = "$host/";

/** The virtual host whose queues have the names that everybody uses. */
export const PLAIN_HOST = "/";

/** The name among all queues of the one that is called `name` in a virtual host. */
export function hostedName(host: string, name: string): string {
  if (host === PLAIN_HOST && queueNameFault(name) === null) return name;
  return `${HOSTED_PREFIX}${escaped(host)}/${escaped(name)}`;
}

/** The name of a queue in its virtual host. */
export function nameInHost(queue: string): string {
  return queue.startsWith(HOSTED_PREFIX) ? unescaped(queue.slice(queue.indexOf("/", HOSTED_PREFIX.length) + 1)) : queue;
}

/** The virtual host of a queue. */
export function hostOfQueue(queue: string): string {
  if (!queue.startsWith(HOSTED_PREFIX)) return PLAIN_HOST;
  return unescaped(queue.slice(HOSTED_PREFIX.length, queue.indexOf("/", HOSTED_PREFIX.length)));
}

/** What is wrong with a name of this form, or null. */
export function hostedNameFault(queue: string): string | null {
  return queue === hostedName(hostOfQueue(queue), nameInHost(queue)) ? null : "no name of a queue in a virtual host";
}

function escaped(text: string): string {
  return text.replace(/[%/+#\0]/g, (character) => `%${character.charCodeAt(0).toString(16).padStart(2, "0")}`);
}

function unescaped(text: string): string {
  return text.replace(/%([0-9a-f]{2})/g, (_, hex: string) => String.fromCharCode(Number.parseInt(hex, 16)));
}
