#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""What is known of a crash: its logs, its memory, how it ended, with the exit in the history and in an event."""

import json
import os

import harness
from harness import wait_until

# Does what the file "act" says, once for each run: then it is gone.
ACTS = '''#!/bin/sh
[ ! -e act ] || { mv act acted; . ./acted; }
exec sleep 1000
'''


class Base:
    def start_app(self, act=None, name='app', **attributes):
        self.act(act)
        return self.client.start(self.script('acts.sh', ACTS), name=name, cwd=self.daemon.apps, wait=False, **attributes)[0]

    def act(self, text):
        if text is not None:
            self.script('act', text + '\n', executable=False)

    def history(self, target='app'):
        return self.client.manager_call('RecentEvents', 'su', target, 0)

    def exits(self, target='app'):
        return [entry for entry in self.history(target) if entry['event'] == 'exit']

    def crash(self, target='app', count=1):
        """The bundle, once the process has ended so often."""
        return wait_until(lambda: len(self.exits(target)) >= count and self.exits(target), 'it has ended')[-1]['crash']


class Bundle(Base):
    def test_an_exit_with_a_code(self):
        seen = len(self.client.received)
        path = self.start_app('echo "to the one"; echo "to the other" >&2; exit 7', restart_delay=10 ** 7)
        body = self.client.wait_event('crash', 'app', seen)
        crash = self.crash()
        self.assertEqual(crash['at'], self.exits()[0]['at'])
        self.assertEqual((crash['cause'], crash['exit_code'], crash['signal'], crash['core_dumped']), ('exit', 7, '', False))
        self.assertEqual((crash['out'], crash['error']), ('to the one', 'to the other'))
        self.assertLess(crash['uptime'], 60 * 10 ** 6)
        self.assertGreater(crash['pid'], 0)
        self.assertNotIn('out_note', crash)
        self.assertNotIn('memory_curve', crash)
        # the event has the same, right behind the exit
        self.assertFalse(body[4])
        self.assertEqual(body[5], crash)
        events = [event for event, _ in self.client.events('app', seen)]
        self.assertEqual(events[events.index('exit'):][:2], ['exit', 'crash'])
        self.client.wait_status(path, 'waiting-restart')

    def test_a_signal(self):
        path = self.start_app()
        self.client.wait_status(path, 'online')
        pid = self.client.property(path, 'Pid')
        self.client.send_signal('app', 'SIGKILL')
        crash = self.crash()
        self.assertEqual((crash['cause'], crash['exit_code'], crash['signal'], crash['pid']), ('signal', -1, 'SIGKILL', pid))

    def test_what_is_no_crash(self):
        """Ends that somebody wanted."""
        self.start_app('exit 0', name='well', autorestart=False)
        wait_until(lambda: self.exits('well'), 'it has ended')
        self.start_app('exit 5', name='meant', stop_exit_codes='5')
        wait_until(lambda: self.exits('meant'), 'it has ended')
        path = self.start_app(name='stopped', kill_signal='SIGTERM')
        self.client.wait_status(path, 'online')
        self.client.restart('stopped')
        self.client.stop('stopped')
        self.assertEqual(len(self.exits('stopped')), 2)
        for name in ('well', 'meant', 'stopped'):
            for entry in self.history(name):
                self.assertNotIn('crash', entry)
        self.assertFalse(self.client.signals('ProcessEvent') and 'crash' in [event for event, _ in self.client.events()])

    def test_the_last_lines(self):
        """So many, and so many bytes; the last crash counts."""
        self.start_app('seq 1000; exit 1', restart_delay=10 ** 7)
        self.assertEqual(self.crash()['out'].split('\n'), [str(number) for number in range(951, 1001)])
        self.act("head -c 100000 /dev/zero | tr '\\0' x; echo end; exit 1")
        self.client.restart('app', wait=False)
        text = self.crash(count=2)['out']
        self.assertTrue(text.endswith('xxxend'))
        self.assertLessEqual(len(text), 7 * 1024)
        self.assertEqual(['crash' in entry for entry in self.exits()], [False, True])
        self.act("printf 'a\\377b'; head -c 1 /dev/zero; printf 'c\\n\\033[1mbold\\n'; exit 1")
        self.client.restart('app', wait=False)
        self.assertEqual(self.crash(count=3)['out'], 'a\ufffdb\ufffdc\n\x1b[1mbold')
        size = len(json.dumps(self.crash(count=3)))
        self.assertLess(size, 16 * 1024)
        why = self.pm2ctl('why', 'app').stdout
        self.assertRegex(why, r'(?m)^ .* exit +exited with code 1$')
        self.assertRegex(why, r'(?m)^ {13}it ran for ')
        self.assertRegex(why, r'(?m)^ {13}standard output:$')
        self.assertIn('\n' + 15 * ' ' + '\ufffd[1mbold\n', why)

    def test_files(self):
        """Where there are none, where they are one, where they are another's too, or have another name by now."""
        self.start_app('echo x; exit 1', name='silent', disable_logs=True, restart_delay=10 ** 7)
        crash = self.crash('silent')
        self.assertNotIn('out', crash)
        self.assertEqual(crash['out_note'], 'it is kept nowhere')
        one = self.path('one.log')
        self.start_app('echo first; echo second >&2; exit 1', name='one', out_file=one, error_file=one, restart_delay=10 ** 7)
        crash = self.crash('one')
        self.assertEqual(crash['out'], 'first\nsecond')
        self.assertEqual(crash['error_note'], 'it is in the same file as standard output')
        self.assertNotIn('error', crash)
        for name in ('other', 'shared'):
            path = self.start_app(name=name, out_file=self.path('common.log'), restart_delay=10 ** 7)
            self.client.wait_status(path, 'online')
        self.client.send_signal('shared', 'SIGKILL')
        self.assertEqual(self.crash('shared')['out_note'], 'other processes write to it too')
        path = self.start_app('echo before; mv moved.log elsewhere; echo after; kill -9 $$', name='moved',
                              out_file=self.path('moved.log'), restart_delay=10 ** 7)
        self.assertEqual(self.crash('moved')['out'], 'before\nafter')

    def test_a_file_that_cannot_be_read(self):
        """A FIFO is none; it is not waited for."""
        path = self.start_app('rm -f gone.log; mkfifo gone.log; exit 1', name='gone', out_file=self.path('gone.log'),
                              restart_delay=10 ** 7, log_max_size=0)
        crash = self.crash('gone')
        self.assertEqual(crash['exit_code'], 1)
        self.assertEqual(crash.get('out', ''), '')
        self.client.wait_status(path, 'waiting-restart')

    def test_memory(self):
        """What was seen of one that is looked at; of others what was asked for last, if anything was."""
        path = self.start_app(max_memory_restart='1G')
        self.client.wait_status(path, 'online')
        self.start_app(name='other')
        wait_until(lambda: [entry['monit']['memory'] for entry in self.client.list() if entry['pm2_env']['status'] == 'online'
                            and entry['monit']['memory'] > 0], 'it is asked for')
        seen = len(self.client.received)
        # the witness shows that some looks have been taken
        taker = "#!/usr/bin/python3\nimport time\nx = b'x' * (80 << 20)\ntime.sleep(1000)\n"
        self.client.start(self.script('taker.py', taker), name='witness', max_memory_restart='60M')
        self.client.wait_event('memory', 'witness', seen)
        self.client.send_signal('app', 'SIGKILL')
        crash = self.crash()
        self.assertGreater(crash['memory'], 0)
        self.assertLess(crash['memory'], 100 << 20)
        self.assertLess(crash['memory_age'], crash['uptime'])
        self.assertGreaterEqual(len(crash['memory_curve']), 1)
        for at, number in crash['memory_curve']:
            self.assertGreater(number, 0)
            self.assertLessEqual(at, crash['uptime'])
        self.client.send_signal('other', 'SIGKILL')
        self.assertNotIn('memory_curve', self.crash('other'))

    def test_watchdog(self):
        self.start_app(name='hung', notify='systemd', watchdog='100ms', restart_delay=10 ** 7)
        crash = self.crash('hung')
        self.assertEqual(crash['cause'], 'watchdog')

    def test_stream(self):
        """The same in the message bus as a stream."""
        self.client.manager_call('OpenBus', 'a{sv}', harness.options(target='app'))
        self.start_app('echo words; exit 3', restart_delay=10 ** 7)
        crash = self.crash()
        with os.fdopen(self.client.fds.pop(), encoding='utf-8') as file:
            events = (event for event in map(json.loads, file) if isinstance(event['data'], dict))
            event = next(event for event in events if event['data'].get('event') == 'crash')
        self.assertEqual(event['data']['crash'], crash)
        self.assertEqual(event['process']['pid'], crash['pid'])

    def check_survival(self):
        crash = self.crash('kept')
        self.assertEqual(crash['out'], 'kept words')
        self.assertEqual(crash, self.kept)

    def start_kept(self):
        self.start_app('echo kept words; exit 3', name='kept', restart_delay=10 ** 7)
        self.kept = self.crash('kept')

    def test_reexecution(self):
        self.start_kept()
        self.client.manager_call('Reexecute')
        self._client = wait_until(self.daemon.try_connect, 'the successor answers')
        self.check_survival()

    def test_death(self):
        self.start_kept()
        self.daemon.process.kill()
        self.daemon.process.wait()
        self.daemon.start()
        self._client = self.daemon.connect()
        self.check_survival()

    def test_reload(self):
        """It belongs to the process, whatever runs of it."""
        path = self.start_app('echo words; exit 3', listen=[f'unix:{self.path("app.socket")}'], listen_timeout=100)
        crash = self.crash()
        self.client.wait_status(path, 'online')
        self.client.manager_call('Reload', 'sa{sv}', 'app', {})
        self.assertEqual(self.crash(), crash)
        self.daemon.process.kill()
        self.daemon.process.wait()
        self.daemon.start()
        self._client = self.daemon.connect()
        self.assertEqual(self.crash(), crash)

    def test_a_crash_while_no_supervisor_looks(self):
        path = self.start_app('echo words; while [ ! -e go ]; do sleep 0.02; done; exit 3', restart_delay=10 ** 7)
        self.client.wait_status(path, 'online')
        pid = self.client.property(path, 'Pid')
        self.daemon.process.kill()
        self.daemon.process.wait()
        self.script('go', '')
        wait_until(lambda: not harness.is_alive(pid), 'it has ended')
        self.daemon.start()
        self._client = self.daemon.connect()
        wait_until(lambda: self.exits(), 'it is told')
        # where the kernel tells nobody but its parent how it ended, it is not said to have crashed
        entry = self.exits()[0]
        self.assertEqual('crash' in entry, entry['exit_code'] == 3)


class BundleNone(Bundle, harness.Case):
    pass


class BundleCgroup(Bundle, harness.Case):
    isolation = 'cgroup'


if __name__ == '__main__':
    harness.main()
