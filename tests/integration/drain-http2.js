// SPDX-License-Identifier: LGPL-2.1-or-later
// Requests over HTTP/2 by Node's client, until standard input says stop: `streams` at a time in each of some sessions. A
// session that was told to go away is left for a new one; a request that was not answered is counted, never repeated.
// Apart from the others, unsent: a stream that GOAWAY covers, refused by Node's client itself. It had taken the request
// in, but not sent it when GOAWAY came, and nghttp2 opens no stream after that; no server can help it.
//
//     node drain-http2.js '{"url": "http://127.0.0.1:8080", "sessions": 4, "streams": 4}'
'use strict';

const http2 = require('http2');

const options = JSON.parse(process.argv[2]);
const result = { ok: 0, failed: 0, unsent: 0, reasons: {}, sessions: 0, goaways: 0 };
let running = 0, stopping = false;

function open() {
    const session = http2.connect(options.url, { rejectUnauthorized: false });
    result.sessions++;
    session.on('goaway', (code, last) => {
        result.goaways++;
        session.last = last;
    });
    session.on('error', () => {}); // its streams tell
    session.setMaxListeners(0);
    return session;
}

function ask(place) {
    if (stopping) {
        if (--running === 0) {
            console.log(JSON.stringify(result));
            place.all.forEach((one) => one.session.close());
            process.stdin.destroy();
        }
        return;
    }
    if (!place.session || place.session.closed || place.session.destroyed) {
        place.session = open();
    }
    const { session } = place;
    const stream = session.request({ ':path': '/tick' });
    let text = '', why = '';
    stream.setEncoding('utf8');
    stream.on('data', (data) => { text += data; });
    stream.on('error', (error) => { why = `${error.code} ${stream.rstCode}`; });
    stream.on('close', () => {
        if (text === 'hello' && !why) {
            result.ok++;
        } else if (stream.rstCode === http2.constants.NGHTTP2_REFUSED_STREAM && stream.id <= session.last) {
            result.unsent++;
        } else {
            result.failed++;
            result.reasons[why] = (result.reasons[why] || 0) + 1;
        }
        setImmediate(ask, place);
    });
}

const all = [];
for (let number = 0; number < options.sessions; number++) {
    const place = { session: null, all };
    all.push(place);
    for (let stream = 0; stream < options.streams; stream++) {
        running++;
        ask(place);
    }
}
const stop = () => { stopping = true; };
process.stdin.on('data', stop).on('end', stop);
