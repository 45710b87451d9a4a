#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Lists the processes of pm2d and follows what happens to them.

--once ends after the list, --events after so many events; else it goes on until it is killed. --socket needs no
message bus.
"""

import argparse
import os

from gi.repository import Gio, GLib

PEER_FLAGS = Gio.DBusConnectionFlags.AUTHENTICATION_CLIENT


def connect(arguments):
    """A connection and the name of pm2d on it, None where it is at the other end itself."""
    if arguments.socket:
        path = '/run' if arguments.system else os.environ['XDG_RUNTIME_DIR']
        return Gio.DBusConnection.new_for_address_sync(f'unix:path={path}/pm2/bus', PEER_FLAGS, None, None), None
    bus = Gio.BusType.SYSTEM if arguments.system else Gio.BusType.SESSION
    return Gio.bus_get_sync(bus, None), 'org.pm2.Manager'


def show_list(connection, name):
    reply = connection.call_sync(name, '/org/pm2/Manager', 'org.pm2.Manager', 'List', None,
                                 GLib.VariantType('(aa{sv})'), Gio.DBusCallFlags.NONE, -1, None)
    processes, = reply.unpack()
    print(f'{len(processes)} processes')
    for process in processes:
        facts = process['pm2_env']
        print(f'{process["pm_id"]}  {process["name"]}  {facts["status"]}  {process["pid"]}  '
              f'{facts["restart_time"]} restarts  {process["monit"]["memory"] / 2 ** 20:.1f} MiB', flush=True)


class Follower:
    """Prints signals, and ends its loop after so many of them."""

    def __init__(self, count):
        self.left = count  # negative: no end
        self.loop = GLib.MainLoop()

    def on_event(self, _connection, _sender, _path, _interface, _signal, parameters):
        _, number, name, event, manually, details = parameters.unpack()
        self.tell(f'event    {name} ({number}) {event}{" by hand" if manually else ""} {details}')

    def on_change(self, _connection, _sender, path, _interface, _signal, parameters):
        interface, changed, _ = parameters.unpack()
        if interface == 'org.pm2.Process':
            self.tell(f'changed  {path} {changed}')

    def tell(self, text):
        if self.left != 0:
            print(text, flush=True)
            self.left -= 1
        if self.left == 0:
            self.loop.quit()


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--system', action='store_true', help='the pm2d of the system')
    parser.add_argument('--socket', action='store_true', help='the private socket in place of the bus')
    parser.add_argument('--once', action='store_true')
    parser.add_argument('--events', type=int, default=-1, metavar='COUNT')
    arguments = parser.parse_args()

    connection, name = connect(arguments)
    follower = Follower(arguments.events)
    # first the signals, then the list: so nothing is missed between them
    for interface, member, handler in (('org.pm2.Manager', 'ProcessEvent', follower.on_event),
                                       ('org.freedesktop.DBus.Properties', 'PropertiesChanged', follower.on_change)):
        connection.signal_subscribe(name, interface, member, None, None, Gio.DBusSignalFlags.NONE, handler)
    show_list(connection, name)
    if not arguments.once:
        connection.connect('closed', lambda *_: follower.loop.quit())
        follower.loop.run()


if __name__ == '__main__':
    main()
