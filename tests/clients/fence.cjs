// Preloaded into every foreign program (NODE_OPTIONS=--require): it reaches this machine and nothing else.
//
// What it tried is written to $FENCE_LOG, so that a test fails even when the program shrugs the refusal off.
const { appendFileSync } = require("node:fs");
const net = require("node:net");

const connect = net.Socket.prototype.connect;

net.Socket.prototype.connect = function fenced(...args) {
  // net.connect() hands over an array of what it was given, already put in order.
  const [first] = Array.isArray(args[0]) ? args[0] : args;
  const path = typeof first === "string" ? first : first?.path;
  const host = typeof first === "object" ? first?.host ?? "localhost" : typeof args[1] === "string" ? args[1] : "localhost";
  if (path || /^(localhost|127(\.\d+){3}|::1)$/.test(host)) return connect.apply(this, args);
  appendFileSync(process.env.FENCE_LOG, `${process.argv[1]}: ${host}\n`);
  process.nextTick(() => this.destroy(new Error(`the tests allow no connection to ${host}`)));
  return this;
};
