#!/usr/bin/env node
// BullMQ. `enqueue`: the commands on standard input, ended by NUL each, with addBulk; prints the seconds it took.
// `work N`: one worker that runs N at a time, the way its guide gives for jobs that wait for something.

const { execFile } = require("node:child_process");
const { readFileSync } = require("node:fs");
const { promisify } = require("node:util");
const { Queue, Worker } = require("bullmq");

const connection = { path: new URL(process.env.SERVER_URL).pathname, maxRetriesPerRequest: null };
const run = promisify(execFile);

async function enqueue() {
  const commands = readFileSync(0, "utf8").split("\0").slice(0, -1);
  const queue = new Queue("bench", { connection });
  await queue.waitUntilReady();
  const begun = performance.now();
  await queue.addBulk(commands.map((command) => ({ name: "run", data: { command } })));
  console.log((performance.now() - begun) / 1000);
  await queue.close();
}

function work(concurrency) {
  const worker = new Worker("bench", (job) => run("sh", ["-c", job.data.command]), { connection, concurrency });
  process.on("SIGTERM", () => worker.close());
}

if (process.argv[2] === "enqueue") enqueue();
else work(Number(process.argv[3]));
