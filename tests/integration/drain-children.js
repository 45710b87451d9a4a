// SPDX-License-Identifier: LGPL-2.1-or-later
// A worker that tells what it, its thread and its children see of the preload: {who: [arguments, variable, patched]}.
'use strict';

const { fork, spawnSync } = require('child_process');
const { Worker, isMainThread, parentPort } = require('worker_threads');

const SEEN = '[process.execArgv.slice(0, 1), process.env.PM2D_DRAIN || null, ' +
    'Object.prototype.hasOwnProperty.call(require("net").Server.prototype, "emit")]';
const seen = () => eval(SEEN); // eslint-disable-line no-eval

if (!isMainThread) {
    parentPort.postMessage(seen());
} else if (process.argv[2] === 'child') {
    process.send(seen());
    process.disconnect();
} else {
    const told = { own: seen() };
    const end = (who, what) => {
        told[who] = what;
        if (Object.keys(told).length === 4) {
            process.send(told);
        }
    };
    require('http').createServer().listen(0, '127.0.0.1');
    const spawned = spawnSync(process.execPath, [...process.execArgv, '--no-warnings', '-p', `JSON.stringify(${SEEN})`]).stdout;
    end('spawn', JSON.parse(spawned));
    fork(__filename, ['child']).on('message', (what) => end('fork', what));
    new Worker(__filename).on('message', (what) => end('thread', what));
}
