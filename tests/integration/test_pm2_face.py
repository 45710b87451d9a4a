#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""PM2's face of the supervisor, looked at from behind: what its clients need and no client shows. A client of ten lines;
the real ones are in test_pm2_client.py."""

import json
import os
import signal
import socket
import stat
import struct
import subprocess
import sys
import threading

import harness
from harness import wait_until

KILLER = '''
import json, os, socket, struct, sys
client = socket.socket(socket.AF_UNIX)
client.connect(sys.argv[1])
def call(number, method, *args):
    words = ['j:' + json.dumps({'type': 'call', 'method': method, 'args': list(args)}), f's:{number}']
    client.sendall(b'\\x12' + b''.join(struct.pack('>I', len(word)) + word.encode() for word in words))
for number, method in enumerate(sys.argv[2:]):
    call(number, method, {'pid': os.getpid()})
while client.recv(65536):
    pass
'''


class Wire:
    """One connection to rpc.sock."""

    def __init__(self, path):
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.connect(path)  # it waits where the queue is full
        self.socket.settimeout(harness.TIMEOUT)
        self.number = 0

    def close(self):
        self.socket.close()

    def read(self, count):
        data = b''
        while len(data) < count:
            more = self.socket.recv(count - len(data))
            if not more:
                raise EOFError(data)
            data += more
        return data

    def frame(self):
        count = self.read(1)[0] & 15
        return [self.read(struct.unpack('>I', self.read(4))[0]) for _ in range(count)]

    def send(self, method, *args):
        self.number += 1
        text = json.dumps({'type': 'call', 'method': method, 'args': list(args)})
        words = [f'j:{text}'.encode(), f's:{self.number}'.encode()]
        self.socket.sendall(b'\x12' + b''.join(struct.pack('>I', len(word)) + word for word in words))

    def call(self, method, *args):
        self.send(method, *args)
        reply, number = self.frame()
        assert number == f's:{self.number}'.encode(), number
        return json.loads(reply[2:])

    def value(self, method, *args):
        reply = self.call(method, *args)
        assert 'error' not in reply, reply
        return reply['args'][0]

    def error(self, method, *args):
        return self.call(method, *args)['error']


class Face(harness.Case):
    def setUp(self):
        super().setUp()
        self.home = None

    def start(self, daemon=None, **values):
        daemon = daemon or self.new_daemon(**values)
        self.home = os.path.join(daemon.root, 'pm2 home')
        daemon.start((f'--compat={self.home}',))
        self._daemon = daemon
        return daemon

    def socket_path(self, name='rpc.sock'):
        return os.path.join(self.home, name)

    def wire(self):
        wire = Wire(self.socket_path())
        self.addCleanup(wire.close)
        return wire

    def app(self, **values):
        return {'name': 'app', 'pm_exec_path': self.sleeper(), 'pm_cwd': self.daemon.apps, 'exec_interpreter': 'none',
                'exec_mode': 'fork_mode', 'instances': 1, 'pm_out_log_path': '/dev/null', 'pm_err_log_path': '/dev/null',
                'pm_pid_path': self.path('app.pid'), 'env': {'PATH': os.environ['PATH'], harness.MARK: self.daemon.mark},
                **values}


class Home(Face):
    def test_files_come_and_go(self):
        daemon = self.start()
        for name in ('rpc.sock', 'pub.sock'):
            self.assertEqual(stat.S_IMODE(os.stat(self.socket_path(name)).st_mode), 0o600)
        self.assertEqual(harness.read_file(self.socket_path('pm2.pid')), str(daemon.process.pid))
        daemon.terminate()
        self.assertEqual(os.listdir(self.home), [])

    def test_a_daemon_at_work_is_left_alone(self):
        daemon = self.new_daemon()
        self.home = os.path.join(daemon.root, 'pm2 home')
        os.mkdir(self.home)
        with socket.socket(socket.AF_UNIX) as other:
            other.bind(self.socket_path())
            other.listen()
            inode = os.stat(self.socket_path()).st_ino
            result = self.run_command(harness.pm2d_path(), f'--check-compat-home={self.home}')
            self.assertEqual(result.returncode, 1)
            self.assertIn(self.socket_path(), result.stderr)
            daemon.start((f'--compat={self.home}',))
            daemon.wait_exit()
            self.assertEqual(daemon.status, 1)
            self.assertIn('somebody accepts connections', daemon.log_text())
            self.assertEqual(os.stat(self.socket_path()).st_ino, inode)
        # what nobody listens at is in nobody's use
        self.assertEqual(self.run_command(harness.pm2d_path(), f'--check-compat-home={self.home}').returncode, 0)
        self.start(daemon)
        self.assertEqual(self.wire().value('ping', {}), {'msg': 'pong'})

    def test_no_connect_is_refused_over_a_renewal(self):
        daemon = self.start()
        wire = self.wire()
        pid = wire.value('prepare', self.app())[0]['pid']
        refused, done = [], threading.Event()

        def connect():
            while not done.is_set():
                with socket.socket(socket.AF_UNIX) as client:  # it waits where the queue is full
                    try:
                        client.connect(self.socket_path())
                    except OSError as error:
                        refused.append(error)

        thread = threading.Thread(target=connect)
        thread.start()
        try:
            for _ in range(3):
                daemon.connect().manager_call('Reexecute')
                self.assertEqual(self.wire().value('getMonitorData', {})[0]['pid'], pid)
        finally:
            done.set()
            thread.join()
        self.assertEqual(refused, [])
        self.assertEqual(harness.read_file(self.socket_path('pm2.pid')), str(daemon.process.pid))

    def test_the_next_one_takes_over(self):
        daemon = self.start()
        pid = self.wire().value('prepare', self.app())[0]['pid']
        daemon.process.kill()
        daemon.wait_exit()
        self.start(daemon)
        listed = self.wire().value('getMonitorData', {})
        self.assertEqual([one['pid'] for one in listed], [pid])
        self.assertEqual(listed[0]['pm2_env']['pm_pid_path'], self.path('app-0.pid'))


class End(Face):
    def killer(self, *methods):
        client = subprocess.Popen([sys.executable, '-c', KILLER, self.socket_path(), *methods], stdin=subprocess.DEVNULL)
        self.addCleanup(client.wait)
        self.addCleanup(client.kill)
        return client

    def test_kill_me(self):
        daemon = self.start()
        self.wire().value('prepare', self.app())
        with socket.socket(socket.AF_UNIX) as bus:
            bus.settimeout(harness.TIMEOUT)
            bus.connect(self.socket_path('pub.sock'))
            wait_until(lambda: self.wire().value('ping', {}), 'it serves')
            client = self.killer('killMe')
            self.assertEqual(client.wait(harness.TIMEOUT), -signal.SIGQUIT)
            heard = b''
            while b'pm2:kill' not in heard:
                heard += bus.recv(65536)
        daemon.wait_exit()
        self.assertEqual((daemon.status, os.listdir(self.home)), (0, []))

    def test_only_the_client_itself_is_signalled(self):
        daemon = self.start()
        wire = self.wire()
        with subprocess.Popen(['sleep', '1000']) as stranger:
            wire.send('killMe', {'pid': stranger.pid})
            daemon.wait_exit()
            self.assertIsNone(stranger.poll())
            stranger.kill()

    def test_an_update_touches_nothing(self):
        """What "pm2 update" would do at the end is to start PM2's own daemon."""
        self.start()
        pid = self.wire().value('prepare', self.app())[0]['pid']
        client = self.killer('notifyKillPM2', 'getVersion', 'getMonitorData', 'notifyKillPM2', 'getMonitorData', 'killMe')
        self.assertEqual(client.wait(harness.TIMEOUT), -signal.SIGTERM)
        self.assertEqual(self.wire().value('getMonitorData', {})[0]['pid'], pid)

    def test_who_meant_to_end_it_and_went_has_changed_nothing(self):
        """PM2's daemon never restarts anything after that."""
        self.start()
        wire = self.wire()
        wire.send('notifyKillPM2', {})
        wire.close()
        wire = self.wire()
        pid = wire.value('prepare', self.app())[0]['pid']
        os.kill(pid, signal.SIGKILL)
        wait_until(lambda: wire.value('getMonitorData', {})[0]['pid'] not in (0, pid), 'it runs again')


class Apps(Face):
    def test_bad_values(self):
        self.start()
        wire = self.wire()
        for method in ('prepare', 'startProcessId', 'stopProcessId', 'restartProcessId', 'reloadProcessId', 'softReloadProcessId',
                       'deleteProcessId', 'duplicateProcessId', 'resetMetaProcessId', 'sendSignalToProcessId',
                       'sendSignalToProcessName', 'sendLineToStdin', 'sendDataToProcessId', 'msgProcess', 'notifyByProcessId',
                       'monitor', 'unmonitor'):
            for args in ((), (None,), ([],), ({},), ('x',), (-1,), (2 ** 40,), (0.5,), ({'id': {}},), ({'id': 99, 'env': 5},)):
                with self.subTest(method=method, args=args):
                    self.assertTrue(wire.error(method, *args))
        path = wire.value('prepare', self.app())[0]
        for env in (5, [], {'current_conf': 5}, {'current_conf': {'env': 5}}, {'current_conf': {'max_restarts': 'x'}}):
            with self.subTest(env=env):
                self.assertTrue(wire.error('restartProcessId', {'id': 0, 'env': env}))
        self.assertEqual(wire.value('getMonitorData', {})[0]['pid'], path['pid'])

    def test_what_is_not_supported_is_named(self):
        self.start()
        wire = self.wire()
        for key, value in {'exec_mode': 'cluster_mode', 'watch': 5, 'cron_restart': 'not a pattern',
                           'max_memory_restart': 'a lot'}.items():
            self.assertIn(key, wire.error('prepare', self.app(**{key: value})))
        self.assertEqual(wire.value('getMonitorData', {}), [])

    def test_max_memory_restart(self):
        """As PM2's clients send it and read it back, in bytes: what is nothing takes it away."""
        self.start()
        wire = self.wire()
        wire.value('prepare', self.app(max_memory_restart=1 << 40))

        def told():
            return wire.value('getMonitorData', {})[0]['pm2_env'].get('max_memory_restart')

        self.assertEqual(told(), 1 << 40)
        for off in (0, False, '', None):
            wire.value('restartProcessId', {'id': 0, 'env': {'current_conf': {'max_memory_restart': off}}})
            self.assertFalse(told())
            self.assertEqual(self.client.describe('0')[0]['pm2_env']['max_memory_restart'], 0)
            wire.value('restartProcessId', {'id': 0, 'env': {'current_conf': {'max_memory_restart': '2G'}}})
            self.assertEqual(told(), 2 << 30)
        wire.value('stopProcessId', 0)

    def test_watch(self):
        """A stop ends it and a start brings it back, with the paths that PM2's own daemon loses."""
        self.start()
        wire = self.wire()
        folder = self.daemon.make_folder('watched')
        wire.value('prepare', self.app(watch=[folder], ignore_watch=['x'], watch_delay=10))
        path = '/org/pm2/Process/0'

        def told():
            return wire.value('getMonitorData', {})[0]['pm2_env']['watch']

        def watching(value):
            self.client.wait_property(path, 'Watching', value)
        watching(True)
        self.assertEqual(told(), [folder])
        again = {'success': True, 'notrestarted': True}
        self.assertEqual(wire.value('startWatch', 'restartProcessId', {'id': 0}), again)
        self.assertEqual(wire.value('stopWatch', 'stopProcessId', 0), {'success': True})
        watching(False)
        self.assertIs(told(), False)
        self.assertEqual(wire.value('startWatch', 'restartProcessId', {'id': 0}), {'success': True})
        watching(True)
        self.assertEqual(told(), [folder])
        wire.value('toggleWatch', 'restartProcessId', {'id': 0})
        watching(False)
        wire.value('toggleWatch', 'restartProcessId', {'id': 0})
        watching(True)
        wire.value('stopWatch', 'stopAll', {})
        wire.value('stopProcessId', 0)
        watching(False)
        self.client.manager_call('Save', 'sa{sv}', '', {})
        wire.value('restartProcessId', {'id': 0})
        watching(True)
        self.assertEqual(told(), [folder])
        wire.value('deleteProcessId', 0)
        self.client.manager_call('Resurrect', 'sa{sv}', '', {})
        path = self.client.manager_call('GetProcessesByName', 's', 'app')[0]
        watching(False)
        self.client.manager_call('Restart', 'sa{sv}', 'app', {})
        watching(True)
        self.assertEqual(told(), [folder])
        with open(os.path.join(folder, 'a'), 'w', encoding='ascii'):
            pass
        self.client.wait_property(path, 'RestartCount', 1)
        for method in ('stopWatch', 'startWatch', 'toggleWatch'):
            self.assertEqual(wire.value(method, 'restartProcessId', {'id': 99})['success'], True)

    def test_forms_of_logs(self):
        """As PM2's clients send them; they are read back."""
        self.start()
        wire = self.wire()
        path = os.path.join(self.daemon.apps, 'all.log')
        wire.value('prepare', self.app(log_date_format='YYYY', time=False, log_type='json', pm_log_path=path))
        env = wire.value('getMonitorData', {})[0]['pm2_env']
        self.assertEqual((env['log_date_format'], env['log_type'], env['time']), ('YYYY', 'json', False))
        self.assertIn(env['pm_log_path'], (path, path.replace('.log', '-0.log')))
        harness.wait_until(lambda: os.path.exists(env['pm_log_path']), 'the log of both is there')

    def test_cron_restart(self):
        """As PM2's clients send it and read it back: 0 takes it away."""
        self.start()
        wire = self.wire()
        wire.value('prepare', self.app(cron_restart='0 0 29 2 *'))
        self.assertEqual(wire.value('getMonitorData', {})[0]['pm2_env']['cron_restart'], '0 0 29 2 *')
        self.assertGreater(self.client.describe('0')[0]['pm2_env']['next_cron_run'], 0)
        for off in ('0', 0, False):
            wire.value('restartProcessId', {'id': 0, 'env': {'current_conf': {'cron_restart': off}}})
            self.assertEqual(self.client.describe('0')[0]['pm2_env']['next_cron_run'], 0)
            self.assertIs(wire.value('getMonitorData', {})[0]['pm2_env']['cron_restart'], False)
            wire.value('restartProcessId', {'id': 0, 'env': {'current_conf': {'cron_restart': '@daily'}}})
            self.assertGreater(self.client.describe('0')[0]['pm2_env']['next_cron_run'], 0)
        wire.value('stopProcessId', 0)
        self.assertEqual(self.client.describe('0')[0]['pm2_env']['next_cron_run'], 0)

    def test_what_is_no_attribute_comes_back(self):
        self.start()
        wire = self.wire()
        given = {'km_link': False, 'vizion': True, 'mine': {'deep': [1, {'x': None}]}, 'windowsHide': True, 'filter_env': ['X']}
        wire.value('prepare', self.app(**given))
        env = wire.value('getMonitorData', {})[0]['pm2_env']
        self.assertEqual({key: env[key] for key in given}, given)
        wire.value('restartProcessId', {'id': 0, 'env': {'current_conf': {'mine': 5, 'vizion': 'null'}, 'NEW': 'x'}})
        env = wire.value('getMonitorData', {})[0]['pm2_env']
        self.assertEqual((env['mine'], env['km_link'], env['NEW'], env['env']['NEW']), (5, False, 'x', 'x'))
        self.assertNotIn('vizion', env)

    def test_both_faces_show_the_same(self):
        self.start()
        wire = self.wire()
        wire.value('prepare', self.app())
        self.client.start(self.sleeper(), name='other', env={'A': 'b'})
        ours = {one['name']: one['pid'] for one in self.client.list()}
        theirs = {one['name']: one['pid'] for one in wire.value('getMonitorData', {})}
        self.assertEqual(ours, theirs)
        self.assertEqual(wire.value('getMonitorData', {})[1]['pm2_env']['env']['A'], 'b')

    def test_statuses_have_pm2_s_words(self):
        self.start()
        wire = self.wire()
        crash = self.script('crash.sh', '#!/bin/sh\nexit 3\n')
        wire.value('prepare', self.app(name='crash', pm_exec_path=crash, restart_delay=600000))
        listed = wait_until(lambda: [one for one in wire.value('getMonitorData', {})
                                     if one['pm2_env']['status'] == 'waiting restart'], 'it waits')
        self.assertEqual((listed[0]['pm2_env']['exit_code'], listed[0]['pid']), (3, 0))
        wire.value('stopProcessId', 0)
        self.assertEqual(wire.value('getMonitorData', {})[0]['pm2_env']['status'], 'stopped')

    def test_registered_as_stopped(self):
        """As "pm2 resurrect" does with what was stopped."""
        self.start()
        wire = self.wire()
        app = self.app(status='stopped', pm_id=7, restart_time=3, pm_uptime=1)
        del app['instances']
        entry, = wire.value('prepare', app)
        self.assertEqual((entry['pm2_env']['status'], entry['pid'], entry['pm2_env']['pm_id']), ('stopped', 0, 0))
        started = wire.value('startProcessId', '0')
        self.assertEqual(started['pm2_env']['status'], 'online')
        self.assertEqual(wire.error('startProcessId', 0), 'process already online')


WORKER = '''
const fs = require('fs')
if (process.env.MODE === 'exit') process.exit(3)
process.on('message', (message) => {
  if (message === 'shutdown') {
    fs.appendFileSync('heard', `${process.env.restart_time}\\n`)
    process.exit(0)
  }
})
require('net').createServer().listen(0, () => {
  process.send({ type: 'listens', data: 1 })
  // the first is ready at once, others when they may be
  const timer = setInterval(() => {
    if (process.env.restart_time !== '0' && !fs.existsSync('go')) return
    clearInterval(timer)
    process.send('ready')
  }, 10)
})
'''


class Cluster(Face):
    def worker(self, **values):
        return self.app(pm_exec_path=self.script('worker.js', WORKER), exec_interpreter='node', exec_mode='cluster_mode',
                        **values)

    def begin(self, **values):
        self.start()
        wire = self.wire()
        return wire, wire.value('prepare', self.worker(**values))[0]

    def bus(self):
        bus = Wire(self.socket_path('pub.sock'))
        self.addCleanup(bus.close)
        return bus

    def told(self, bus, last):
        """What is told of processes, up to an event."""
        events = []
        while not events or events[-1][0] != last:
            name, payload = bus.frame()
            if name == b's:process:event':
                payload = json.loads(payload[2:])
                events.append((payload['event'], payload['process']['pm_id'], payload['process']['restart_time']))
        return events

    def test_what_is_told_of_one(self):
        wire, started = self.begin(instances=2)
        first, second = wire.value('getMonitorData', {})
        version = wire.value('getVersion', {})
        for one in (started, first, second):
            env = one['pm2_env']
            self.assertEqual((env['exec_mode'], env['instances'], env['_pm2_version']), ('cluster_mode', 2, version))
        wire.value('prepare', self.app(name='forked'))
        self.assertNotIn('_pm2_version', wire.value('getMonitorData', {})[2]['pm2_env'])

    def test_the_reply_of_a_reload_is_the_process_that_runs(self):
        wire, started = self.begin()
        for count, method in enumerate(('reloadProcessId', 'softReloadProcessId'), 1):
            reply = wire.value(method, {'id': 0})
            self.assertEqual(set(reply), {'pid', 'name', 'pm2_env', 'pm_id'})
            self.assertEqual((reply['name'], reply['pm_id'], reply['pm2_env']['status'], reply['pm2_env']['restart_time']),
                             ('app', 0, 'online', count))
            self.assertEqual(reply['pid'], wire.value('getMonitorData', {})[0]['pid'])
        self.assertFalse(harness.is_alive(started['pid']))

    def test_a_soft_reload_says_shutdown(self):
        wire, _ = self.begin()
        wire.value('reloadProcessId', {'id': 0})
        wire.value('softReloadProcessId', {'id': 0})
        wire.value('reloadProcessId', {'id': 0})
        # the second of the four, and nobody else
        self.assertEqual(harness.read_file(self.path('heard')), '1\n')
        wire.value('stopProcessId', 0)
        self.assertEqual(harness.read_file(self.path('heard')), '1\n')

    def test_a_soft_reload_goes_on_with_the_next_supervisor(self):
        wire, started = self.begin(wait_ready=True, listen_timeout=60000)
        bus = self.bus()
        wire.send('softReloadProcessId', {'id': 0})
        while bus.frame()[0] != b's:listens':
            pass
        self.client.manager_call('Reexecute')
        self._client = wait_until(self.daemon.try_connect, 'the successor answers')
        self.assertEqual(self.client.list()[0]['pid'], started['pid'])
        open(self.path('go'), 'w', encoding='ascii').close()
        wait_until(lambda: not harness.is_alive(started['pid']), 'the old one has ended')
        self.assertEqual(harness.read_file(self.path('heard')), '0\n')

    def test_a_reload_that_fails_is_an_error_and_no_more(self):
        wire, started = self.begin(kill_timeout=2000)
        for method in ('reloadProcessId', 'softReloadProcessId'):
            error = wire.error(method, {'id': 0, 'env': {'MODE': 'exit'}})
            self.assertIn('was not reloaded', error)
            self.assertIn('exited with code 3', error)
            wire.error(method, {'id': 0, 'env': {'current_conf': {'max_restarts': 'x'}}})
            listed, = wire.value('getMonitorData', {})
            self.assertEqual((listed['pid'], listed['pm2_env']['restart_time']), (started['pid'], 0))
            self.assertNotIn('MODE', listed['pm2_env'])
        self.assertFalse(os.path.exists(self.path('heard')))
        self.assertEqual(wire.value('reloadProcessId', {'id': 0})['pm2_env']['restart_time'], 1)

    def test_one_reload_at_a_time(self):
        wire, _ = self.begin()
        other = self.wire()
        methods = ('reloadProcessId', 'softReloadProcessId', 'reloadProcessId')
        for method in methods:
            wire.send(method, {'id': 0})
        replies = [json.loads(wire.frame()[0][2:]) for _ in methods]
        refused = {'error': 'Reload already in progress for process id 0, retry later'}
        self.assertEqual([{'error': reply['error']} for reply in replies[:2]], [refused] * 2)
        self.assertEqual(replies[2]['args'][0]['pm2_env']['restart_time'], 1)
        self.assertEqual(other.value('reloadProcessId', {'id': 0})['pm2_env']['restart_time'], 2)

    def test_a_reload_is_told_once(self):
        wire, _ = self.begin()
        bus = self.bus()
        wire.value('reloadProcessId', {'id': 0})
        wire.call('notifyByProcessId', {'id': 0, 'action_name': 'reload', 'manually': True})
        self.assertEqual(self.told(bus, 'reload'), [('online', 0, 1), ('reload', 0, 1)])
        self.client.manager_call('Reload', 'sa{sv}', 'app', harness.options())
        self.assertEqual(self.told(bus, 'reload'), [('online', 0, 2), ('reload', 0, 2)])
        wire.value('stopProcessId', 0)
        self.assertEqual(self.told(bus, 'stop')[0][0], 'exit')

    def test_messages_have_a_revision(self):
        """Of what has a type, as PM2 tells it."""
        self.start()
        bus, wire = self.bus(), self.wire()
        wire.value('prepare', self.worker())
        name, payload = bus.frame()
        while name != b's:listens':
            name, payload = bus.frame()
        self.assertEqual(json.loads(payload[2:])['process'], {'pm_id': 0, 'name': 'app', 'rev': None, 'namespace': 'default'})

    def test_no_line_for_a_cluster(self):
        wire, _ = self.begin()
        text = 'Cannot send line to processes in cluster mode'
        self.assertEqual(wire.error('sendLineToStdin', {'pm_id': 0, 'line': 'x'}), text)
        wire.value('stopProcessId', 0)
        self.assertEqual(wire.error('sendLineToStdin', {'pm_id': 0, 'line': 'x'}), text)

    def test_what_does_not_run_is_started(self):
        wire, _ = self.begin()
        for method in ('reloadProcessId', 'softReloadProcessId'):
            wire.value('stopProcessId', 0)
            reply = wire.value(method, {'id': 0})
            self.assertEqual((reply['pm2_env']['status'], reply['pm2_env']['restart_time']), ('online', 0))
            self.assertEqual(reply['process'], {'pid': reply['pid']})


if __name__ == '__main__':
    harness.main()
