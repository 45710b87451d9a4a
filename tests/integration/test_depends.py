#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""depends_on: who waits for whom, what a failure brings, and in which order all of it is stopped."""

import os
import signal

import harness
from harness import DBusError, read_file, wait_file, wait_until

# Says that it is ready when there is a file of its name; its channel stays open.
GATED = '''#!/bin/sh
while [ ! -e "$GATES/$name" ]; do sleep 0.02; done
echo '"ready"' >&$NODE_CHANNEL_FD
exec sleep 1000
'''
# Writes down that it came, and that it goes.
RECORDS = '''#!/bin/sh
echo "+$name" >> "$GATES/order"
trap 'echo "-$name" >> "$GATES/order"; exit 0' TERM
echo '"ready"' >&$NODE_CHANNEL_FD
while :; do sleep 1000 & wait; done
'''
# It does not end at SIGINT.
STUBBORN = '''#!/bin/sh
trap "" INT
echo '"ready"' >&$NODE_CHANNEL_FD
exec sleep 1000
'''
# A job that goes on to its end when there is a file of its name, which has its exit code.
JOB = '''#!/bin/sh
while [ ! -e "$GATES/$name" ]; do sleep 0.02; done
exit $(cat "$GATES/$name")
'''


class Depends(harness.Case):
    def app(self, name, *depends_on, **values):
        if len(depends_on) == 1 and isinstance(depends_on[0], dict):
            depends_on = depends_on[0]
        return {'name': name, 'script': self.sleeper(), 'env': {'GATES': self.daemon.apps},
                **({'depends_on': depends_on} if depends_on else {}), **values}

    def gated(self, name, *depends_on, **values):
        return self.app(name, *depends_on, **{'script': self.script('gated.sh', GATED), 'wait_ready': True,
                                              'listen_timeout': 60000, **values})

    def recording(self, name, *depends_on, **values):
        return self.app(name, *depends_on, script=self.script('records.sh', RECORDS), wait_ready=True,
                        kill_signal='SIGTERM', listen_timeout=60000, **values)

    def job(self, name, *depends_on, **values):
        return self.app(name, *depends_on, script=self.script('job.sh', JOB), autorestart=False, **values)

    def failing(self, name, *depends_on, **values):
        """It can never be ready."""
        return self.app(name, *depends_on, **{'script': self.script('fails.sh', '#!/bin/sh\nexit 3\n'),
                                              'wait_ready': True, 'autorestart': False, **values})

    def stubborn(self, name, *depends_on):
        return self.app(name, *depends_on, script=self.script('stubborn.sh', STUBBORN), wait_ready=True,
                        listen_timeout=60000, kill_timeout=600000)

    def open_gate(self, name, text=''):
        self.script(name, text)

    def order(self, lines):
        return wait_file(self.path('order'), lambda text: text.count('\n') >= lines).split()

    def status(self, name):
        return self.client.describe(name)[0]['pm2_env']['status']

    def facts(self):
        """name -> (status, why)."""
        return {process['name']: (process['pm2_env']['status'], self.reason(process['pm_id']))
                for process in self.client.list()}

    def path_of(self, name):
        return f'/org/pm2/Process/{self.client.describe(name)[0]["pm_id"]}'

    def reason(self, pm_id):
        return self.client.property(f'/org/pm2/Process/{pm_id}', 'LastReason')

    def wait_reason(self, name, text):
        self.client.wait_property(self.path_of(name), 'LastReason', lambda reason: text in reason)

    def wait_status(self, name, status):
        self.client.wait_status(self.path_of(name), status)


class Order(Depends):
    def test_waits_until_it_is_ready(self):
        """depends_on, declared in any order: who waits is launching, says for what, and has no process."""
        self.client.start_json([self.app('web', 'db', 'cache'), self.gated('db'), self.app('cache')], wait=False)
        self.wait_reason('web', "waits for 'db' (ready)")
        self.wait_status('cache', 'online')
        path = self.path_of('web')
        self.assertEqual((self.client.property(path, 'Status'), self.client.property(path, 'Pid')), ('launching', 0))
        self.open_gate('db')
        self.wait_status('web', 'online')
        self.assertEqual(self.reason(0), 'started by command')

    def test_the_call_waits_for_all(self):
        self.open_gate('db')
        paths = self.client.start_json([self.app('web', 'db'), self.gated('db')])
        self.assertEqual([self.client.property(path, 'Status') for path in paths], ['online'] * 2)

    def test_started_does_not_wait_for_readiness(self):
        self.client.start_json([self.app('web', {'db': 'started'}), self.gated('db')], wait=False)
        self.wait_status('web', 'online')
        self.assertEqual(self.status('db'), 'launching')

    def test_completed(self):
        job = self.job('migrate')
        self.client.start_json([self.app('web', {'migrate': {'condition': 'service_completed_successfully'}}), job],
                               wait=False)
        self.wait_status('migrate', 'online')
        self.wait_reason('web', "waits for 'migrate' (completed)")
        self.open_gate('migrate', '0')
        self.wait_status('web', 'online')
        # what has been done is not done again
        self.client.stop('web')
        self.client.start('web')
        self.assertEqual(self.client.describe('migrate')[0]['pm2_env']['status'], 'stopped')

    def test_healthy(self):
        check = {'exec': [self.script('well.sh', '#!/bin/sh\ntest -e "$GATES/well"\n')], 'interval': 100}
        self.client.start_json([self.app('web', {'db': 'healthy'}), self.app('db', health={**check, 'retries': 1000})],
                               wait=False)
        self.wait_reason('web', "waits for 'db' (healthy)")
        self.wait_status('db', 'online')
        self.assertEqual(self.status('web'), 'launching')
        self.open_gate('well')
        self.wait_status('web', 'online')

    def test_all_instances_of_it(self):
        self.client.start_json([self.gated('db', instances=2, env={'GATES': self.daemon.apps, 'instance_var': 'x'}),
                                self.app('web', 'db')], wait=False)
        self.wait_reason('web', "waits for 'db' (ready)")
        self.open_gate('db')
        self.wait_status('web', 'online')

    def test_a_restart_of_both_keeps_the_order(self):
        self.client.start_json([self.recording('web', 'db'), self.recording('db')])
        self.assertEqual(self.order(2), ['+db', '+web'])
        self.client.restart('all')
        order = self.order(6)
        self.assertLess(order.index('+db', 2), order.index('+web', 2))

    def test_an_automatic_restart_does_not_wait(self):
        self.client.start_json([self.app('db'), self.app('web', 'db')])
        self.client.stop('db')
        path = self.path_of('web')
        pid = self.client.property(path, 'Pid')
        os.kill(pid, signal.SIGKILL)
        self.client.wait_property(path, 'Pid', lambda now: now not in (0, pid))
        self.wait_status('web', 'online')

    def test_a_restart_of_one_touches_no_other(self):
        self.client.start_json([self.app('db'), self.app('web', 'db')])
        pid = self.client.property(self.path_of('web'), 'Pid')
        self.client.restart('db')
        self.assertEqual(self.client.property(self.path_of('web'), 'Pid'), pid)

    def test_what_rests_is_started_too(self):
        self.client.start_json([self.app('db', autostart=False), self.app('cache', 'db', autostart=False),
                                self.app('web', 'cache', autostart=False)])
        self.client.start('web')
        self.assertEqual([self.status(name) for name in ('db', 'cache', 'web')], ['online'] * 3)
        self.assertEqual(self.reason(0), 'started as a dependency')

    def test_what_a_person_has_stopped_is_not(self):
        self.client.start_json([self.app('db'), self.app('cache', 'db'), self.app('web', 'cache')])
        self.client.stop('all')
        for name, word in ('web', "'cache' was stopped by hand"), ('cache', "'db' was stopped by hand"):
            self.assert_dbus_error('NotOnline', self.client.start, name, mentions=('depends_on', word))
            self.assertEqual(self.status(name), 'stopped')
        self.client.start('all')  # all of them in one call

    def test_a_stop_ends_the_wait(self):
        self.client.start_json([self.gated('db'), self.app('web', 'db')], wait=False)
        self.wait_reason('web', 'waits for')
        self.client.stop('web')
        self.assertEqual(self.status('web'), 'stopped')
        self.open_gate('db')
        self.wait_status('db', 'online')
        self.assertEqual(self.status('web'), 'stopped')

    def test_a_delete_ends_the_wait(self):
        self.client.start_json([self.gated('db'), self.app('web', 'db')], wait=False)
        self.client.delete('web')
        self.assertEqual([process['name'] for process in self.client.list()], ['db'])

    def test_a_restart_begins_the_wait_anew(self):
        self.client.start_json([self.gated('db'), self.app('web', 'db'), self.app('other')], wait=False)
        self.wait_reason('web', 'waits for')
        self.client.restart('web', depends_on=['other'])
        self.assertEqual(self.status('web'), 'online')

    def test_a_change_of_what_it_waits_for(self):
        self.client.start_json([self.gated('db'), self.app('web', 'db'), self.app('job', autostart=False)], wait=False)
        self.wait_reason('web', 'waits for')
        self.client.manager_call('SetProperties', 'sa{sv}', 'web', harness.options(depends_on=['job']))
        self.wait_status('web', 'online')
        self.assertEqual(self.status('job'), 'online')

    def test_a_reload_does_not_wait(self):
        self.client.start_json([self.app('db'), self.app('web', 'db')])
        self.client.stop('db')
        pid = self.client.property(self.path_of('web'), 'Pid')
        self.client.manager_call('Reload', 'sa{sv}', 'web', {})
        self.assertNotIn(self.client.property(self.path_of('web'), 'Pid'), (0, pid))

    def test_pm2_sees_it_as_launching(self):
        self.client.start_json([self.gated('db'), self.app('web', 'db')], wait=False)
        self.wait_reason('web', 'waits for')
        self.assertEqual({p['name']: p['pm2_env']['status'] for p in self.client.list()},
                         {'db': 'launching', 'web': 'launching'})


class Failures(Depends):
    def start(self, *apps):
        with self.assertRaises(DBusError) as caught:
            self.client.start_json(list(apps))
        return caught.exception

    def test_a_failure_blocks_its_dependents_only(self):
        error = self.start(self.app('web', 'api'), self.app('api', 'db'), self.failing('db'), self.app('other'),
                           self.app('more', 'other'))
        self.assertTrue(error.name.endswith('PartialFailure'))
        lines = error.message.split('\n')
        self.assertEqual([line.split(':')[0] for line in sorted(lines)], [f'/org/pm2/Process/{i}' for i in range(3)])
        facts = self.facts()
        self.assertEqual({name: status for name, (status, _) in facts.items()},
                         {'web': 'errored', 'api': 'errored', 'db': 'stopped', 'other': 'online', 'more': 'online'})
        for name in 'web', 'api':  # the root of it
            self.assertEqual(facts[name][1], "dependency 'db' failed: exited with code 3 before it was ready")

    def test_what_cannot_be_executed(self):
        """It stays in the list, for others to point at."""
        bad = self.script('bad.sh', 'not a program\n')
        self.start(self.app('web', 'db'), self.app('db', script=bad, interpreter='none'))
        facts = self.facts()
        self.assertEqual([facts[name][0] for name in ('web', 'db')], ['errored'] * 2)
        self.assertIn("dependency 'db' failed: ", facts['web'][1])

    def test_unhealthy(self):
        check = {'exec': ['/bin/false'], 'interval': 100, 'retries': 2}
        self.start(self.app('web', {'db': 'healthy'}), self.app('db', health=check))
        self.assertEqual(self.facts()['web'], ('errored', "dependency 'db' failed: unhealthy: exec: exited with code 1"))
        self.assertEqual(self.status('db'), 'online')

    def test_not_ready_in_time(self):
        self.start(self.app('web', 'db'), self.gated('db', listen_timeout=100, autorestart=False))
        self.assertIn('was not ready within 100 ms', self.facts()['web'][1])

    def test_a_job_that_fails(self):
        self.open_gate('migrate', '4')
        self.start(self.app('web', {'migrate': 'completed'}), self.job('migrate'))
        self.assertEqual(self.facts()['web'],
                         ('errored', "dependency 'migrate' failed: exited with code 4; autorestart is off"))
        # a start of what waits for it does it again
        self.open_gate('migrate', '0')
        self.client.start('web')

    def test_completed_of_what_is_always_restarted(self):
        error = self.start(self.app('web', {'db': 'completed'}), self.app('db'))
        self.assertIn("'db' never completes", error.message)

    def test_deleted_while_it_is_waited_for(self):
        self.client.start_json([self.gated('db'), self.app('web', 'db')], wait=False)
        self.wait_reason('web', 'waits for')
        self.client.delete('db')
        self.wait_status('web', 'errored')
        self.assertIn('no app of this name', self.facts()['web'][1])

    def test_stopped_while_it_is_waited_for(self):
        self.client.start_json([self.gated('db'), self.app('web', 'db')], wait=False)
        self.wait_reason('web', 'waits for')
        self.client.stop('db')
        self.wait_status('web', 'errored')
        self.assertIn('was stopped by hand', self.facts()['web'][1])


class Refused(Depends):
    def refuse(self, function, *arguments, mentions=(), **values):
        return self.assert_dbus_error('InvalidConfig', function, *arguments, mentions=mentions, **values)

    def test_circles(self):
        self.refuse(self.client.start_json, [self.app('a', 'b'), self.app('b', 'c'), self.app('c', 'a')],
                    mentions='depends_on: goes in a circle: a -> b -> c -> a')
        self.refuse(self.client.start_json, self.app('a', 'a'), mentions='a -> a')
        self.assertEqual(self.client.list(), [])

    def test_circles_with_what_is_there(self):
        self.client.start_json([self.app('a'), self.app('b', 'a'), self.app('c', 'b')])
        path = 'a -> c -> b -> a'
        self.refuse(self.client.start_json, self.app('a', 'c'), mentions=path)
        self.refuse(self.client.restart, 'a', depends_on=['c'], mentions=path)
        self.refuse(self.client.manager_call, 'SetProperties', 'sa{sv}', 'a', harness.options(depends_on=['c']),
                    mentions=path)
        self.assertEqual(self.client.describe('a')[0]['pm2_env']['status'], 'online')

    def test_unknown_names(self):
        self.refuse(self.client.start_json, self.app('web', 'db'), mentions=('depends_on', "'db'"))
        self.refuse(self.client.start, self.sleeper(), name='web', depends_on=['db'], mentions=('depends_on', "'db'"))
        self.assertEqual(self.client.list(), [])

    def test_validate_says_it(self):
        document = [self.app('a', 'b'), self.app('b', 'a'), self.app('c', 'd')]
        result = self.client.manager_call('Validate', 'sa{sv}', harness.json.dumps(document), {})
        self.assertFalse(result['ok'])
        text = '\n'.join(result['errors'])
        self.assertIn('apps[0].depends_on: goes in a circle: a -> b -> a', text)
        self.assertIn("apps[2].depends_on: there is no app named 'd'", text)

    def test_wrong_values(self):
        for value, word in ((5, 'depends_on'), ({'db': 'awake'}, 'started, ready, healthy or completed'),
                            (['db', 'db'], 'twice'), ({'db': {'restart': True}}, 'condition'), ([''], 'name')):
            self.refuse(self.client.start_json, [self.app('db'), self.app('web', depends_on=value)], mentions=word)

    def test_it_is_told(self):
        self.client.start_json([self.app('db'), self.app('web', 'db')])
        config = self.client.call(self.path_of('web'), harness.PROCESS, 'GetConfig')
        self.assertEqual(config['depends_on'], {'db': 'ready'})
        self.pm2ctl('set', 'web', 'depends_on=db=started')
        config = self.client.call(self.path_of('web'), harness.PROCESS, 'GetConfig')
        self.assertEqual(config['depends_on'], {'db': 'started'})


class Stops(Depends):
    def started(self):
        self.client.start_json([self.recording('db'), self.recording('web', 'api'), self.recording('api', 'db')])
        self.assertEqual(self.order(3), ['+db', '+api', '+web'])

    def test_stop_all_in_reverse(self):
        self.started()
        self.client.stop('all')
        self.assertEqual(self.order(6)[3:], ['-web', '-api', '-db'])

    def test_delete_all_in_reverse(self):
        self.started()
        self.client.delete('all')
        self.assertEqual(self.order(6)[3:], ['-web', '-api', '-db'])
        self.assertEqual(self.client.list(), [])

    def test_one_alone_is_stopped_at_once(self):
        self.started()
        self.client.stop('db')
        self.assertEqual((self.status('db'), self.status('api')), ('stopped', 'online'))

    def test_a_stop_of_one_does_not_wait_for_that_of_all(self):
        """The last of a row that cannot end is stopped by itself."""
        self.client.start_json([self.app('db'), self.stubborn('web', 'db')])
        other = self.daemon.connect()
        self.client.stop('all', wait=False)
        self.assertEqual(self.status('db'), 'online')
        other.stop('db')
        self.assertEqual((self.status('db'), self.status('web')), ('stopped', 'stopping'))
        self.client.send_signal('web', 'SIGKILL')
        self.wait_status('web', 'stopped')


class StopsAtTheEnd(Depends):
    def test_in_reverse(self):
        self.client.start_json([self.recording('db'), self.recording('web', 'api'), self.recording('api', 'db')])
        self.assertEqual(self.order(3), ['+db', '+api', '+web'])
        self.daemon.terminate()
        self.assertEqual(read_file(self.path('order')).split()[3:], ['-web', '-api', '-db'])


class Bounded(Depends):
    settings = 'start_parallel=1'

    def test_one_at_a_time(self):
        names = [f'app{i}' for i in range(8)]
        paths = self.client.start_json([self.app(name) for name in names])
        self.assertEqual([self.client.property(path, 'Status') for path in paths], ['online'] * 8)
        moments = [self.client.property(path, 'StartTimestamp') for path in paths]
        self.assertEqual(moments, sorted(moments))

    def test_one_that_is_not_ready_holds_up_no_other(self):
        self.client.start_json([self.gated('slow'), self.app('quick')], wait=False)
        self.wait_status('quick', 'online')
        self.assertEqual(self.status('slow'), 'launching')

    def test_stopped_before_its_turn(self):
        self.client.start_json([self.app(f'app{i}') for i in range(4)], wait=False)
        self.client.stop('app3')
        self.wait_status('app2', 'online')
        self.assertEqual(self.status('app3'), 'stopped')


class Lists(Depends):
    def test_resurrect_keeps_the_order(self):
        """The list has the dependent first; what it waits for comes in a later turn."""
        apps = [self.recording('web', 'app19')] + [self.recording(f'app{i}') for i in range(20)]
        self.client.start_json(apps)
        self.client.manager_call('Save', 'sa{sv}', '', {})
        self.client.delete('all')
        os.unlink(self.path('order'))
        self.client.manager_call('Resurrect', 'sa{sv}', '', {})
        order = self.order(21)
        self.assertLess(order.index('+app19'), order.index('+web'))


class Survival(Depends):
    def test_waiting_goes_on_after_a_crash(self):
        hook = 'while [ ! -e "$GATES/db" ]; do sleep 0.02; done'
        self.client.start_json([self.app('db', pre_start=hook), self.app('web', 'db')], wait=False)
        self.wait_reason('web', "waits for 'db' (ready)")
        self.daemon.process.kill()
        self.daemon.wait_exit()
        self.daemon.start()
        self._client = None
        self.assertEqual(self.status('web'), 'launching')
        self.wait_reason('web', "waits for 'db' (ready)")
        self.open_gate('db')
        self.wait_status('web', 'online')

    def test_waiting_goes_on_after_a_reexec(self):
        self.client.start_json([self.gated('db'), self.app('web', 'db')], wait=False)
        self.wait_reason('web', "waits for 'db' (ready)")
        self.client.manager_call('Reexecute')
        self._client = wait_until(self.daemon.try_connect, 'it is back')
        self.open_gate('db')
        self.wait_status('web', 'online')

    def test_an_ordered_stop_goes_on_after_a_crash(self):
        self.client.start_json([self.app('db'), self.stubborn('web', 'db')])
        self.client.stop('all', wait=False)
        self.daemon.process.kill()
        self.daemon.wait_exit()
        self.daemon.start()
        self._client = None
        self.wait_status('db', 'stopped')
        self.client.send_signal('web', 'SIGKILL')
        self.wait_status('web', 'stopped')


if __name__ == '__main__':
    harness.main()
