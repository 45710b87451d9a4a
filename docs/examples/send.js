#!/usr/bin/env -S gjs -m
// SPDX-License-Identifier: LGPL-2.1-or-later
// Sends a message to the processes of an app, then has each perform an action, and prints what it returns.
//
//   pm2ctl start pm2-app.js && gjs -m send.js [--system] pm2-app

import Gio from 'gi://Gio';
import GLib from 'gi://GLib';
import System from 'system';

const words = System.programArgs.filter(word => word !== '--system');
const busType = words.length < System.programArgs.length ? Gio.BusType.SYSTEM : Gio.BusType.SESSION;
if (words.length !== 1) {
    printerr('usage: send.js [--system] TARGET');
    System.exit(2);
}
const [target] = words;
const bus = Gio.bus_get_sync(busType, null);
const call = (member, signature, values, reply) => bus.call_sync(
    'org.pm2.Manager', '/org/pm2/Manager', 'org.pm2.Manager', member, new GLib.Variant(signature, values),
    new GLib.VariantType(reply), Gio.DBusCallFlags.NONE, -1, null).recursiveUnpack();

call('SendMessage', '(ss)', [target, JSON.stringify({topic: 'hello', data: {some: 'data'}})], '(ao)');
const [answers] = call('Trigger', '(sssa{sv})', [target, 'ping', '', {}], '(a(uss))');
for (const [id, error, text] of answers) {
    print(error ? `${id}  ${error}  ${text}` : `${id}  ${JSON.stringify(JSON.parse(text))}`);
}
System.exit(answers.some(([, error]) => error) ? 1 : 0);
