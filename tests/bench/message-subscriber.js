// SPDX-License-Identifier: LGPL-2.1-or-later
// Reads so many messages from PM2's bus, or from a stream of OpenBus on descriptor 3, and prints the microseconds from the
// first to the last of them and how many were out of order.
//     message-subscriber.js COUNT pm2|stream [FOLDER OF node_modules]
'use strict';
const [, , countText, kind, modules] = process.argv;
const count = Number(countText);
let seen = 0, wrong = 0, start;

function take(data) {
    if (seen === 0) start = process.hrtime.bigint();
    if (data.n !== seen) wrong++;
    if (++seen === count) {
        const usec = Number((process.hrtime.bigint() - start) / 1000n);
        process.stdout.write(JSON.stringify({usec, wrong}) + '\n', () => process.exit(0));
    }
}

if (kind === 'pm2') {
    const pm2 = require(modules + '/pm2');
    pm2.connect((error) => {
        if (error) throw error;
        pm2.launchBus((failure, bus) => {
            if (failure) throw failure;
            bus.on('n', (packet) => take(packet.data));
            process.stdout.write('ready\n');
        });
    });
} else {
    const stream = new (require('net').Socket)({fd: 3, readable: true, writable: false});
    let rest = '';
    stream.setEncoding('utf8');
    stream.on('data', (text) => {
        const lines = (rest + text).split('\n');
        rest = lines.pop();
        for (const line of lines) {
            const event = JSON.parse(line);
            if (event.event === 'lost') throw new Error(line);
            take(event.data);
        }
    });
    process.stdout.write('ready\n');
}
