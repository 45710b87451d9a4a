#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""What a process inherits: nothing of the supervisor's own state, and the environment that is its own."""

import json
import os
import resource
import signal

import harness

UMASK = 0o027
NOFILE = (1000, 4000)
REPORT = '''#!/usr/bin/python3
import json, os, time

descriptors = {}
for name in os.listdir("/proc/self/fd"):
    try:
        descriptors[name] = os.readlink(f"/proc/self/fd/{name}")
    except OSError:
        pass
report = {"fds": descriptors, "environment": dict(os.environ), "pid": os.getpid(), "session": os.getsid(0),
          "group": os.getpgrp(), "cwd": os.getcwd(), "argv": __import__("sys").argv}
with open("report.new", "w") as file:
    json.dump(report, file)
os.rename("report.new", "report")
time.sleep(1000)
'''
# A shell that only reads leaves dispositions and mask as it found them; Python does not.
STATUS = '''#!/bin/sh
for file in status limits; do
    while read -r line; do echo "$line"; done </proc/$$/$file
done >status.new
read -r value </proc/$$/oom_score_adj && echo "oom: $value" >>status.new
read -r value </proc/$$/timerslack_ns && echo "slack: $value" >>status.new
echo "umask: $(umask)" >>status.new
mv status.new status
exec sleep 1000
'''
FOREIGN = {'NOTIFY_SOCKET': '/run/nowhere', 'LISTEN_FDS': '1', 'LISTEN_PID': '1', 'LISTEN_FDNAMES': 'x',
           'WATCHDOG_USEC': '1', 'WATCHDOG_PID': '1', 'INVOCATION_ID': '0' * 32, 'JOURNAL_STREAM': '1:2', 'MAINPID': '1',
           'SYSTEMD_EXEC_PID': '1', 'MEMORY_PRESSURE_WATCH': 'x', 'MEMORY_PRESSURE_WRITE': 'x'}


def strange_parent():
    """What a careless parent may leave to the supervisor."""
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGUSR1, signal.SIGTERM, signal.SIGRTMIN + 2})
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGTERM})
    for number in (signal.SIGUSR2, signal.SIGHUP, signal.SIGPIPE):
        signal.signal(number, signal.SIG_IGN)
    os.umask(UMASK)
    resource.setrlimit(resource.RLIMIT_NOFILE, NOFILE)
    for target in (30, 31):
        os.dup2(0, target, inheritable=True)


class Inherit:
    def launch(self):
        self._daemon = self.new_daemon(environment={**FOREIGN, 'OF_THE_DAEMON': 'yes'}, preexec=strange_parent)
        self._daemon.start()

    def report(self, **attributes):
        script = self.script('report.py', REPORT)
        path = self.client.start_one(script, cwd=self.daemon.apps, **{'name': 'report', **attributes})
        return path, json.loads(harness.wait_file(self.path('report'), lambda text: text.endswith('}')))

    def status(self):
        script = self.script('status.sh', STATUS)
        self.client.start_one(script, name='status', cwd=self.daemon.apps, interpreter='none')
        lines = harness.wait_file(self.path('status')).splitlines()
        return {key: value.strip() for key, _, value in (line.partition(':') for line in lines)}, lines

    def test_signals_are_as_at_the_beginning(self):
        self.launch()
        fields, _ = self.status()
        for name in ('SigBlk', 'SigIgn'):
            self.assertEqual(int(fields[name], 16), 0, f'{name} {fields[name]}')

    def test_limits_umask_and_the_like_are_those_before_the_daemon(self):
        self.launch()
        fields, lines = self.status()
        limit = next(line for line in lines if line.startswith('Max open files')).split()
        self.assertEqual((int(limit[3]), int(limit[4])), NOFILE)
        self.assertEqual(int(fields['umask'], 8), UMASK)
        self.assertEqual(fields['oom'], harness.read_file('/proc/self/oom_score_adj').strip())
        self.assertEqual(fields['slack'], harness.read_file('/proc/self/timerslack_ns').strip())
        with open('/proc/self/status', encoding='ascii') as file:
            own = dict(line.split(':\t', 1) for line in file.read().splitlines() if ':\t' in line)
        for name in ('NoNewPrivs', 'Seccomp', 'CapEff', 'CapBnd', 'CapInh', 'Cpus_allowed'):
            self.assertEqual(fields[name], own[name].strip(), name)

    def test_no_descriptor_but_the_three(self):
        self.launch()
        _, report = self.report()
        self.assertEqual(sorted(report['fds'], key=int), ['0', '1', '2'])
        self.assertRegex(report['fds']['0'], '^pipe:')  # which never ends: see SendLine
        self.assertEqual(report['fds']['1'], os.path.join(self.daemon.logs, 'report-out.log'))

    def test_it_leads_a_session_of_its_own(self):
        _, report = self.report()
        self.assertEqual(report['session'], report['pid'])
        self.assertEqual(report['group'], report['pid'])

    def test_variables_of_the_service_manager_are_not_passed_on(self):
        self.launch()
        _, report = self.report()
        self.assertEqual(set(FOREIGN) & set(report['environment']), set())
        self.assertEqual(report['environment']['OF_THE_DAEMON'], 'yes')

    def test_variables_of_a_caller_take_the_place_of_the_daemons(self):
        self.launch()
        caller = {'PATH': '/usr/bin:/bin', 'OF_THE_CALLER': 'yes', 'NOTIFY_SOCKET': '/run/caller',
                  harness.MARK: self.daemon.mark}
        _, report = self.report(caller_env=caller, env={'OF_THE_APP': 'yes'})
        environment = report['environment']
        self.assertEqual(environment['OF_THE_CALLER'], 'yes')
        self.assertEqual(environment['OF_THE_APP'], 'yes')
        self.assertNotIn('OF_THE_DAEMON', environment)
        self.assertNotIn('NOTIFY_SOCKET', environment)

    def test_what_pm2_gives(self):
        _, report = self.report(namespace='web')
        environment = report['environment']
        self.assertEqual((environment['pm_id'], environment['name'], environment['namespace']), ('0', 'report', 'web'))
        self.assertEqual(environment['NODE_APP_INSTANCE'], '0')
        self.assertEqual(environment['pm_exec_path'], self.path('report.py'))

    def test_variables_of_the_app_win_over_ours(self):
        env = {'name': 'mine', 'pm_id': '77', 'LANG': 'xx_YY', 'EMPTY': '', 'LONG': 'x' * 100000, 'ODD': 'a=b\n\t"\'$'}
        path, report = self.report(env=env)
        environment = report['environment']
        self.assertEqual({key: environment[key] for key in env}, env)
        self.assertEqual(self.client.call(path, harness.PROCESS, 'GetEnvironment')['ODD'], env['ODD'])

    def test_update_env_replaces_as_a_whole(self):
        """A variable that is gone in the caller's environment is gone in the process: PM2 keeps it for ever."""
        caller = {'PATH': '/usr/bin:/bin', 'GOES': '1', 'STAYS': '1', harness.MARK: self.daemon.mark}
        path, _ = self.report(caller_env=caller, env={'OF_THE_APP': 'yes'})
        del caller['GOES']
        os.unlink(self.path('report'))
        self.client.restart('report', caller_env=caller)
        report = json.loads(harness.wait_file(self.path('report'), lambda text: text.endswith('}')))
        self.assertEqual(report['environment'].get('GOES'), '1', 'without update_env nothing is replaced')
        os.unlink(self.path('report'))
        self.client.restart('report', caller_env={**caller, 'NEW': '1'}, update_env=True)
        report = json.loads(harness.wait_file(self.path('report'), lambda text: text.endswith('}')))
        environment = report['environment']
        self.assertNotIn('GOES', environment)
        self.assertEqual((environment['NEW'], environment['STAYS'], environment['OF_THE_APP']), ('1', '1', 'yes'))
        self.assertNotIn('GOES', self.client.call(path, harness.PROCESS, 'GetEnvironment'))

    def test_get_environment_is_what_the_process_has(self):
        path, report = self.report(env={'A': 'B'})
        told = self.client.call(path, harness.PROCESS, 'GetEnvironment')
        differing = {key for key in set(told) | set(report['environment'])
                     if told.get(key) != report['environment'].get(key)}
        # what differs with every start, and what Python itself sets
        self.assertLessEqual(differing, {'LC_CTYPE', 'PM2D_UNIQUE_ID', 'pm_uptime', 'status', 'restart_time',
                                         'unstable_restarts', 'created_at', 'unique_id'})

    def test_arguments_and_cwd(self):
        args = ['--flag', 'two words', '', 'ünï', "quo'te", '$HOME', 'x' * 1000]
        _, report = self.report(args=args)
        self.assertEqual(report['argv'][1:], args)
        self.assertEqual(report['cwd'], os.path.realpath(self.daemon.apps))

    def assert_bytes(self, *lines):
        """What the program of the next tests was given; its report is taken away."""
        harness.wait_until(lambda: os.path.exists(self.path('bytes')), 'they arrived')
        with open(self.path('bytes'), 'rb') as file:
            self.assertEqual(file.read().splitlines(), list(lines))
        os.unlink(self.path('bytes'))

    def bytes_script(self):
        return self.script('bytes.sh', '#!/bin/sh\nprintf "%s\\n" "$1" "$OWN" "$THEIRS" >bytes.new\nmv bytes.new bytes\n'
                                       'exec sleep 1000\n')

    def test_bytes_that_are_no_text(self):
        given = (b'\xff\xfe!', b'own \x80', b'\xc3(')
        caller = {'PATH': harness.V('s', '/usr/bin:/bin'), harness.MARK: harness.V('s', self.daemon.mark),
                  'THEIRS': harness.V('ay', given[2])}
        self.client.start_one(self.bytes_script(), name='bytes', cwd=self.daemon.apps,
                              args=harness.V('aay', [given[0]]),
                              env=harness.V('a{sv}', {'OWN': harness.V('ay', given[1])}),
                              caller_env=harness.V('a{sv}', caller))
        self.assert_bytes(*given)
        self.client.restart('bytes')
        self.assert_bytes(*given)
        # what is kept in a file is the same
        saved = self.client.manager_call('Save', 'sa{sv}', '', {})
        self.client.delete('bytes')
        self.client.manager_call('Resurrect', 'sa{sv}', saved, {})
        self.assert_bytes(*given)

    def test_bytes_of_pm2ctl(self):
        given = (b'\xff\xfe!', b'own \x80', b'\xc3(')
        words = [os.fsdecode(word) for word in given]
        self.pm2ctl('start', self.bytes_script(), '--name', 'bytes', '--env', f'OWN={words[1]}', '--', words[0],
                    env={'THEIRS': words[2]})
        self.assert_bytes(*given)
        self.pm2ctl('restart', 'bytes', '--update-env', env={'THEIRS': os.fsdecode(b'\xe0')})
        self.assert_bytes(*given[:2], b'\xe0')

    def test_restart_without_update_env_keeps_the_environment(self):
        path, report = self.report(env={'A': 'first'})
        os.unlink(self.path('report'))
        self.client.restart('report')
        report = json.loads(harness.wait_file(self.path('report'), lambda text: text.endswith('}')))
        self.assertEqual(report['environment']['A'], 'first')
        os.unlink(self.path('report'))
        self.client.restart('report', update_env=True, caller_env={
            harness.MARK: self.daemon.mark, 'PATH': '/usr/bin:/bin', 'NEW': '1'})
        report = json.loads(harness.wait_file(self.path('report'), lambda text: text.endswith('}')))
        self.assertEqual((report['environment']['NEW'], report['environment']['A']), ('1', 'first'))
        self.assertEqual(path, '/org/pm2/Process/0')


class InheritNone(Inherit, harness.Case):
    isolation = 'none'


class InheritCgroup(Inherit, harness.Case):
    isolation = 'cgroup'


if __name__ == '__main__':
    harness.main()
