// SPDX-License-Identifier: LGPL-2.1-or-later
// Node's own primary, which swaps workers as a reload does: a new one listens, then an old one is told to disconnect.
//
//     node drain-primary.js '{"script": "worker.js", "preload": "drain.cjs", "workers": 2, "shared": true, "environment": {}}'
//
// Commands on standard input, a line each: `swap N MS` (N swaps, each MS after the one before), `disconnect` (all workers).
// A line of JSON on standard output for each of: {port} once all listen, {swapped}, {accepted, pid}, {told, pid} what a
// worker sent, {ended, code}, {left} at the end: what still had to be killed.
'use strict';

const cluster = require('cluster');
const readline = require('readline');

const options = JSON.parse(process.argv[2]);
const workers = []; // oldest first
const alive = new Set();
const tell = (value) => console.log(JSON.stringify(value));

cluster.schedulingPolicy = options.shared ? cluster.SCHED_NONE : cluster.SCHED_RR;
cluster.setupMaster({ exec: options.script, execArgv: options.preload ? ['--require', options.preload] : [] });

function fork() {
    const worker = cluster.fork({ ...options.environment, ...options.preload ? { PM2D_DRAIN: options.preload } : {} });
    const { pid } = worker.process;
    alive.add(worker);
    worker.on('message', (told) => tell({ told, pid }));
    worker.process.on('internalMessage', (message) => {
        if (message.cmd === 'NODE_PM2D') {
            tell({ ...message, pid });
        }
    });
    worker.on('exit', (code, signal) => {
        alive.delete(worker);
        tell({ ended: pid, code: signal || code });
    });
    return new Promise((resolve) => {
        worker.once('listening', ({ port }) => { workers.push(worker); resolve(port); });
    });
}

async function swap(count, pause) {
    for (let number = 0; number < count; number++) {
        await fork();
        workers.shift().disconnect();
        await new Promise((resolve) => { setTimeout(resolve, pause); });
    }
    tell({ swapped: count });
}

async function main() {
    let port;
    for (let number = 0; number < options.workers; number++) {
        port = await fork();
    }
    tell({ port });
    readline.createInterface({ input: process.stdin }).on('line', (line) => {
        const [word, count, pause] = line.split(' ');
        if (word === 'swap') {
            swap(+count, +pause);
        } else {
            workers.splice(0).forEach((worker) => worker.disconnect());
        }
    }).on('close', () => {
        alive.forEach((worker) => worker.process.kill('SIGKILL'));
        tell({ left: alive.size });
        process.exit();
    });
}

main();
