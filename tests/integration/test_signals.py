#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""What the service tells by itself, and that it does so before the reply that it belongs to."""

import os
import signal

import dbus_wire
import harness
from harness import OBJECT_MANAGER, PROCESS


class Signals(harness.Case):
    def during(self, function, *arguments, **values):
        """Call, and return the result with what came before the reply, as (member, body) pairs."""
        self.client.drain()
        seen = len(self.client.received)
        result = function(*arguments, **values)
        messages = self.client.received[seen:]
        reply = next(i for i, message in enumerate(messages) if message.kind == dbus_wire.METHOD_RETURN)
        return result, [(message.member, message.path, message.body) for message in messages[:reply]]

    @staticmethod
    def events(messages):
        return [body[3] for member, _, body in messages if member == 'ProcessEvent']

    @staticmethod
    def statuses(messages, path):
        return [body[1]['Status'] for member, at, body in messages
                if member == 'PropertiesChanged' and at == path and 'Status' in body[1]]

    def test_start(self):
        paths, messages = self.during(self.client.start, self.sleeper(), name='api')
        self.assertEqual(paths, ['/org/pm2/Process/0'])
        added = [body for member, path, body in messages if member == 'InterfacesAdded' and path == '/org/pm2']
        self.assertEqual(len(added), 1)
        self.assertEqual(added[0][0], paths[0])
        self.assertEqual(added[0][1][PROCESS]['Name'], 'api')
        # the order of PM2: what was asked for is told when it is done
        self.assertEqual(self.events(messages), ['online', 'start'])
        self.assertEqual(self.client.property(paths[0], 'Status'), 'online')

    def test_stop(self):
        path = self.client.start_one(self.sleeper(), name='api')
        _, messages = self.during(self.client.stop, 'api')
        self.assertEqual(self.events(messages), ['exit', 'stop'])
        self.assertEqual(self.statuses(messages, path)[-1], 'stopped')
        self.assertEqual([body[4] for member, _, body in messages if member == 'ProcessEvent'], [False, True])

    def test_restart(self):
        path = self.client.start_one(self.sleeper(), name='api')
        _, messages = self.during(self.client.restart, 'api')
        self.assertEqual(self.events(messages), ['exit', 'online', 'restart'])
        self.assertEqual(self.statuses(messages, path)[-1], 'online')
        changed = [body[1] for member, at, body in messages if member == 'PropertiesChanged' and at == path]
        self.assertEqual({key: value for change in changed for key, value in change.items()}['Pid'],
                         self.client.property(path, 'Pid'))

    def test_delete(self):
        path = self.client.start_one(self.sleeper(), name='api')
        _, messages = self.during(self.client.delete, 'api')
        self.assertEqual(self.events(messages), ['exit', 'delete'])
        removed = [body for member, at, body in messages if member == 'InterfacesRemoved' and at == '/org/pm2']
        self.assertEqual(len(removed), 1)
        self.assertEqual(removed[0][0], path)
        self.assertIn(PROCESS, removed[0][1])
        self.assertEqual(self.client.list(), [])

    def test_crash(self):
        path = self.client.start_one(self.sleeper(), name='api')
        self.client.drain()
        seen = len(self.client.received)
        os.kill(self.client.property(path, 'Pid'), signal.SIGKILL)
        body = self.client.wait_event('exit', 'api', seen)
        self.assertEqual((body[0], body[1], body[2], body[4]), (path, 0, 'api', False))
        self.assertEqual(body[5]['signal'], 'SIGKILL')
        body = self.client.wait_event('online', 'api', seen)
        self.assertEqual(body[5]['pid'], self.client.property(path, 'Pid'))

    def test_failed_start_leaves_no_object(self):
        self.client.drain()
        with self.assertRaises(harness.DBusError):
            self.client.start(self.path('missing.sh'), name='api')
        script = self.script('bad', '#!/no/such/interpreter\n')
        with self.assertRaises(harness.DBusError):
            self.client.start(script, name='api', interpreter='none')
        self.client.drain()
        added = self.client.signals('InterfacesAdded')
        removed = self.client.signals('InterfacesRemoved')
        self.assertEqual([message.body[0] for message in added], [message.body[0] for message in removed])
        self.assertEqual([path for path in self.client.managed_objects() if '/Process/' in path], [])

    def test_managed_objects_have_what_properties_say(self):
        path = self.client.start_one(self.sleeper(), name='api')
        objects = self.client.managed_objects()
        properties = objects[path][PROCESS]
        for name in ('Id', 'UniqueId', 'Name', 'Status', 'Pid', 'Owner', 'ExecPath', 'Cwd', 'CreatedTimestamp'):
            self.assertEqual(properties[name], self.client.property(path, name), name)
        self.assertRegex(properties['UniqueId'], '^[0-9a-f]{32}$')
        self.assertEqual(properties['Owner'], os.getuid())

    def test_process_count_changes_are_told(self):
        self.client.start_one(self.sleeper(), name='api')
        message = self.client.wait_message(
            lambda m: m.member == 'PropertiesChanged' and m.path == harness.MANAGER_PATH and
            ('ProcessCount' in m.body[1] or 'ProcessCount' in m.body[2]))
        self.assertEqual(message.body[0], harness.MANAGER)
        self.assertEqual(self.client.get(harness.MANAGER_PATH, harness.MANAGER, 'ProcessCount'), 1)

    def test_every_connection_gets_them(self):
        with self.daemon.connect() as other:
            other.list()
            self.client.start(self.sleeper(), name='api')
            other.wait_event('online', 'api')
            other.wait_message(lambda m: m.member == 'InterfacesAdded')

    def test_ids_begin_again_only_when_the_list_is_empty(self):
        script = self.sleeper()
        paths = [self.client.start_one(script, name=f'app-{number}') for number in range(3)]
        self.assertEqual(paths, [f'/org/pm2/Process/{number}' for number in range(3)])
        first = self.client.property(paths[0], 'UniqueId')
        self.client.delete('app-2')
        self.assertEqual(self.client.start_one(script, name='again'), '/org/pm2/Process/3')
        self.client.delete('all')
        path = self.client.start_one(script, name='new')
        self.assertEqual(path, '/org/pm2/Process/0')
        self.assertNotEqual(self.client.property(path, 'UniqueId'), first)

    def test_kill_tells_ends_and_says_so(self):
        self.expected_status = harness.EXIT_KILLED
        path = self.client.start_one(self.sleeper(), name='api')
        pid = self.client.property(path, 'Pid')
        self.client.drain()
        seen = len(self.client.received)
        self.client.manager_call('Kill', 'a{sv}', {})
        self.assert_gone([pid])
        killed = self.client.signals('Killed', seen)
        self.assertEqual([message.body for message in killed], [['kill']])
        self.assertEqual(self.daemon.wait_exit(), harness.EXIT_KILLED)
        self.assertFalse(os.path.exists(self.daemon.socket_path))

    def test_termination_says_so(self):
        self.client.start_one(self.sleeper(), name='api')
        self.client.drain()
        self.daemon.process.send_signal(signal.SIGTERM)
        message = self.client.wait_message(lambda m: m.member == 'Killed')
        self.assertEqual(message.body, ['signal'])
        self.assertEqual(self.daemon.wait_exit(), 0)

    def test_list_has_the_documented_keys_in_order_and_type(self):
        self.client.start_one(self.sleeper(), name='api')
        reply = self.client.call_message(harness.MANAGER_PATH, harness.MANAGER, 'List')
        (process,) = reply.typed_body[0]
        self.assertEqual({key: value.signature for key, value in process.items()},
                         {'name': 's', 'pid': 'u', 'pm_id': 'u', 'monit': 'a{sv}', 'pm2_env': 'a{sv}'})
        self.assertEqual(list(process), ['name', 'pid', 'pm_id', 'monit', 'pm2_env'])
        self.assertEqual([(key, value.signature) for key, value in process['monit'].value.items()],
                         [('memory', 't'), ('cpu', 'd')])
        self.assertEqual([(key, value.signature) for key, value in process['pm2_env'].value.items()],
                         [('pm_cwd', 's'), ('pm_out_log_path', 's'), ('pm_err_log_path', 's'),
                          ('exec_interpreter', 's'), ('pm_uptime', 't'), ('unstable_restarts', 'u'), ('restart_time', 'u'), ('status', 's'),
                          ('instances', 'u'), ('pm_exec_path', 's'), ('namespace', 's'), ('exec_mode', 's'),
                          ('version', 's'), ('username', 's'), ('created_at', 't')])
        # the kernel counts late
        harness.wait_until(lambda: self.client.list()[0]['monit']['memory'] > 0, 'it takes memory')

    def test_describe_has_list_and_more(self):
        self.client.start_one(self.sleeper(), name='api', env={'SECRET': 'value'})
        (listed,) = self.client.list()
        (described,) = self.client.describe('api')
        self.assertEqual({key: described[key] for key in ('name', 'pid', 'pm_id')},
                         {key: listed[key] for key in ('name', 'pid', 'pm_id')})
        self.assertLessEqual(set(listed['pm2_env']), set(described['pm2_env']))
        self.assertEqual(described['pm2_env']['kill_timeout'], 1600)
        self.assertNotIn('SECRET', str(listed))

    def test_object_manager_is_at_its_path_only(self):
        objects = self.client.call('/org/pm2', OBJECT_MANAGER, 'GetManagedObjects')
        self.assertEqual(set(objects) - {harness.MANAGER_PATH}, set())
        for path in ('/', '/org/pm2/Manager', '/org/pm2/Process'):
            with self.assertRaises(harness.DBusError):
                self.client.call(path, OBJECT_MANAGER, 'GetManagedObjects')


class SignalsCgroup(harness.Case):
    isolation = 'cgroup'

    def test_capabilities_name_the_backend(self):
        capabilities = self.client.get(harness.MANAGER_PATH, harness.MANAGER, 'Capabilities')
        self.assertEqual(capabilities['isolation'], 'cgroup')
        self.assertIs(capabilities['isolation_complete'], True)

    def test_control_group_is_where_the_process_is(self):
        path = self.client.start_one(self.sleeper(), name='api')
        group = self.client.property(path, 'ControlGroup')
        text = harness.read_file(f'/proc/{self.client.property(path, "Pid")}/cgroup')
        self.assertIn(f'0::{group}\n', text)
        folder = harness.cgroup2_mount() + group
        self.assertTrue(os.path.isdir(folder))
        self.client.delete('api')
        self.assertFalse(os.path.exists(folder))

    def test_figures_are_those_of_the_cgroup(self):
        script = self.script('busy.sh', '#!/bin/sh\n(while :; do :; done) &\nwait\n')
        path = self.client.start_one(script, name='busy')
        harness.wait_until(lambda: self.client.property(path, 'CpuUsageNSec') > 200_000_000, 'the loop used 200 ms')
        self.assertEqual(self.client.property(path, 'Tasks'), 2)
        harness.wait_until(lambda: self.client.property(path, 'CpuPercent') > 1, 'the loop shows')
        self.assertGreater(self.client.property(path, 'MemoryBytes'), 100_000)

    def test_get_process_by_pid_of_a_descendant(self):
        script = self.script('parent.sh', '#!/bin/sh\nsetsid sleep 1000 &\necho $! >child\nwait\n')
        path = self.client.start_one(script, name='parent', cwd=self.daemon.apps)
        child = int(harness.wait_file(self.path('child')))
        self.assertEqual(self.client.manager_call('GetProcessByPid', 'u', child), path)


if __name__ == '__main__':
    harness.main()
