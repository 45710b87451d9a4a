#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Sends data to the processes of a name, then has each perform an action, and prints what it returns.

pm2ctl start pm2-app.js && ./send.py pm2-app
"""

import argparse
import json
import sys

from gi.repository import Gio, GLib

MANAGER = ('/org/pm2/Manager', 'org.pm2.Manager')


def call(bus, place, member, arguments, reply):
    path, interface = place
    return bus.call_sync('org.pm2.Manager', path, interface, member, arguments, GLib.VariantType(reply),
                         Gio.DBusCallFlags.NONE, -1, None).unpack()


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--system', action='store_true', help='the pm2d of the system')
    parser.add_argument('--action', default='ping')
    parser.add_argument('name')
    arguments = parser.parse_args()

    bus = Gio.bus_get_sync(Gio.BusType.SYSTEM if arguments.system else Gio.BusType.SESSION, None)
    paths, = call(bus, MANAGER, 'GetProcessesByName', GLib.Variant('(s)', (arguments.name,)), '(ao)')
    for path in paths:
        process = (path, 'org.pm2.Process')
        call(bus, process, 'SendData', GLib.Variant('(ss)', ('process:msg', json.dumps({'some': 'data'}))), '()')
    trigger = GLib.Variant('(sssa{sv})', (f'name:{arguments.name}', arguments.action, '', {}))
    answers, = call(bus, MANAGER, 'Trigger', trigger, '(a(uss))')
    for number, error, text in answers:
        print(f'{number}  {error}  {text}' if error else f'{number}  {json.loads(text)}')
    sys.exit(any(error for _, error, _ in answers))


if __name__ == '__main__':
    try:
        main()
    except GLib.Error as failure:
        sys.exit(failure.message)
