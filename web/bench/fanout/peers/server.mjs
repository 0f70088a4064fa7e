// What people use instead, in Node: `node server.mjs ws|socket.io PORT FACT-FILE`. It says "ready {}", sends the file's
// text for each fact of an order "N" on its input, answers each order with the moment it began (monotonic ns), and
// ends with its input.
import { readFileSync } from "node:fs";
import { createServer } from "node:http";
import { createInterface } from "node:readline";

const [kind, port, path] = process.argv.slice(2);
const fact = readFileSync(path, "utf8");
const http = createServer();

const peers = {
  async ws() {
    const { WebSocketServer, WebSocket } = await import("ws");
    const server = new WebSocketServer({ server: http, perMessageDeflate: false });
    return () => {
      for (const client of server.clients) if (client.readyState === WebSocket.OPEN) client.send(fact);
    };
  },
  async "socket.io"() {
    const { Server } = await import("socket.io");
    const server = new Server(http, { transports: ["websocket"], serveClient: false });
    return () => server.emit("fact", fact);
  },
};

const send = await peers[kind]();
http.listen({ port: Number(port), host: "127.0.0.1", backlog: 4096 }, () => console.log("ready {}"));
createInterface({ input: process.stdin })
  .on("line", (line) => {
    const begun = process.hrtime.bigint();
    for (let n = Number(line); n > 0; n--) send();
    console.log(String(begun));
  })
  .on("close", () => process.exit(0));
