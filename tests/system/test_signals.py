#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""What any program on the user's bus hears, without asking for it first."""

import subprocess

import booted
from booted import wait_until

ADDED, CHANGED, REMOVED = 'InterfacesAdded', 'PropertiesChanged', 'InterfacesRemoved'


class Signals(booted.Case):
    def monitor(self, *words):
        """A program that prints what it hears: the function that gives what it has printed."""
        path = self.path('monitor')
        with open(path, 'wb') as output:
            process = self.tester.popen(*words, stdout=output, stderr=subprocess.STDOUT)

        def end():
            process.terminate()
            process.wait(booted.TIMEOUT)

        self.addCleanup(end)
        return lambda: booted.read_file(path)

    def wait_heard(self, heard, *words):
        """Until one line has all the words; the lines so far."""
        def complete():
            return any(all(word in line for word in words) for line in heard().splitlines())

        try:
            wait_until(complete, f'a line with {words}', 20)
        except AssertionError as error:
            raise AssertionError(f'{error}; heard:\n{heard()}') from None

    def test_gdbus_monitor(self):
        self.instance.start()
        heard = self.monitor('gdbus', 'monitor', '--session', '--dest', booted.BUS_NAME)
        self.wait_heard(heard, 'is owned by')
        app = self.notebook()
        path = self.client.start_one(app, name='heard', args=[self.path('notes')])
        self.wait_lines('notes', 1)
        self.wait_heard(heard, '/org/pm2: ', ADDED, path)
        for event in ('start', 'online'):
            self.wait_heard(heard, 'org.pm2.Manager.ProcessEvent', path, "'heard'", f"'{event}'")
        self.wait_heard(heard, f'{path}: ', CHANGED, "'Status': <'online'>")
        # a crash
        self.client.send_signal('heard', 'KILL')
        self.wait_heard(heard, 'ProcessEvent', "'exit'", "'SIGKILL'")
        self.wait_heard(heard, 'ProcessEvent', "'restart'")
        self.wait_heard(heard, CHANGED, "'RestartCount': <uint32 1>")
        self.wait_lines('notes', 2)
        # a stop
        self.client.stop('heard')
        self.wait_heard(heard, 'ProcessEvent', "'stop'", 'true')
        self.wait_heard(heard, f'{path}: ', CHANGED, "'Status': <'stopped'>")
        self.assertNotIn(REMOVED, heard())
        # a delete
        self.client.delete('heard')
        self.wait_heard(heard, 'ProcessEvent', "'delete'")
        self.wait_heard(heard, '/org/pm2: ', REMOVED, path)
        # the end
        self.client.manager_call('Kill', 'a{sv}', {})
        self.wait_heard(heard, 'org.pm2.Manager.Killed', "'kill'")
        self.wait_heard(heard, 'does not have an owner')

    def test_busctl_monitor(self):
        self.instance.start()
        heard = self.monitor('busctl', '--user', '--json=short', 'monitor', booted.BUS_NAME)
        self.wait_heard(heard, 'Monitoring bus')
        self.client.start('/usr/bin/sleep', args=['1000'], name='heard')
        self.wait_heard(heard, '"ProcessEvent"', '"online"')

    def test_signals_come_before_the_reply(self):
        """Who has the reply of a command has heard what it did."""
        client = self.client
        for call in (lambda: client.start('/usr/bin/sleep', args=['1000'], name='first'),
                     lambda: client.stop('first'), lambda: client.restart('first'), lambda: client.delete('first')):
            seen = len(client.received)
            call()
            kinds = [message.kind for message in client.received[seen:]]
            self.assertEqual(kinds[-1], booted.dbus_wire.METHOD_RETURN, client.received[seen:])
            self.assertGreaterEqual(kinds.count(booted.dbus_wire.SIGNAL), 2)

    def test_object_manager(self):
        """What GetManagedObjects tells is what the objects tell."""
        for name in ('one', 'two', 'three'):
            self.client.start('/usr/bin/sleep', args=['1000'], name=name)
        objects = self.client.managed_objects()
        paths = [path for path in objects if path.startswith('/org/pm2/Process/')]
        self.assertEqual(sorted(paths), [f'/org/pm2/Process/{number}' for number in range(3)])
        for path in paths:
            self.assertEqual(objects[path][booted.PROCESS]['UniqueId'], self.client.property(path, 'UniqueId'))


if __name__ == '__main__':
    booted.main()
