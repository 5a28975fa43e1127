// Preloaded into every process and thread of the tests (node --import): anything but loopback is refused, and makes the
// process fail even when the code under test swallows the error.
import dgram from "node:dgram";
import dns from "node:dns";
import { writeSync } from "node:fs";
import { syncBuiltinESMExports } from "node:module";
import net from "node:net";
import { isMainThread } from "node:worker_threads";

const isLoopback = (host) =>
  host === undefined || host === null || /^(localhost|127\.\d+\.\d+\.\d+|::1|::ffff:127\.\d+\.\d+\.\d+)$/i.test(host);

function refuse(what) {
  const error = new Error(`The tests use no network, but something wanted ${what}.`);
  writeSync(2, `${error.stack}\n`);
  if (!isMainThread) process.kill(process.pid);
  process.on("exit", () => {
    process.exitCode = 1;
  });
  throw error;
}

function guard(owner, name, hostOf) {
  const original = owner[name];
  owner[name] = function guarded(...args) {
    const host = hostOf(args);
    if (!isLoopback(host)) refuse(`${name}(${host})`);
    return original.apply(this, args);
  };
}

// net.connect() hands over [options, callback]; a path is a local socket.
guard(net.Socket.prototype, "connect", (args) => {
  const [first, second] = Array.isArray(args[0]) ? args[0] : args;
  if (typeof first === "object") return first.path ? undefined : first.host;
  return typeof second === "string" ? second : undefined;
});

for (const owner of [dns, dns.promises, dns.Resolver.prototype, dns.promises.Resolver.prototype]) {
  const names = Object.getOwnPropertyNames(owner).filter((name) => /^(lookup|resolve|reverse)/.test(name));
  // To look an address up is to ask nobody.
  for (const name of names) guard(owner, name, ([host]) => (name === "lookup" && net.isIP(host) ? undefined : host));
}

guard(dgram.Socket.prototype, "connect", ([, address]) => (typeof address === "string" ? address : undefined));
guard(dgram.Socket.prototype, "send", (args) => args.find((arg, i) => i > 0 && typeof arg === "string"));

syncBuiltinESMExports();

// Processes that the tests start inherit the guard; worker threads do so by themselves.
const preload = `--import="${import.meta.url}"`;
if (!process.env.NODE_OPTIONS?.includes(preload)) {
  process.env.NODE_OPTIONS = [process.env.NODE_OPTIONS, preload].filter(Boolean).join(" ");
}
