// SPDX-License-Identifier: LGPL-2.1-or-later
// The app that the senders send to: it answers each message, and has an action "ping".
'use strict';

process.on('message', packet => {
    console.log(`got ${JSON.stringify(packet)}`);
    if (packet === 'ping') {
        process.send({type: 'axm:reply', data: {action_name: 'ping', return: {pong: process.pid}}});
        return;
    }
    process.send({type: 'process:msg', data: {success: true}});
});

process.send({type: 'axm:action', data: {action_name: 'ping', action_type: 'custom'}});
process.send('ready'); // for wait_ready
