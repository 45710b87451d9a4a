#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Apps of several processes: how they are made, told apart, added and taken away; Reload and Reset."""

import json
import os
import pathlib
import signal

import harness
from harness import V, wait_until

# Says what it is told of itself, whole, and stays.
TELL = '''#!/bin/sh
echo "$NODE_APP_INSTANCE of $instances: $V" >told.$pm_id.new
mv told.$pm_id.new told.$pm_id
exec sleep 1000
'''


def on_one_cpu():
    os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})


class Case(harness.Case):
    def start(self, count=None, name='app', **attributes):
        given = {} if count is None else {'instances': count}
        return self.client.start(self.script('tell.sh', TELL), name=name, cwd=self.daemon.apps, **given, **attributes)

    def scale(self, target, count, **values):
        return self.client.manager_call('Scale', 'ssa{sv}', target, str(count), harness.options(**values))

    def reconnect(self):
        self._client = wait_until(self.daemon.try_connect, 'the successor answers')

    def numbers(self):
        """The instance number of each id."""
        return {process['pm_id']: self.client.property(f'/org/pm2/Process/{process["pm_id"]}', 'Instance')
                for process in self.client.list()}

    def told(self, number):
        return harness.wait_file(self.path(f'told.{number}')).strip()

    def counts(self):
        return {process['pm2_env']['instances'] for process in self.client.list()}

    def ids(self, paths):
        return [int(path.rpartition('/')[2]) for path in paths]


class Instances(Case):
    """The attribute, where an app is declared."""

    def test_instances(self):
        paths = self.start(3)
        self.assertEqual(self.ids(paths), [0, 1, 2])
        self.assertEqual(self.numbers(), {0: 0, 1: 1, 2: 2})
        for number, path in enumerate(paths):
            self.assertEqual(self.told(number), f'{number} of 3:')
            properties = self.client.properties(path)
            self.assertEqual((properties['Status'], properties['Instances']), ('online', 3))
            for name, file in (('OutLogPath', f'app-out-{number}.log'), ('ErrorLogPath', f'app-error-{number}.log'),
                               ('PidPath', f'app-{number}.pid')):
                self.assertTrue(properties[name].endswith('/' + file), properties[name])
        self.assertEqual(self.counts(), {3})
        self.assertEqual(self.client.call(paths[0], harness.PROCESS, 'GetConfig')['instances'], 3)
        self.assertEqual(len({self.client.property(path, 'Pid') for path in paths}), 3)

    def test_logs_are_merged_where_that_is_said(self):
        paths = self.start(2, merge_logs=True)
        self.assertEqual(len({self.client.property(path, 'OutLogPath') for path in paths}), 1)
        plain = self.start(name='plain')[0]
        self.assertTrue(self.client.property(plain, 'OutLogPath').endswith('/plain-out.log'))

    def test_one_for_each_processor(self):
        cpus = len(os.sched_getaffinity(0))
        for number, (value, expected) in enumerate((('max', cpus), (0, cpus), ('0', cpus), (-1, max(cpus - 1, 1)),
                                                    (-1000, 1), ('2', 2))):
            with self.subTest(value):
                paths = self.start(value, name=f'app-{number}')
                self.assertEqual(len(paths), expected)
                self.assertEqual(self.client.property(paths[0], 'Instances'), expected)

    def test_processors_are_those_that_we_may_use(self):
        self._daemon = self.new_daemon(preexec=on_one_cpu)
        self._daemon.start()
        self.assertEqual(len(self.start('max')), 1)

    def test_wrong_values(self):
        for value in (1025, -1025, 1.5, 'many', 'MAX', '', True, 10**12):
            with self.subTest(value):
                self.assert_dbus_error('InvalidConfig', self.start, value, mentions='instances: ')
        self.assert_dbus_error('InvalidConfig', self.start, 2, exec_mode='cluster', mentions='exec_mode: ')
        self.assertEqual(self.client.list(), [])

    def test_what_exists(self):
        self.start(2)
        self.assert_dbus_error('AlreadyExists', self.start, 2, mentions="'app'")
        self.assertEqual(len(self.client.list()), 2)
        self.assertEqual(self.ids(self.start(2, force=True)), [2, 3])
        self.assertEqual(self.numbers(), {0: 0, 1: 1, 2: 2, 3: 3})
        self.client.stop('app')
        self.assertEqual(self.ids(self.start(3)), [0, 1, 2])
        self.assertEqual({process['pm2_env']['status'] for process in self.client.list()}, {'online'})
        self.client.stop('app')
        self.assertEqual(self.ids(self.start(4)), [0, 1, 2, 4])
        self.client.stop('app')
        self.assertEqual(self.ids(self.start()), [0, 1, 2, 4])  # it says nothing of their number

    def test_registered_and_not_started(self):
        self.assertEqual(len(self.start(2, start=False)), 2)
        self.assertEqual({process['pm2_env']['status'] for process in self.client.list()}, {'stopped'})
        self.assertEqual(len(self.client.start('app')), 2)
        self.assertEqual({process['pm2_env']['status'] for process in self.client.list()}, {'online'})

    def test_the_number_is_no_change_of_one(self):
        path = self.start(2)[0]
        for call in (self.client.restart, self.client.stop):
            if call == self.client.stop:
                call('app')
                call = self.client.start
            self.assert_dbus_error('NotSupported', call, 'app', instances=3, mentions=('instances: ', 'Scale'))
            call('app', instances=2, max_restarts=3)
        self.assert_dbus_error('NotSupported', self.client.manager_call, 'SetProperties', 'sa{sv}', 'app',
                               harness.options(instances=3), mentions=('instances: ', 'Scale'))
        self.assertEqual(self.client.call(path, harness.PROCESS, 'GetConfig')['max_restarts'], 3)
        self.assertEqual(len(self.client.list()), 2)

    def test_one_that_fails_is_told_apart(self):
        os.mkdir(self.path('x-1.log'))
        with self.assertRaises(harness.DBusError) as caught:
            self.start(3, out_file=self.path('x.log'))
        self.assertEqual(caught.exception.name, harness.PM2_ERROR + 'PartialFailure')
        self.assertRegex(str(caught.exception), r'/org/pm2/Process/1: SpawnFailed: .*x-1\.log')
        self.assertEqual(self.numbers(), {0: 0, 2: 2})
        self.assertEqual(self.counts(), {2})
        os.rmdir(self.path('x-1.log'))
        self.assertEqual(self.ids(self.scale('app', '+1')), [0, 2, 3])
        self.assertEqual(self.numbers(), {0: 0, 2: 2, 3: 1})

    def test_increment_var(self):
        self.start(3, increment_var='V', env=V('a{ss}', {'V': '3000'}))
        self.assertEqual([self.told(number) for number in range(3)],
                         ['0 of 3: 3000', '1 of 3: 3001', '2 of 3: 3002'])
        self.client.delete('id:0')
        self.scale('app', '+1')
        self.assertEqual(self.told(3), '0 of 3: 3003')
        self.assertEqual(len(self.start(2, name='other', increment_var='V')), 2)
        self.assertEqual([self.told(number) for number in (4, 5)], ['0 of 2: 0', '1 of 2: 1'])
        os.remove(self.path('told.3'))
        self.client.restart('id:3')
        self.assertEqual(self.told(3), '0 of 3: 3003')
        os.remove(self.path('told.2'))
        self.client.start_json({'name': 'app', 'script': 'tell.sh', 'increment_var': 'V', 'env': {'V': 5}},
                               cwd=self.daemon.apps)
        self.assertEqual(self.told(2), '2 of 3: 3002')
        self.assert_dbus_error('InvalidConfig', self.start, name='bad', increment_var='a=b', mentions='increment_var: ')

    def test_they_are_taken_over(self):
        paths = self.start(3)
        self.client.delete('id:1')
        self.pm2ctl('daemon-reexec')
        self.reconnect()
        self.assertEqual(self.client.property(paths[0], 'Instances'), 2)
        self.assertEqual(self.numbers(), {0: 0, 2: 2})
        self.assertEqual(self.ids(self.scale('app', 3)), [0, 2, 3])
        self.assertEqual(self.numbers()[3], 1)

    def test_saved_and_brought_back(self):
        self.start(3)
        self.pm2ctl('save')
        self.client.delete('all')
        self.pm2ctl('resurrect')
        self.assertEqual(self.numbers(), {0: 0, 1: 1, 2: 2})
        self.assertEqual(self.counts(), {3})
        self.assertTrue(self.client.property('/org/pm2/Process/1', 'OutLogPath').endswith('/app-out-1.log'))
        self.pm2ctl('resurrect')
        self.assertEqual(len(self.client.list()), 3)

    def test_a_name_that_changes(self):
        one, other = self.start(2)
        self.client.restart('id:1', name='renamed')
        self.assertEqual([self.client.property(path, 'Instances') for path in (one, other)], [1, 1])

    def test_many_are_counted_soon(self):
        paths = self.client.start(self.sleeper(), name='many', instances=40)
        self.assertEqual(self.counts(), {40})
        self.client.delete('id:7')
        self.client.wait_property(paths[0], 'Instances', 39)
        self.assertEqual(self.counts(), {39})
        self.client.delete('all')


class Limited(Case):
    settings = 'processes_max=3'

    def test_no_room_means_none(self):
        self.assert_dbus_error('LimitExceeded', self.start, 4, mentions='processes_max')
        self.assertEqual(self.client.list(), [])
        self.start(2)
        self.assert_dbus_error('LimitExceeded', self.scale, 'app', '+2', mentions='processes_max')
        self.assert_dbus_error('LimitExceeded', self.client.start_json,
                               {'name': 'app', 'script': self.path('tell.sh'), 'instances': 4}, mentions='processes_max')
        result = self.client.manager_call('Validate', 'sa{sv}', json.dumps(
            {'name': 'app', 'script': self.path('tell.sh'), 'instances': 4}), {})
        self.assertIn('processes_max', result['errors'][0])
        self.assertEqual(len(self.client.list()), 2)
        self.assertEqual(len(self.scale('app', '+1')), 3)


class Documents(Case):
    def document(self, **attributes):
        self.script('tell.sh', TELL)
        return {'name': 'app', 'script': self.path('tell.sh'), 'cwd': self.daemon.apps, **attributes}

    def planned(self, **attributes):
        result = self.client.manager_call('Validate', 'sa{sv}', json.dumps(self.document(**attributes)), {})
        self.assertTrue(result['ok'], result)
        return {key: value for key, value in result['apps'][0].items() if key in ('action', 'instances', 'ids', 'removed')}

    def apply(self, **attributes):
        return self.ids(self.client.start_json(self.document(**attributes)))

    def pids(self):
        return {process['pm_id']: process['pid'] for process in self.client.list()}

    def test_up_and_down(self):
        self.assertEqual(self.planned(instances=2), {'action': 'start', 'instances': 2})
        self.assertEqual(self.apply(instances=2), [0, 1])
        first = self.pids()
        self.assertEqual(self.planned(instances=4), {'action': 'restart', 'instances': 4, 'ids': [0, 1]})
        self.assertEqual(self.apply(instances=4), [0, 1, 2, 3])
        second = self.pids()
        self.assertEqual(sorted(second), [0, 1, 2, 3])
        self.assertFalse(set(first.values()) & set(second.values()))
        self.client.delete('id:0')
        self.assertEqual(self.planned(instances=2),
                         {'action': 'restart', 'instances': 2, 'ids': [1, 2], 'removed': [3]})
        self.assertEqual(self.apply(instances=2), [1, 2])
        self.assertEqual(self.numbers(), {1: 1, 2: 2})
        self.assertEqual(self.planned(), {'action': 'restart', 'instances': 2, 'ids': [1, 2]})
        self.assertEqual(self.apply(), [1, 2])
        self.assertEqual(self.counts(), {2})

    def test_of_what_is_not_started(self):
        self.assertEqual(self.apply(instances=3, autostart=False), [0, 1, 2])
        self.assertEqual(self.planned(instances=2, autostart=False),
                         {'action': 'reconfigure', 'instances': 2, 'ids': [0, 1], 'removed': [2]})
        self.assertEqual(self.apply(instances=2, autostart=False), [0, 1])
        self.assertEqual({process['pm2_env']['status'] for process in self.client.list()}, {'stopped'})

    def test_nothing_is_touched_where_one_is_wrong(self):
        self.apply(instances=2)
        pids = self.pids()
        self.assert_dbus_error('InvalidConfig', self.client.start_json,
                               [self.document(instances=5), {'name': 'bad', 'script': '/no/such'}])
        self.assertEqual(self.pids(), pids)

    def test_pm2ctl_tells(self):
        pathlib.Path(self.path('apps.json')).write_text(json.dumps(self.document(instances=3)), encoding='utf-8')
        self.assertIn('processes: 0 → 3', self.pm2ctl('validate', self.path('apps.json')).stdout)
        self.pm2ctl('start', self.path('apps.json'))
        pathlib.Path(self.path('apps.json')).write_text(json.dumps(self.document(instances=1)), encoding='utf-8')
        self.assertIn('processes: 3 → 1', self.pm2ctl('validate', self.path('apps.json')).stdout)


class Scale(Case):
    def test_up_and_down(self):
        self.start(env=V('a{ss}', {'V': 'of the first'}))
        self.assertEqual(self.ids(self.scale('app', 3)), [0, 1, 2])
        self.assertEqual([self.told(number) for number in (1, 2)], ['1 of 3: of the first', '2 of 3: of the first'])
        self.assertEqual(self.counts(), {3})
        pids = {self.client.property(f'/org/pm2/Process/{number}', 'Pid') for number in range(3)}
        self.assertEqual(self.ids(self.scale('app', '+1')), [0, 1, 2, 3])
        self.assertEqual(self.ids(self.scale('id:2', '-2')), [0, 1])
        self.assertEqual(self.numbers(), {0: 0, 1: 1})
        self.assertEqual(self.ids(self.scale('/org/pm2/Process/1', '2')), [0, 1])
        self.assertEqual(self.ids(self.scale('app', '-0')), [0, 1])
        self.assertLess({self.client.property(f'/org/pm2/Process/{number}', 'Pid') for number in range(2)}, pids)
        self.assertEqual({process['pm2_env']['restart_time'] for process in self.client.list()}, {0})
        # Log files stay as they are: it is no other configuration.
        self.assertTrue(self.client.property('/org/pm2/Process/1', 'OutLogPath').endswith('/app-out.log'))

    def test_the_highest_numbers_go(self):
        self.start(3)
        self.client.delete('id:0')
        self.scale('app', '+1')
        self.assertEqual(self.numbers(), {1: 1, 2: 2, 3: 0})
        self.assertEqual(self.ids(self.scale('app', 1)), [3])

    def test_what_is_stopped_counts(self):
        self.start(2)
        self.client.stop('app')
        self.assertEqual(self.ids(self.scale('app', 3)), [0, 1, 2])
        statuses = {process['pm_id']: process['pm2_env']['status'] for process in self.client.list()}
        self.assertEqual(statuses, {0: 'stopped', 1: 'stopped', 2: 'online'})

    def test_wrong_counts(self):
        self.start(2)
        for count in ('0', '-2', '-5', '1025', '+1023', '', '+', '-', 'max', '1.5', '++1', ' 1', '1 ', '99999999999'):
            with self.subTest(count):
                self.assert_dbus_error(harness.DBUS_ERROR + 'InvalidArgs', self.scale, 'app', count, mentions='count: ')
        self.assert_dbus_error(harness.DBUS_ERROR + 'InvalidArgs', self.scale, 'app', 1, instances=3,
                               mentions="'instances'")
        self.assertEqual(len(self.client.list()), 2)

    def test_one_app_at_a_time(self):
        self.assert_dbus_error('NoSuchProcess', self.scale, 'all', 2)
        self.start(name='a')
        self.assertEqual(len(self.scale('all', 2)), 2)
        self.start(name='b')
        for target in ('all', '/./', 'default'):
            self.assert_dbus_error(harness.DBUS_ERROR + 'InvalidArgs', self.scale, target, 2,
                                   mentions=('target: ', "'a'", "'b'"))
        self.assert_dbus_error('NoSuchProcess', self.scale, 'nobody', 2)
        self.assertEqual(len(self.client.list()), 3)

    def test_files_are_looked_at_before(self):
        self.start()
        os.remove(self.path('tell.sh'))
        self.assert_dbus_error('InvalidConfig', self.scale, 'app', 2, mentions='script: ')
        self.assertEqual(self.ids(self.scale('app', 1)), [0])

    def test_what_is_being_deleted_is_gone_already(self):
        stubborn = self.script('stubborn.sh', "#!/bin/sh\ntrap '' INT\necho ready\nwhile :; do sleep 0.05; done\n")
        paths = self.client.start(stubborn, name='app', instances=2, kill_timeout=100_000)
        for path in paths:
            harness.wait_file(self.client.property(path, 'OutLogPath'))
        self.client.delete('id:1', wait=False)
        self.assertEqual(self.ids(self.scale('app', 2)), [0, 2])
        self.assertEqual(self.numbers(), {0: 0, 1: 1, 2: 2})
        self.client.send_signal('id:1', 'KILL')
        wait_until(lambda: len(self.client.list()) == 2, 'the deleted one is gone')
        self.client.delete('app', wait=False)
        self.assert_dbus_error('NoSuchProcess', self.scale, 'app', '+1')
        self.client.send_signal('all', 'KILL')
        wait_until(lambda: not self.client.list(), 'all are gone')

    def test_it_is_told(self):
        path = self.start(1)[0]
        self.client.property(path, 'Instances')
        seen = len(self.client.received)
        self.scale('app', 2)
        changes = [message.body[1] for message in self.client.received[seen:]
                   if message.member == 'PropertiesChanged' and message.path == path]
        self.assertIn({'Instances': 2}, changes)  # before the reply
        self.assertEqual([event for event, _ in self.client.events('app', seen)], ['online', 'start'])
        seen = len(self.client.received)
        self.scale('app', 1)
        changes = [message.body[1] for message in self.client.received[seen:]
                   if message.member == 'PropertiesChanged' and message.path == path]
        self.assertEqual(changes, [{'Instances': 1}])
        self.assertEqual([event for event, _ in self.client.events('app', seen)], ['exit', 'delete'])

    def test_pm2ctl(self):
        script = self.script('tell.sh', TELL)
        self.pm2ctl('start', script, '--name', 'app', '-i', '3')
        self.assertEqual(len(self.client.list()), 3)
        self.assertIn('app (0) is there', self.pm2ctl('scale', 'app', '4').stdout)
        self.assertEqual(len(self.client.list()), 4)
        self.assertEqual(len(json.loads(self.pm2ctl('scale', 'app', '-2', '--json').stdout)), 2)
        self.pm2ctl('scale', 'app', '+1')
        self.assertEqual(len(self.client.list()), 3)
        result = self.pm2ctl('scale', 'app', '0', status=1)
        self.assertIn("count: '0'", result.stderr)
        self.pm2ctl('scale', 'app', status=2)
        self.pm2ctl('scale', 'nobody', '3', status=4)


class Reset(Case):
    def reset(self, target, **values):
        return self.client.manager_call('Reset', 'sa{sv}', target, harness.options(**values))

    def test_counts_begin_anew_and_are_kept(self):
        path = self.start()[0]
        self.client.restart('app')
        pid = self.client.property(path, 'Pid')
        before = self.client.properties(path)
        seen = len(self.client.received)
        self.assertEqual(self.reset('app'), [path])
        changed = {}
        for message in self.client.received[seen:]:
            if message.member == 'PropertiesChanged':
                changed.update(message.body[1])
        self.assertEqual(set(changed), {'RestartCount', 'CreatedTimestamp'})
        self.assertEqual((before['RestartCount'], changed['RestartCount']), (1, 0))
        self.assertGreater(changed['CreatedTimestamp'], before['CreatedTimestamp'])
        self.pm2ctl('daemon-reexec')
        self.reconnect()
        after = self.client.properties(path)
        self.assertEqual((after['RestartCount'], after['CreatedTimestamp'], after['Pid']),
                         (0, changed['CreatedTimestamp'], pid))
        events = self.client.manager_call('RecentEvents', 'su', 'app', 0)
        self.assertEqual([event['verb'] for event in events if 'verb' in event][-1], 'reset')

    def test_unstable_restarts(self):
        script = self.script('once.sh', '#!/bin/sh\n[ -e twice ] && exec sleep 1000\n[ -e once ] && >twice\n>once\nexit 1\n')
        path = self.client.start_one(script, name='app', cwd=self.daemon.apps, min_uptime=100_000, wait=False)
        self.client.wait_property(path, 'UnstableRestarts', 2)
        self.client.wait_status(path, 'online')
        self.assertEqual(self.client.call(path, harness.PROCESS, 'Reset', 'a{sv}', {}), [path])
        self.assertEqual([self.client.property(path, name) for name in ('UnstableRestarts', 'RestartCount')], [0, 0])

    def test_pm2ctl(self):
        self.start(2)
        self.client.restart('app')
        self.assertIn('app (1) counts from 0', self.pm2ctl('reset', 'app').stdout)
        self.assertEqual({process['pm2_env']['restart_time'] for process in self.client.list()}, {0})
        self.assert_dbus_error('NoSuchProcess', self.reset, 'nobody')
        self.assert_dbus_error(harness.DBUS_ERROR + 'InvalidArgs', self.reset, 'app', max_restarts=3,
                               mentions="'max_restarts'")


class Reload(Case):
    def reload(self, target, **values):
        return self.client.manager_call('Reload', 'sa{sv}', target, harness.options(**values))

    def test_fork_mode_is_restarted(self):
        paths = self.start(2)
        pids = [self.client.property(path, 'Pid') for path in paths]
        self.assertEqual(self.reload('app', max_restarts=7), paths)
        self.assertFalse(set(pids) & {self.client.property(path, 'Pid') for path in paths})
        self.assertEqual([self.client.property(path, 'RestartCount') for path in paths], [1, 1])
        self.assertEqual(self.client.call(paths[1], harness.PROCESS, 'GetConfig')['max_restarts'], 7)
        self.assertFalse(any(harness.is_alive(pid) for pid in pids))
        self.assertEqual(self.client.call(paths[0], harness.PROCESS, 'Reload', 'a{sv}', {}), [paths[0]])
        self.assertEqual([self.client.property(path, 'RestartCount') for path in paths], [2, 1])
        self.assert_dbus_error('NoSuchProcess', self.reload, 'nobody')

    def test_what_is_stopped_is_started(self):
        path = self.start()[0]
        self.client.stop('app')
        self.reload('app')
        self.assertEqual((self.client.property(path, 'Status'), self.client.property(path, 'RestartCount')),
                         ('online', 0))

    def test_pm2ctl(self):
        path = self.start()[0]
        self.told(0)
        self.assertIn('app (0) reloaded', self.pm2ctl('reload', 'app', '--env', 'V=new').stdout)
        wait_until(lambda: self.told(0) == '0 of 1: new', 'the new one has the new environment')
        self.assertEqual(self.client.property(path, 'RestartCount'), 1)
        document = {'name': 'app', 'script': self.path('tell.sh'), 'cwd': self.daemon.apps}
        pathlib.Path(self.path('apps.json')).write_text(json.dumps(document), encoding='utf-8')
        self.assertIn('app (0) reloaded', self.pm2ctl('reload', self.path('apps.json')).stdout)
        self.assertEqual(self.client.property(path, 'RestartCount'), 2)


class Crashes(Case):
    """One of several that ends is that one alone."""

    def test_only_one_is_restarted(self):
        paths = self.start(3)
        pids = [self.client.property(path, 'Pid') for path in paths]
        os.kill(pids[1], signal.SIGKILL)
        self.client.wait_property(paths[1], 'Pid', lambda pid: pid not in (0, pids[1]))
        self.assertEqual([self.client.property(path, 'Pid') for path in paths[::2]], pids[::2])
        self.assertEqual([self.client.property(path, 'RestartCount') for path in paths], [0, 1, 0])
        self.assertEqual(self.numbers(), {0: 0, 1: 1, 2: 2})


if __name__ == '__main__':
    harness.main()
