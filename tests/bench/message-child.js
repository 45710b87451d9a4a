// SPDX-License-Identifier: LGPL-2.1-or-later
// Sends so many messages of a hundred bytes when it gets SIGUSR2, as fast as they go: 500 at a time, the next when Node
// has written those.
'use strict';
const count = Number(process.argv[2]);
const padding = 'x'.repeat(66);
let number = 0;

function batch() {
    let left = 500;
    const sent = () => { if (--left === 0) setImmediate(batch); };
    for (let i = 0; i < 500 && number < count; i++) {
        process.send({type: 'n', data: {n: number++, padding}}, sent);
    }
}

process.on('SIGUSR2', batch);
process.on('message', () => {});
