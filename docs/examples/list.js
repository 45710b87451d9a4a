#!/usr/bin/env -S gjs -m
// SPDX-License-Identifier: LGPL-2.1-or-later
// Lists the processes of pm2d and follows what happens to them, as a desktop program would.
//
//   gjs -m list.js [--system] [--once | --events=COUNT]
//
// --once ends after the list, --events after so many events; else it goes on until it is killed.

import Gio from 'gi://Gio';
import GLib from 'gi://GLib';
import System from 'system';

let busType = Gio.BusType.SESSION;
let left = Infinity;
for (const argument of System.programArgs) {
    if (argument === '--system') {
        busType = Gio.BusType.SYSTEM;
    } else if (argument === '--once') {
        left = 0;
    } else if (argument.startsWith('--events=')) {
        left = Number(argument.slice('--events='.length));
    } else {
        printerr(`list.js: unknown option ${argument}`);
        System.exit(2);
    }
}

const PROCESS = 'org.pm2.Process';
const loop = new GLib.MainLoop(null, false);
const objects = Gio.DBusObjectManagerClient.new_for_bus_sync(
    busType, Gio.DBusObjectManagerClientFlags.NONE, 'org.pm2.Manager', '/org/pm2', null, null);

// A property of a process, from what the signals have told.
const get = (proxy, name) => proxy.get_cached_property(name)?.recursiveUnpack();
const describe = proxy => ['Id', 'Name', 'Status', 'Pid', 'RestartCount'].map(name => get(proxy, name)).join('  ');

function tell(text) {
    if (left > 0) {
        print(text);
        left -= 1;
    }
    if (left <= 0) {
        loop.quit();
    }
}

const processes = objects.get_objects().map(object => object.get_interface(PROCESS)).filter(proxy => proxy);
processes.sort((a, b) => get(a, 'Id') - get(b, 'Id'));
print(`${processes.length} processes`);
processes.forEach(proxy => print(describe(proxy)));

objects.connect('object-added', (_, object) => {
    const proxy = object.get_interface(PROCESS);
    if (proxy) {
        tell(`added    ${describe(proxy)}`);
    }
});
objects.connect('object-removed', (_, object) => {
    tell(`removed  ${object.get_object_path()}`);
});
objects.connect('interface-proxy-properties-changed', (_client, _object, proxy, changed) => {
    if (proxy.get_interface_name() === PROCESS) {
        tell(`changed  ${get(proxy, 'Name')} ${JSON.stringify(changed.recursiveUnpack())}`);
    }
});
objects.get_connection().signal_subscribe(
    'org.pm2.Manager', 'org.pm2.Manager', 'ProcessEvent', '/org/pm2/Manager', null, Gio.DBusSignalFlags.NONE,
    (_connection, _sender, _path, _interface, _signal, parameters) => {
        const [, , name, event, manually, details] = parameters.recursiveUnpack();
        tell(`event    ${name} ${event}${manually ? ' (by hand)' : ''} ${JSON.stringify(details)}`);
    });
if (left > 0) {
    loop.run();
}
