// SPDX-License-Identifier: LGPL-2.1-or-later
// A worker with a server of each kind, by the variable KIND: http, https, h2c, h2 (with HTTP/1 too). IDLE_MS: its
// keepAliveTimeout. What a request wants is in its path.
'use strict';

const fs = require('fs');
const { KIND, CERTIFICATE, IDLE_MS } = process.env;
const tls = CERTIFICATE ? { key: fs.readFileSync(CERTIFICATE), cert: fs.readFileSync(CERTIFICATE) } : {};
const waiting = [];

const answers = {
    '/set': (response) => { response.setHeader('Connection', 'keep-alive'); response.end('hello'); },
    '/object': (response) => response.writeHead(200, { Connection: 'Keep-Alive', 'Keep-Alive': 'timeout=5' }).end('hello'),
    '/array': (response) => { response.writeHead(200, ['connection', 'keep-alive', 'Content-Length', 5]); response.end('hello'); },
    '/removed': (response) => { response.removeHeader('Connection'); response.end('hello'); },
    '/close': (response) => { response.setHeader('Connection', 'close'); response.end('hello'); },
    '/other': (response) => { response.setHeader('Connection', 'x-option'); response.end('hello'); },
    '/flushed': (response) => { response.flushHeaders(); later(response); },
    '/wait': (response) => later(response),
    '/tick': (response) => setTimeout(() => response.end('hello'), 5),
    '/upload': (response, request) => { response.end('early'); request.resume(); },
    '/idle': (response) => { server.closeIdleConnections(); response.end('hello'); },
    '/all': () => server.closeAllConnections(),
    '/switch': (response) => {
        response.writeHead(101, { Connection: 'Upgrade', Upgrade: 'echo' });
        response.flushHeaders();
        process.send('waits');
    },
    '/shutdown': (response) => { server.close(() => process.send('closed')); response.end('hello'); },
};

/* Until the primary's test says so, by a request of another connection, or SIGUSR2. */
function later(response) {
    waiting.push(response);
    process.send('waits');
}
process.on('SIGUSR2', () => waiting.splice(0).forEach((response) => response.end('hello')));

function onRequest(request, response) {
    response.setHeader('x-worker', process.pid);
    const answer = answers[request.url];
    if (answer) {
        answer(response, request);
    } else {
        response.end('hello');
    }
}

function create() {
    switch (KIND) {
    case 'https': return require('https').createServer(tls, onRequest);
    case 'h2c': return require('http2').createServer(onRequest);
    case 'h2': return require('http2').createSecureServer({ ...tls, allowHTTP1: true }, onRequest);
    default: return require('http').createServer(onRequest);
    }
}

const server = create();
if (+IDLE_MS) {
    server.keepAliveTimeout = +IDLE_MS;
}
server.on('upgrade', (request, socket, head) => {
    socket.write('HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n');
    socket.write(head);
    socket.pipe(socket);
});
server.listen(0, '127.0.0.1');
