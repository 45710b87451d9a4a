// SPDX-License-Identifier: LGPL-2.1-or-later
// Requests over HTTP/1.1, one after the other in each of some connections, until a line or the end comes on standard
// input; then one line of JSON: what became of each of them. No request is ever repeated, none that failed is left out.
//
//     node load-client.js '{"port": 8080, "mode": "keep-alive", "connections": 16}'
//
// host, port or path; tls; mode close|keep-alive; connections; target (/); timeout of a request and pause between two in
// ms; body: what a reply must have. By hand upon sockets: Node's http.Agent takes resets of kept connections upon itself.
//
// Reasons: refused, cannot connect, reset (before any byte of a reply), reset on reuse (the same on a connection that
// was kept, so the server may have closed it before it saw the request), timeout, cut reply, wrong reply.
'use strict';

const net = require('net');
const tls = require('tls');

const options = { host: '127.0.0.1', mode: 'keep-alive', connections: 8, target: '/', timeout: 10000, pause: 0,
                  ...JSON.parse(process.argv[2]) };
const AGAIN_MS = 10; // after a failure
const keeps = options.mode === 'keep-alive';
const request = `GET ${options.target} HTTP/1.1\r\nHost: load\r\nConnection: ${keeps ? 'keep-alive' : 'close'}\r\n\r\n`;
const reasons = {}, workers = {}, latencies = [];
let connects = 0, idleCloses = 0, running = 0, stopping = false;

function connect() {
    const { path, host, port } = options;
    const where = path ? { path } : { host, port };
    return options.tls ? tls.connect({ ...where, rejectUnauthorized: false, ALPNProtocols: ['http/1.1'] })
        : net.connect(where);
}

/* The reply at the start of some bytes: nothing while it is not complete, unless the connection ended. */
function parse(bytes, ended) {
    const end = bytes.indexOf('\r\n\r\n');
    if (end < 0) {
        // what is none must not be waited for
        return /^(H|$)/.test(bytes.toString('latin1', 0, 1)) ? null : { wrong: true };
    }
    const [first, ...lines] = bytes.toString('latin1', 0, end).split('\r\n');
    const headers = {};
    for (const line of lines) {
        const colon = line.indexOf(':');
        const name = line.slice(0, colon).toLowerCase();
        const value = line.slice(colon + 1).trim();
        headers[name] = name in headers ? `${headers[name]}, ${value}` : value;
    }
    const rest = bytes.subarray(end + 4);
    const body = bodyOf(headers, rest, ended);
    if (!body) {
        return null;
    }
    const wrong = body.wrong || !/^HTTP\/1\.1 200 /.test(first) || rest.length > body.length ||
        (options.body !== undefined && body.text !== options.body);
    const closes = body.closes || /(^|,)\s*close\s*(,|$)/i.test(headers.connection || '');
    return { wrong, closes, worker: headers['x-worker'] };
}

/* length: of all its bytes. */
function bodyOf(headers, rest, ended) {
    if (/chunked/i.test(headers['transfer-encoding'] || '')) {
        let at = 0, text = '';
        for (;;) {
            const end = rest.indexOf('\r\n', at);
            const size = end < 0 ? NaN : parseInt(rest.toString('latin1', at, end), 16);
            if (end >= 0 && !(size >= 0)) {
                return { wrong: true, length: rest.length };
            }
            if (!(rest.length >= end + 2 + size + 2)) {
                return null;
            }
            text += rest.toString('utf8', end + 2, end + 2 + size);
            at = end + 2 + size + 2;
            if (size === 0) {
                return { text, length: at };
            }
        }
    }
    if (headers['content-length'] === undefined) {
        return ended ? { text: rest.toString(), length: rest.length, closes: true } : null;
    }
    const length = Number(headers['content-length']);
    return rest.length >= length ? { text: rest.toString('utf8', 0, length), length } : null;
}

/* One place for a connection, which is a new one as often as needed. */
class Place {
    constructor() {
        running++;
        this.next();
    }

    next() {
        if (stopping) {
            this.drop();
            if (--running === 0) {
                report();
            }
        } else if (this.socket) {
            this.ask();
        } else {
            this.open();
        }
    }

    later(delay) {
        setTimeout(() => this.next(), delay);
    }

    /* The request counts from here on: one that cannot connect has failed. */
    open() {
        const socket = this.socket = connect();
        this.connected = this.reused = false;
        this.begin();
        socket.on(options.tls ? 'secureConnect' : 'connect', () => {
            connects++;
            this.connected = true;
            socket.write(request);
        });
        socket.on('data', (data) => this.mine(socket) && this.take(data));
        socket.on('error', (error) => this.mine(socket) && this.gone(error.code));
        socket.on('end', () => this.mine(socket) && this.gone('end'));
        socket.on('close', () => this.mine(socket) && this.gone('end'));
        socket.setNoDelay(true);
    }

    mine(socket) {
        return socket === this.socket;
    }

    ask() {
        this.reused = true;
        this.begin();
        this.socket.write(request);
    }

    begin() {
        this.waits = true;
        this.bytes = Buffer.alloc(0);
        this.since = process.hrtime();
        this.timer = setTimeout(() => this.fail('timeout'), options.timeout);
    }

    take(data) {
        this.bytes = Buffer.concat([this.bytes, data]);
        if (!this.waits) {
            this.drop(); // nobody asked
            count('wrong reply');
            return;
        }
        const reply = parse(this.bytes, false);
        if (reply) {
            this.done(reply);
        }
    }

    gone(code) {
        if (!this.waits) {
            idleCloses++;
            this.drop();
            return;
        }
        const reply = code === 'end' && this.bytes.length ? parse(this.bytes, true) : null;
        if (reply) {
            this.done(reply);
        } else if (this.bytes.length) {
            this.fail('cut reply');
        } else if (this.connected) {
            this.fail(this.reused ? 'reset on reuse' : 'reset');
        } else {
            this.fail(code === 'ECONNREFUSED' || code === 'ENOENT' ? 'refused' : 'cannot connect');
        }
    }

    done(reply) {
        if (reply.wrong) {
            this.fail('wrong reply');
            return;
        }
        const [seconds, nanoseconds] = process.hrtime(this.since);
        latencies.push(seconds * 1e3 + nanoseconds / 1e6);
        workers[reply.worker] = (workers[reply.worker] || 0) + 1;
        this.settle(reply.closes || !keeps, options.pause);
    }

    fail(reason) {
        count(reason);
        this.settle(true, AGAIN_MS);
    }

    settle(closes, delay) {
        clearTimeout(this.timer);
        this.waits = false;
        if (closes) {
            this.drop();
        }
        if (delay) {
            this.later(delay);
        } else {
            setImmediate(() => this.next());
        }
    }

    drop() {
        if (this.socket) {
            this.socket.destroy();
            this.socket = null;
        }
    }
}

function count(reason) {
    reasons[reason] = (reasons[reason] || 0) + 1;
}

function report() {
    latencies.sort((a, b) => a - b);
    const at = (share) => +(latencies[Math.min(latencies.length - 1, Math.floor(latencies.length * share))] || 0).toFixed(3);
    const failed = Object.values(reasons).reduce((sum, one) => sum + one, 0);
    console.log(JSON.stringify({ ok: latencies.length, failed, reasons, connects, idle_closes: idleCloses,
                                 latency_ms: { p50: at(0.5), p99: at(0.99), max: at(1) }, workers }));
    process.stdin.destroy();
}

const stop = () => { stopping = true; };
process.stdin.on('data', stop).on('end', stop);
for (let number = 0; number < options.connections; number++) {
    new Place();
}
