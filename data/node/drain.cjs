// SPDX-License-Identifier: LGPL-2.1-or-later

/* For cluster workers with reload_drain=http: no request is lost when a server of theirs closes. Node (from 19 on)
 * closes idle connections at that moment, while a client's next request may be on its way. With this they stay open
 * and clients are told: by "Connection: close" in the next response, by GOAWAY. The supervisor is told how many
 * connections were accepted. Loaded by --require before the script, in Node 12 and newer. No error leaves it, it wakes
 * no idle process, all is as it was until a server closes, and it hides as preload.cjs does. */
'use strict';

const VARIABLE = 'PM2D_DRAIN'; // the path of this file as it is on the command line
const TELL_MS = 1000, QUIET_MS = 5000; // then an HTTP/2 session closes; HTTP/1 has the server's keepAliveTimeout
const NOTICE = Buffer.from('0000080700000000007fffffff00000000', 'hex'); // GOAWAY, all streams welcome: RFC 9113, 6.8
const PLACE = Symbol('place'); // of a response in its connection; of a connection: the last one's
const { env, execArgv, send } = process;
const closing = new WeakSet(), untold = new WeakSet(), wrapped = new WeakSet(), sessions = new WeakMap();
const owns = (object, name) => Object.prototype.hasOwnProperty.call(object, name);
const safely = (work, ...words) => { try { return work(...words); } catch (ours) { return undefined; } };
const leave = (session) => untold.add(session) && setTimeout(safely, QUIET_MS, goAway, session).unref();
let accepted = 0, told = 0, timer;

function tell() {
    const grown = accepted !== told && process.connected;
    timer = grown && setTimeout(safely, TELL_MS, tell).unref();
    if (grown) send.call(process, { cmd: 'NODE_PM2D', accepted: told = accepted }, () => {});
}

/* The connection goes on while more requests wait in it, and while the request is still being received: what follows
 * of it would reset a closed connection, and the response be lost. */
function endConnection(response) {
    const { req, statusCode: code } = response, socket = req && req.socket;
    if (socket && closing.has(socket.server) && response[PLACE] === socket[PLACE] && req.complete && code !== 101) {
        response._header = response._header.replace(/\r\n(connection: *(keep-alive|close)|keep-alive:)[^\r\n]*/gi, '')
            .replace(/\r\n\r\n$/, '\r\nConnection: close\r\n\r\n');
        response._last = true;
    }
}

/* With a session's next stream, when its client waits and sends no other, or when there is none. At first a notice, for
 * what crosses it is welcome; Node has no call for it. Within TLS, and while something else is being written, GOAWAY
 * refuses what comes after this stream, so that the client knows what it may repeat. */
function goAway(session) {
    const { encrypted, socket: { _handle } } = untold.delete(session) && session;
    const written = !encrypted && _handle.writeQueueSize === 0 && safely(require('fs').writeSync, _handle.fd, NOTICE);
    if (written === NOTICE.length) session.ping(() => session.close());
    else session[written ? 'destroy' : 'close'](); // half a frame cannot be mended
}

/* Node's own close() closes what is idle by calls that do nothing meanwhile. */
function wrap(prototype) {
    const { close } = prototype;
    wrapped.add(prototype);
    prototype.close = function (...words) {
        const open = [...(!closing.has(this) && sessions.get(this)) || []];
        const hidden = [[this, 'closeIdleConnections'], ...open.map((session) => [session, 'close'])]
            .filter(([object, name]) => name in object && !owns(object, name));
        closing.add(this);
        hidden.forEach(([object, name]) => { object[name] = () => {}; });
        const result = close.apply(this, words);
        hidden.forEach(([object, name]) => delete object[name]);
        open.forEach(leave);
        return result;
    };
}

/* True: not yet, for more requests may have come with this one. */
function onEvent(server, name, first, second) {
    if (name === 'connection' && first._server === server) {
        if (++accepted && !timer) tell();
    } else if ((name === 'request' || /^check/.test(name)) && second._storeHeader && !second[PLACE]) {
        second[PLACE] = first.socket[PLACE] = (first.socket[PLACE] || 0) + 1;
        second.req = first; // as Node does itself from 15.7 on
        return closing.has(server);
    } else if (name === 'session' && parseInt(process.versions.node, 10) > 17) { // others cut streams at GOAWAY
        sessions.set(server, (sessions.get(server) || new Set()).add(first));
        first.once('close', () => sessions.get(server).delete(first));
        if (closing.has(server)) leave(first);
    } else if (name === 'stream' && untold.has(first.session)) {
        goAway(first.session);
    } else if (name === 'listening') {
        closing.delete(server);
        for (let at = server; at; at = Object.getPrototypeOf(at)) { // Node's own classes, only those that are in use
            if (!wrapped.has(at) && (owns(at, 'closeIdleConnections') || owns(at, 'updateSettings'))) wrap(at);
        }
    }
}

safely(() => {
    const path = env[VARIABLE], at = execArgv.lastIndexOf(path || __filename);
    delete env[VARIABLE];
    if (at > 0 && execArgv[at - 1] === '--require') execArgv.splice(at - 1, 2);
    if (!path || !send) return;
    const { Server: { prototype } } = require('net'), responses = require('http').ServerResponse.prototype;
    const { _storeHeader } = responses, parent = Object.getPrototypeOf(prototype);
    wrap(prototype);
    responses._storeHeader = function (line, all) { _storeHeader.call(this, line, all); safely(endConnection, this); };
    prototype.emit = function (name, first, second) {
        if (!safely(onEvent, this, name, first, second)) return parent.emit.apply(this, arguments);
        return process.nextTick(() => parent.emit.apply(this, arguments)) || true;
    };
});
