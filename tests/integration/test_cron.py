#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""cron_restart: when it comes, what it meets, and what it leaves alone."""

import datetime
import os
import pathlib
import time
import zoneinfo

import harness
from harness import wait_until

STAYS = '#!/bin/sh\necho run >>$name.runs\nexec sleep 1000\n'
ENDS = '#!/bin/sh\necho run >>$name.runs\n'
CRASHES = '#!/bin/sh\necho run >>$name.runs\nexit 3\n'
# It is ready when a file is there.
WAITS = '''#!/bin/sh
echo run >>$name.runs
while [ ! -e ready ]; do sleep 0.02; done
eval "echo '\\"ready\\"' >&$NODE_CHANNEL_FD"
exec sleep 1000
'''
EACH_SECOND = '* * * * * *'
NEVER_TODAY = '0 0 29 2 *'


class Base:
    def start_app(self, text=STAYS, name='app', wait=True, **attributes):
        script = self.script(name + '.sh', text)
        return self.client.start(script, name=name, cwd=self.daemon.apps, wait=wait, **attributes)[0]

    def runs(self, name='app'):
        try:
            return harness.read_file(self.path(name + '.runs')).count('run')
        except FileNotFoundError:
            return 0

    def history(self, target='app'):
        return self.client.manager_call('RecentEvents', 'su', target, 0)

    def kinds(self, target='app'):
        return [entry['event'] for entry in self.history(target)]

    def facts(self, target='app'):
        return self.client.describe(target)[0]['pm2_env']

    def next_run(self, target='app'):
        """Seconds since 1970."""
        usec = self.facts(target)['next_cron_run']
        self.assertEqual(usec % 1000000, 0)
        return usec // 1000000

    def set(self, target='app', **attributes):
        self.client.manager_call('SetProperties', 'sa{sv}', target, harness.options(**attributes))

    def watch_some_seconds(self):
        """Long enough for some runs of what is due each second: those of a witness."""
        if not any(entry['name'] == 'witness' for entry in self.client.list()):
            self.start_app(name='witness', cron_restart=EACH_SECOND)
        before = self.runs('witness')
        wait_until(lambda: self.runs('witness') >= before + 2, 'the witness was restarted')

    @staticmethod
    def once_in(seconds):
        """Attributes for one run that soon, and the next one tomorrow."""
        at = datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(seconds=seconds)
        return {'cron_restart': f'{at.second} {at.minute} {at.hour} * * *', 'cron_timezone': 'UTC'}

    def wait_past(self, target='app'):
        """Until the run of once_in() was due."""
        wait_until(lambda: self.next_run(target) > time.time() + 3600, 'its time has come')


class Cron(Base):
    def test_cron_restart(self):
        """Each second, to the second, and not by hand."""
        path = self.start_app(cron_restart=EACH_SECOND)
        mark = len(self.client.received)
        pids = {self.client.property(path, 'Pid')}
        for _ in range(3):
            body = self.client.wait_event('restart', 'app', mark)
            mark = len(self.client.received)
            self.assertFalse(body[4])
            pids.add(self.client.property(path, 'Pid'))
        self.assertGreaterEqual(len(pids - {0}), 3)
        self.assertGreaterEqual(self.client.property(path, 'RestartCount'), 3)
        self.assertEqual(self.client.property(path, 'LastReason'), 'restarted by cron_restart')
        due = [entry['at'] / 1e6 for entry in self.history() if entry['event'] == 'cron']
        self.assertGreaterEqual(len(due), 3)
        for earlier, later in zip(due, due[1:]):
            self.assertGreaterEqual(later - earlier, 0.5)
        self.assertNotIn('command', self.kinds()[1:])

    def test_describe(self):
        self.start_app(cron_restart='30 4 * * *', cron_timezone='Asia/Kolkata')
        zone = zoneinfo.ZoneInfo('Asia/Kolkata')
        now = datetime.datetime.now(zone)
        due = now.replace(hour=4, minute=30, second=0, microsecond=0)
        if due <= now:
            due += datetime.timedelta(days=1)
        self.assertEqual(self.next_run(), due.timestamp())
        facts = self.facts()
        self.assertEqual((facts['cron_restart'], facts['cron_timezone'], facts['cron_overlap']),
                         ('30 4 * * *', 'Asia/Kolkata', 'skip'))
        self.start_app(name='none')
        self.assertEqual(self.facts('none')['next_cron_run'], 0)
        shown = self.pm2ctl('describe', 'app')
        self.assertIn('30 4 * * *', shown.stdout)
        self.assertRegex(shown.stdout, r'next cron run +\d{4}-\d\d-\d\d \d\d:')
        self.assertRegex(self.pm2ctl('describe', 'none').stdout, r'next cron run +never')

    def test_cron_timezone(self):
        """The same time of day is due at another one elsewhere."""
        self.start_app(name='east', cron_restart='0 0 * * *', cron_timezone='Asia/Tokyo')
        self.start_app(name='west', cron_restart='0 0 * * *', cron_timezone='Etc/GMT+5')
        self.start_app(name='here', cron_restart='0 0 * * *')
        self.assertEqual(self.next_run('east') % 86400, 15 * 3600)
        self.assertEqual(self.next_run('west') % 86400, 5 * 3600)
        here = datetime.datetime.fromtimestamp(self.next_run('here'))
        self.assertEqual((here.hour, here.minute, here.second), (0, 0, 0))

    def test_the_zone_of_the_supervisor(self):
        daemon = self.new_daemon(environment={'TZ': ':Asia/Tokyo'}).start()
        client = daemon.connect()
        client.start('/bin/sleep', args=['1000'], name='app', cwd='/', cron_restart='0 0 * * *')
        self.assertEqual(client.describe('app')[0]['pm2_env']['next_cron_run'] // 1000000 % 86400, 15 * 3600)

    def test_what_cannot_be_is_refused(self):
        for attributes, mentions in (
                ({'cron_restart': '61 * * * *'}, 'cron_restart: \'61 * * * *\': minute: 61 is out of range'),
                ({'cron_restart': '0 0 30 2 *'}, 'never comes'), ({'cron_restart': 'not a pattern'}, 'has 3 fields'),
                ({'cron_restart': True}, 'cron_restart: expected'), ({'cron_restart': 5}, 'cron_restart: expected'),
                ({'cron_restart': '* ' * 200}, 'cron_restart: must have'),
                ({'cron_timezone': 'Nowhere/Atall'}, 'cron_timezone: there is no time zone'),
                ({'cron_timezone': 'leapseconds'}, 'cron_timezone: there is no time zone'),
                ({'cron_timezone': 'Europe'}, 'cron_timezone: there is no time zone'),
                ({'cron_timezone': '../../../etc/passwd'}, 'cron_timezone: '),
                ({'cron_timezone': '/usr/share/zoneinfo/UTC'}, 'cron_timezone: '),
                ({'cron_timezone': 'EST5EDT,M3.2.0,M11.1.0'}, 'cron_timezone: '),
                ({'cron_overlap': 'both'}, 'cron_overlap: expected one of skip, queue, kill')):
            with self.subTest(attributes):
                self.assert_dbus_error('InvalidConfig', self.start_app, mentions=mentions, **attributes)
        self.assertEqual(self.client.list(), [])
        self.start_app()
        for attributes in ({'cron_restart': '61 * * * *'}, {'cron_timezone': 'Nowhere/Atall'}):
            self.assert_dbus_error('InvalidConfig', self.set, **attributes)
        self.assertEqual(self.facts()['next_cron_run'], 0)

    def test_what_was_stopped_by_hand_stays_stopped(self):
        path = self.start_app(cron_restart=EACH_SECOND)
        self.client.stop('app')
        self.assertEqual(self.facts()['next_cron_run'], 0)
        runs = self.runs()
        self.watch_some_seconds()
        self.assertEqual((self.client.property(path, 'Status'), self.runs()), ('stopped', runs))
        self.client.manager_call('Start', 'sa{sv}', 'app', {})
        self.assertGreater(self.next_run(), 0)
        wait_until(lambda: self.runs() >= runs + 3, 'it is restarted again')

    def test_what_has_ended_by_itself_is_started(self):
        """A job: it runs at its times and rests in between."""
        path = self.start_app(ENDS, cron_restart=EACH_SECOND, autorestart=False)
        wait_until(lambda: self.runs() >= 3, 'it ran three times')
        self.assertEqual(self.client.property(path, 'RestartCount'), 0)
        self.client.wait_status(path, 'stopped')
        self.client.stop('app')  # it rests as it is: nothing is to be done but to leave it alone
        runs = self.runs()
        self.assertEqual(self.facts()['next_cron_run'], 0)
        self.watch_some_seconds()
        self.assertEqual(self.runs(), runs)

    def test_what_was_given_up_is_started(self):
        path = self.start_app(CRASHES, wait=False, cron_restart=EACH_SECOND, max_restarts=1)
        wait_until(lambda: self.runs() >= 3, 'it was tried three times')
        self.set(cron_restart='')
        self.client.wait_status(path, 'errored')

    def test_what_waits_for_its_restart_is_started(self):
        self.start_app(CRASHES, wait=False, cron_restart=EACH_SECOND, restart_delay=10 ** 7)
        wait_until(lambda: self.runs() >= 3, 'it did not wait')

    def test_without_autostart_it_begins_at_its_time(self):
        path = self.start_app(autostart=False, cron_restart=NEVER_TODAY)
        self.assertEqual((self.client.property(path, 'Status'), self.runs()), ('stopped', 0))
        self.assertGreater(self.next_run(), 0)
        self.set(cron_restart=EACH_SECOND)
        self.client.wait_status(path, 'online')

    def test_it_can_be_changed_while_it_runs(self):
        path = self.start_app(cron_restart=NEVER_TODAY)
        pid, due = self.client.property(path, 'Pid'), self.next_run()
        self.set(kill_timeout=2000)
        self.assertEqual(self.next_run(), due)
        self.set(cron_timezone='Asia/Tokyo')
        self.assertNotEqual(self.next_run(), due)
        self.assertEqual(self.client.property(path, 'Pid'), pid)
        self.set(cron_restart=EACH_SECOND)
        wait_until(lambda: self.runs() >= 3, 'it is restarted')
        for off in ('', '0', False, 0):
            self.set(cron_restart=EACH_SECOND)
            self.assertGreater(self.next_run(), 0)
            self.set(cron_restart=off)
            self.assertEqual(self.facts()['next_cron_run'], 0)
        runs = self.runs()
        self.watch_some_seconds()
        self.assertEqual(self.runs(), runs)
        self.client.restart('app', cron_restart='@daily')
        self.assertGreater(self.next_run(), time.time())
        self.client.delete('app')

    def test_what_a_restart_needs_is_looked_at_first(self):
        path = self.start_app(cron_restart=NEVER_TODAY)
        pid = self.client.property(path, 'Pid')
        wait_until(lambda: self.runs() == 1, 'its shell has read it')
        os.unlink(self.path('app.sh'))
        self.set(cron_restart=EACH_SECOND)
        wait_until(lambda: 'failed' in self.kinds(), 'it is told')
        self.assertEqual((self.client.property(path, 'Pid'), self.client.property(path, 'Status')), (pid, 'online'))
        self.assertIn('app.sh', [entry for entry in self.history() if entry['event'] == 'failed'][0]['reason'])

    def test_all_instances(self):
        self.start_app(cron_restart=EACH_SECOND, instances=3)
        wait_until(lambda: all(entry['pm2_env']['restart_time'] >= 2 for entry in self.client.list()), 'each of them')
        self.client.delete('app')
        self.assertEqual(self.client.list(), [])

    def test_a_deleted_one_leaves_nothing(self):
        self.start_app(cron_restart=EACH_SECOND)
        self.client.delete('app')
        self.start_app(name='other')  # it has the same id
        wait_until(lambda: self.runs('other') == 1, 'it runs')
        self.watch_some_seconds()
        self.assertEqual(self.runs('other'), 1)


class Overlap(Base):
    """The app is being started, and is not ready, when its time comes."""

    def start_waiting(self, overlap):
        path = self.start_app(WAITS, wait=False, wait_ready=True, listen_timeout=10 ** 7, notify='node',
                              cron_overlap=overlap, cron_restart=NEVER_TODAY)
        wait_until(lambda: self.runs() == 1, 'it runs')
        self.assertEqual(self.client.property(path, 'Status'), 'launching')
        self.set(**self.once_in(2))
        self.wait_past()
        return path

    def let_it_be_ready(self):
        pathlib.Path(self.path('ready')).touch()

    def test_skip(self):
        path = self.start_waiting('skip')
        self.let_it_be_ready()
        self.client.wait_status(path, 'online')
        self.watch_some_seconds()
        self.assertEqual(self.runs(), 1)
        self.assertNotIn('cron', self.kinds())
        self.assertIn("process 0 'app': cron_restart is left out: it is being started or ended", self.daemon.log_text())

    def test_queue(self):
        path = self.start_waiting('queue')
        self.assertEqual((self.runs(), self.client.property(path, 'Status')), (1, 'launching'))
        self.assertNotIn('cron', self.kinds())
        self.let_it_be_ready()
        wait_until(lambda: self.runs() == 2, 'it follows the start')
        self.client.wait_status(path, 'online')
        self.assertEqual(self.kinds().count('cron'), 1)
        self.watch_some_seconds()
        self.assertEqual(self.runs(), 2)

    def test_what_waits_goes_with_a_stop(self):
        path = self.start_waiting('queue')
        self.client.stop('app')
        self.let_it_be_ready()
        self.watch_some_seconds()
        self.assertEqual((self.runs(), self.client.property(path, 'Status')), (1, 'stopped'))

    def test_cron_overlap(self):
        """kill: what is under way ends, and whoever waits for it is told why."""
        path = self.start_app(WAITS, autostart=False, wait_ready=True, listen_timeout=10 ** 7, notify='node',
                              cron_overlap='kill', cron_restart=NEVER_TODAY)
        second = self.daemon.connect()
        start = second.send_call(harness.MANAGER_PATH, harness.MANAGER, 'Start', 'sa{sv}', 'app', {})
        wait_until(lambda: self.runs() == 1, 'it runs')
        self.set(**self.once_in(2))
        wait_until(lambda: self.runs() == 2, 'it is restarted by cron')
        with self.assertRaises(harness.DBusError) as caught:
            second.reply_to(start)
        self.assertEqual(caught.exception.name, 'org.pm2.Error.Cancelled')
        self.assertIn('its cron_restart came before it was started', caught.exception.message)
        self.let_it_be_ready()
        self.client.wait_status(path, 'online')
        self.assertEqual((self.kinds().count('cron'), self.runs()), (1, 2))

    def test_a_stop_under_way_wins(self):
        stubborn = "#!/bin/sh\ntrap '' INT\necho run >>$name.runs\nwhile :; do sleep 0.05; done\n"
        for overlap in ('skip', 'queue', 'kill'):
            with self.subTest(overlap):
                path = self.start_app(stubborn, name=overlap, cron_overlap=overlap, cron_restart=NEVER_TODAY,
                                      kill_timeout=4000)
                wait_until(lambda: self.runs(overlap) == 1, 'it runs')  # noqa: B023
                self.set(overlap, **self.once_in(2))
                self.client.stop(overlap)
                self.assertEqual((self.client.property(path, 'Status'), self.runs(overlap)), ('stopped', 1))
                self.assertEqual(self.facts(overlap)['next_cron_run'], 0)

    def test_a_deletion_under_way_wins(self):
        stubborn = "#!/bin/sh\ntrap '' INT\necho run >>$name.runs\nwhile :; do sleep 0.05; done\n"
        self.start_app(stubborn, cron_overlap='kill', cron_restart=NEVER_TODAY, kill_timeout=4000)
        wait_until(lambda: self.runs() == 1, 'it runs')
        self.set(**self.once_in(2))
        self.client.delete('app')
        self.assertEqual((self.client.list(), self.runs()), ([], 1))
        self.assertIn('cron_restart is left out: it is being stopped', self.daemon.log_text())


class Survival(Base):
    """A new supervisor goes on where the last one was."""

    def start_all(self):
        self.start_app(name='due', cron_restart='30 4 * * *', cron_timezone='Asia/Kolkata')
        self.start_app(name='busy', cron_restart=EACH_SECOND)
        self.start_app(name='held', cron_restart=EACH_SECOND)
        self.start_app(ENDS, name='job', autorestart=False, cron_restart=EACH_SECOND)
        self.client.stop('held')

    def check_all(self, due):
        self.assertEqual(self.next_run('due'), due)
        self.assertEqual(self.runs('due'), 1)
        busy, job, held = self.runs('busy'), self.runs('job'), self.runs('held')
        wait_until(lambda: self.runs('busy') >= busy + 3, 'it is still restarted')
        wait_until(lambda: self.runs('job') >= job + 2, 'it is still started')
        self.assertEqual((self.runs('held'), self.facts('held')['next_cron_run']), (held, 0))
        self.assertEqual(self.facts('held')['status'], 'stopped')

    def test_reexecution(self):
        self.start_all()
        due = self.next_run('due')
        for _ in range(2):
            self.client.manager_call('Reexecute')
            self._client = wait_until(self.daemon.try_connect, 'the successor answers')
            self.check_all(due)

    def test_death(self):
        self.start_all()
        due = self.next_run('due')
        self.daemon.process.kill()
        self.daemon.process.wait()
        self.daemon.start()
        self._client = self.daemon.connect()
        self.check_all(due)

    def test_saved_list(self):
        """What was stopped by hand comes back so, a job that rests has its times."""
        self.start_all()
        wait_until(lambda: self.facts('job')['status'] == 'stopped' and self.runs('job') >= 2, 'it rests')
        self.set('job', cron_restart=NEVER_TODAY)
        wait_until(lambda: self.facts('job')['status'] == 'stopped', 'it rests')
        self.client.manager_call('Save', 'sa{sv}', '', {})
        self.client.delete('all')
        self.client.manager_call('Resurrect', 'sa{sv}', '', {})
        self.assertEqual(self.facts('held')['next_cron_run'], 0)
        self.assertEqual(self.facts('job')['status'], 'stopped')
        self.assertGreater(self.next_run('job'), 0)
        self.assertGreater(self.next_run('due'), 0)


class CronNone(Cron, harness.Case):
    pass


class Frozen(Base, harness.Case):
    isolation = 'cgroup'

    def test_what_stands_still_is_left_alone(self):
        path = self.start_app(cron_restart=NEVER_TODAY)
        wait_until(lambda: self.runs() == 1, 'it runs')
        self.client.manager_call('Freeze', 'sa{sv}', 'app', {})
        self.set(cron_restart=EACH_SECOND)
        self.watch_some_seconds()
        self.assertEqual(self.runs(), 1)
        self.client.manager_call('Thaw', 'sa{sv}', 'app', {})
        wait_until(lambda: self.runs() >= 2, 'it is restarted again')
        self.assertEqual(self.client.property(path, 'LastReason'), 'restarted by cron_restart')


class OverlapNone(Overlap, harness.Case):
    pass


class SurvivalNone(Survival, harness.Case):
    pass


if __name__ == '__main__':
    harness.main()
