#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""watch: what restarts an app, what does not, and what a stop does to it."""

import ctypes
import os
import shutil
import subprocess
import sys

import harness
from harness import V, wait_until

CLONE_NEWUSER = 0x10000000
STAYS = '#!/bin/sh\nexec sleep 1000\n'
CRASHES = '#!/bin/sh\nexit 3\n'


def write(path, text='x'):
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, 'w', encoding='utf-8') as file:
        file.write(text)


class Base:
    def start_app(self, text=STAYS, name='app', watched=True, **attributes):
        """Its files are in a folder of their own; its logs are elsewhere."""
        folder = self.folder(name)
        script = self.script(name + '.sh', text)
        attributes.setdefault('watch', True)
        path = self.client.start(script, name=name, cwd=folder, **attributes)[0]
        if watched:
            self.wait_watching(path)
        return path

    def folder(self, name='app'):
        folder = os.path.join(self.daemon.apps, name)
        os.makedirs(folder, exist_ok=True)
        return folder

    def file(self, name, app='app'):
        return os.path.join(self.folder(app), name)

    def wait_watching(self, path, watching=True):
        self.client.wait_property(path, 'Watching', lambda value: value == watching)

    def history(self, target='app'):
        return self.client.manager_call('RecentEvents', 'su', target, 0)

    def now(self, target='app'):
        """A time that is before all that follows."""
        return max(entry['at'] for entry in self.history(target))

    def told(self, since=0, target='app'):
        """The paths that it was restarted for."""
        return [entry['reason'] for entry in self.history(target) if entry['event'] == 'watch' and entry['at'] > since]

    def assert_restarted_for(self, act, path, app='app'):
        since = self.now(app)
        act()
        wait_until(lambda: path in self.told(since, app), f'it was restarted for {path}')
        self.client.wait_status(self.client.manager_call('GetProcessesByName', 's', app)[0], 'online')

    def change(self, name, app='app', told=None):
        """Write a file, and wait for the restart for it, or for the folder that it made."""
        self.assert_restarted_for(lambda: write(self.file(name, app)), self.file(told or name, app), app)

    def assert_ignored(self, act, app='app'):
        """What follows it does restart it, and comes first."""
        since = self.now(app)
        act()
        end = self.file('seen', app)
        write(end)
        wait_until(lambda: self.told(since, app), 'it was restarted')
        self.assertEqual(self.told(since, app)[0], end)
        self.client.wait_status(self.client.manager_call('GetProcessesByName', 's', app)[0], 'online')

    def set(self, target='app', **attributes):
        self.client.manager_call('SetProperties', 'sa{sv}', target, harness.options(**attributes))


class Changes(Base, harness.Case):
    def test_watch(self):
        """A file that is written, made, removed or renamed, in any folder, also in one that has just come."""
        write(self.file('old.txt'))
        write(self.file('src/deep/a.js'))
        path = self.start_app()
        pid = self.client.property(path, 'Pid')
        self.change('src/deep/a.js')
        self.assertNotEqual(self.client.property(path, 'Pid'), pid)
        self.assertEqual(self.client.property(path, 'LastReason'), 'restarted by watch')
        self.assertEqual(self.client.property(path, 'RestartCount'), 1)
        self.assert_restarted_for(lambda: os.unlink(self.file('old.txt')), self.file('old.txt'))
        self.assert_restarted_for(lambda: os.rename(self.file('src/deep/a.js'), self.file('src/deep/b.js')),
                                  self.file('src/deep/a.js'))
        self.assert_restarted_for(lambda: os.makedirs(self.file('new/one/two')), self.file('new'))
        self.change('new/one/two/c.js')
        self.assert_restarted_for(lambda: os.rename(self.file('new/one'), self.file('moved')), self.file('new/one'))
        self.change('moved/two/c.js')
        self.assert_restarted_for(lambda: shutil.rmtree(self.file('moved/two')), self.file('moved/two/c.js'))
        self.change('moved/d.js')
        self.assertTrue(self.client.property(path, 'Watching'))

    def test_moved_in_and_out(self):
        outside = self.folder('outside')
        write(os.path.join(outside, 'tree/sub/a.js'))
        self.start_app()
        self.assert_restarted_for(lambda: os.rename(os.path.join(outside, 'tree'), self.file('tree')), self.file('tree'))
        self.change('tree/sub/a.js')
        self.assert_restarted_for(lambda: os.rename(self.file('tree'), os.path.join(outside, 'tree')), self.file('tree'))
        self.assert_ignored(lambda: write(os.path.join(outside, 'tree/sub/a.js')))

    def test_paths(self):
        """A folder, a file that an editor replaces, and what is not there yet."""
        write(self.file('lib/a.js'))
        write(self.file('server.js'))
        path = self.start_app(watch=['lib', 'server.js', './later/conf', self.folder('other')])
        self.assertEqual(self.client.describe('app')[0]['pm2_env']['watch'],
                         ['lib', 'server.js', './later/conf', self.folder('other')])
        self.change('lib/a.js')
        self.change('server.js')

        def replace():
            write(self.file('.server.js.swp'))
            os.rename(self.file('.server.js.swp'), self.file('server.js'))
        self.assert_restarted_for(replace, self.file('server.js'))
        self.change('server.js')
        self.change('later/conf/a.json', told='later/conf')
        self.change('later/conf/b.json')
        self.assert_restarted_for(lambda: os.rename(self.file('later/conf'), self.file('later/conf.old')),
                                  self.file('later/conf'))
        self.assert_restarted_for(lambda: os.rename(self.file('later/conf.old'), self.file('later/conf')),
                                  self.file('later/conf'))
        self.change('later/conf/b.json')
        since = self.now()
        write(self.file('unwatched.js'))
        self.change('lib/b.js')
        self.assertEqual(self.told(since)[0], self.file('lib/b.js'))
        self.assertTrue(self.client.property(path, 'Watching'))

    def test_links(self):
        """Folders behind them are watched, once; loops are none."""
        outside = self.folder('outside')
        write(os.path.join(outside, 'a.js'))
        os.symlink(outside, self.file('linked'))
        os.makedirs(self.file('deep'))
        os.symlink('..', self.file('deep/loop'))
        os.symlink('.', self.file('self'))
        os.symlink('nowhere', self.file('broken'))
        path = self.start_app()
        self.assertTrue(self.client.property(path, 'Watching'))
        self.assert_restarted_for(lambda: write(os.path.join(outside, 'a.js')), self.file('linked/a.js'))
        second = self.folder('second')
        self.assert_restarted_for(lambda: os.symlink(second, self.file('new')), self.file('new'))

    def test_links_left_alone(self):
        outside = self.folder('outside')
        write(os.path.join(outside, 'a.js'))
        os.symlink(outside, self.file('linked'))
        self.start_app(watch_options=V('a{sv}', {'followSymlinks': V('b', False)}))
        self.assert_ignored(lambda: write(os.path.join(outside, 'a.js')))

    def test_many_changes_one_restart(self):
        path = self.start_app(watch_delay='1s')
        since = self.now()
        for i in range(300):
            write(self.file(f'd{i % 7}/f{i}'))
        wait_until(lambda: self.told(since), 'it was restarted')
        self.assertEqual(self.told(since), [self.file('d0')])
        self.client.wait_property(path, 'RestartCount', 1)

    def test_watch_delay(self):
        """So long nothing may change before the restart."""
        self.start_app(watch_delay=700)
        self.change('a')
        at = {entry['event']: entry['at'] for entry in self.history()}
        changed = os.stat(self.file('a')).st_mtime_ns // 1000
        self.assertGreaterEqual(at['watch'] - changed, 650000)

    def test_change_while_it_is_restarted(self):
        """It has one more restart, for what it may have read too early."""
        path = self.start_app('#!/bin/sh\ntrap "" INT\nexec sleep 1000\n', kill_timeout='2s')
        pid = self.client.property(path, 'Pid')
        write(self.file('a'))
        self.client.wait_status(path, 'stopping')
        write(self.file('b'))
        wait_until(lambda: self.file('b') in self.told(), 'there are two restarts')
        self.assertEqual(self.told()[0], self.file('a'))
        self.assertNotEqual(self.client.property(path, 'Pid'), pid)

    def test_instances(self):
        """One watcher, and each of them is restarted once."""
        self.start_app(instances=3)
        paths = self.client.manager_call('GetProcessesByName', 's', 'app')
        for path in paths:
            self.wait_watching(path)
        self.assertEqual(self.watches(), 1)
        write(self.file('a'))
        for path in paths:
            self.client.wait_property(path, 'RestartCount', lambda count: count == 1)
            self.client.wait_status(path, 'online')
        self.assertEqual([self.client.property(path, 'RestartCount') for path in paths], [1, 1, 1])

    def watches(self):
        """Folders that are watched, of the kind that this is about."""
        folder = os.stat(self.folder()).st_ino
        pid, count = self.daemon.process.pid, 0
        for name in os.listdir(f'/proc/{pid}/fdinfo'):
            with open(f'/proc/{pid}/fdinfo/{name}', encoding='ascii') as file:
                count += sum(line.startswith('inotify ') and f' ino:{folder:x} ' in line for line in file)
        return count


class Ignored(Base, harness.Case):
    def test_ignore_watch(self):
        """Globs from the working directory, and regular expressions."""
        for name in ('tmp/a', 'a.log', 'sub/a.log', 'cache/x/y', 'keep.log'):
            write(self.file(name))
        self.start_app(ignore_watch=['tmp', '*.log', '/cache\\/[xy]/', '!keep.log', 'none/{a,b}/**'])
        for name in ('tmp/a', 'tmp/new/b', 'a.log', 'cache/x/y', 'cache/y'):
            with self.subTest(name):
                self.assert_ignored(lambda: write(self.file(name)))
        for name, told in (('sub/a.log', None), ('cache/z', None), ('keep.log', None), ('node_modules/a.js', 'node_modules'),
                           ('.env', None)):
            with self.subTest(name):
                self.change(name, told=told)

    def test_the_default(self):
        for name in ('.git/index', 'node_modules/a/b.js', '.env'):
            write(self.file(name))
        self.start_app()
        for name in ('.git/index', 'node_modules/a/b.js', '.env', '.new/x'):
            with self.subTest(name):
                self.assert_ignored(lambda: write(self.file(name)))

    def test_odd_names(self):
        """Names are any bytes."""
        self.start_app()
        since = self.now()
        with open(os.fsencode(self.folder()) + b'/\xff\n', 'wb'):
            pass
        wait_until(lambda: self.told(since), 'it was restarted')
        self.assertEqual(self.told(since)[0], self.file('\ufffd?'))

    def test_a_hidden_folder_above(self):
        """What counts is below the watched folder."""
        folder = self.folder('.hidden')
        path = self.client.start(self.script('app.sh', STAYS), name='app', cwd=folder, watch=True)[0]
        self.wait_watching(path)
        self.assert_restarted_for(lambda: write(os.path.join(folder, 'a.js')), os.path.join(folder, 'a.js'))

    def test_own_files(self):
        """Logs and pid files in the watched folder, its own and those of others, restart nobody."""
        folder = self.folder()
        names = {'out_file': 'out.log', 'error_file': 'err.log', 'pid_file': 'app.pid'}
        linked = os.path.join(self.daemon.apps, 'linked')
        os.symlink(folder, linked)
        self.start_app('#!/bin/sh\necho out\necho err >&2\nexec sleep 1000\n',
                              **{key: self.file(name) for key, name in names.items()})
        self.client.start(self.script('other.sh', '#!/bin/sh\necho out\nexec sleep 1000\n'), name='other', cwd='/',
                          out_file=os.path.join(linked, 'other.log'), error_file='/dev/null', pid_file=self.file('other.pid'))
        self.assert_ignored(lambda: self.client.restart('other'))
        self.assert_ignored(lambda: write(self.file('out.log.3.zst')))

    def test_what_cannot_be_is_refused(self):
        for attributes, mentions in (
                ({'watch': 5}, 'watch: expected'), ({'watch': V('av', [V('i', 5)])}, 'watch: expected'), ({'watch': ['']}, 'watch: a path'),
                ({'watch': ['a'] * 65}, 'watch: over 64'), ({'ignore_watch': ['/(/']}, 'ignore_watch[0]: "/(/" is no regular'),
                ({'ignore_watch': ['a', '/(*NO_JIT)/']}, 'ignore_watch[1]'), ({'ignore_watch': ['x' * 2000]}, 'over 1024 bytes'),
                ({'ignore_watch': ['a'] * 65}, 'ignore_watch: over 64'),
                ({'ignore_watch': ['/a/'] * 9}, 'ignore_watch: over 8 regular'),
                ({'watch_options': V('a{sv}', {'followSymlinks': V('s', 'x')})}, 'watch_options.followSymlinks: expected'),
                ({'watch_delay': -1}, 'watch_delay')):
            with self.subTest(attributes=attributes):
                try:
                    self.client.start(self.sleeper(), name='bad', cwd='/', **attributes)
                    self.fail('it was taken')
                except harness.DBusError as error:
                    self.assertIn(mentions.replace('"', "'"), str(error).replace('"', "'"))
        self.assertEqual(self.client.list(), [])


class Stops(Base, harness.Case):
    def test_stopped_by_hand(self):
        """Nothing is watched until it is started; then it is as before."""
        write(self.file('lib/a'))
        path = self.start_app(watch=['lib'])
        self.client.stop('app')
        self.assertFalse(self.client.property(path, 'Watching'))
        self.start_app(name='witness')
        write(self.file('lib/a'))
        self.change('a', app='witness')
        self.assertEqual(self.client.property(path, 'Status'), 'stopped')
        self.client.restart('app')
        self.wait_watching(path)
        self.change('lib/a')

    def test_errored(self):
        """A change may be what it needed."""
        script = self.script('app.sh', CRASHES)
        path = self.client.start(script, name='app', cwd=self.folder(), watch=True, max_restarts=2, wait=False)[0]
        self.client.wait_status(path, 'errored')
        self.wait_watching(path)
        self.script('app.sh', STAYS)
        write(self.file('a'))
        self.client.wait_status(path, 'online')

    def test_not_started_yet(self):
        path = self.start_app(watched=False, autostart=False)
        self.assertFalse(self.client.property(path, 'Watching'))
        self.client.restart('app')
        self.wait_watching(path)

    def test_script_is_gone(self):
        """What runs goes on, and the next change is seen."""
        path = self.start_app()
        wait_until(lambda: 'sleep' in harness.command_line(self.client.property(path, 'Pid')), 'the shell has read it')
        os.unlink(self.path('app.sh'))
        write(self.file('a'))
        wait_until(lambda: 'failed' in [entry['event'] for entry in self.history()], 'the restart failed')
        self.assertEqual(self.client.property(path, 'Status'), 'online')
        self.script('app.sh', STAYS)
        self.change('b')

    def test_set(self):
        """On and off while it runs."""
        path = self.start_app(watched=False, watch=False)
        pid = self.client.property(path, 'Pid')
        self.set(watch=['lib'])
        self.wait_watching(path)
        self.change('lib/a', told='lib')
        self.set(watch=False)
        self.assertFalse(self.client.property(path, 'Watching'))
        self.assertNotEqual(self.client.property(path, 'Pid'), pid)
        self.assertEqual(self.pm2ctl('set', 'app', 'watch=true').returncode, 0)
        self.wait_watching(path)
        self.change('b')

    def test_pm2ctl(self):
        folder = self.folder()
        write(self.file('lib/a'))
        self.pm2ctl('start', self.script('app.sh', STAYS), '--name', 'app', '--cwd', folder, '--watch=lib', '--ignore-watch',
                    'lib/tmp lib/b', '--watch-delay', '0')
        path = self.client.manager_call('GetProcessesByName', 's', 'app')[0]
        self.wait_watching(path)
        shown = self.client.describe('app')[0]['pm2_env']
        self.assertEqual((shown['watch'], shown['ignore_watch']), (['lib'], ['lib/tmp', 'lib/b']))
        self.change('lib/a')

    def test_document(self):
        write(self.file('app.config.js'), 'module.exports = {apps: [{name: "app", script: "%s", cwd: "%s", watch: ["lib"], '
              'ignore_watch: [/\\.tmp$/i, "x"]}]}' % (self.script('app.sh', STAYS), self.folder()))
        if not shutil.which('node'):
            self.skipTest('there is no node')
        self.pm2ctl('start', self.file('app.config.js'))
        shown = self.client.describe('app')[0]['pm2_env']
        self.assertEqual((shown['watch'], shown['ignore_watch']), (['lib'], ['/\\.tmp$/i', 'x']))


def limit_watches():
    """In the child: a user namespace in which 20 folders can be watched."""
    user = os.getuid()
    if ctypes.CDLL(None, use_errno=True).unshare(CLONE_NEWUSER) < 0:
        raise OSError(ctypes.get_errno(), 'unshare')
    for path, text in (('/proc/self/setgroups', 'deny'), ('/proc/self/uid_map', f'0 {user} 1'),
                       ('/proc/sys/user/max_inotify_watches', '20')):
        with open(path, 'w', encoding='ascii') as file:
            file.write(text)


def can_limit():
    return subprocess.run(['/usr/bin/python3', os.path.abspath(__file__), '--limit'], check=False, capture_output=True).returncode == 0


class Exhausted(Base, harness.Case):
    def setUp(self):
        super().setUp()
        if not can_limit():
            self.skipTest('a user namespace cannot be had')
        self._daemon = self.new_daemon(preexec=limit_watches)
        self._daemon.start()

    def test_no_watches_left(self):
        """The app runs, and says why it watches nothing; others go on; and with less to watch it watches again."""
        for i in range(40):
            os.makedirs(self.file(f'd{i}'))
        small = self.start_app(name='small')
        path = self.start_app(watched=False)
        text = self.client.wait_property(path, 'StatusText', lambda text: text)
        figure = harness.read_file('/proc/sys/fs/inotify/max_user_watches').strip()
        self.assertIn(f'fs.inotify.max_user_watches is {figure}', text)
        self.assertIn('fs.inotify.max_user_watches', self.told()[-1])
        self.assertEqual((self.client.property(path, 'Status'), self.client.property(path, 'Watching')), ('online', False))
        self.assertTrue(self.client.property(small, 'Watching'))
        self.change('a', app='small')
        self.set(watch=['d1'])
        self.wait_watching(path)
        self.assertEqual(self.client.property(path, 'StatusText'), '')
        self.change('d1/a')


class Survival(Base, harness.Case):
    def test_a_new_supervisor(self):
        """It watches again, what it watched before."""
        write(self.file('lib/a'))
        path = self.start_app(watch=['lib'])
        self.client.manager_call('Reexecute')
        self._client = wait_until(self.daemon.try_connect, 'the successor answers')
        self.wait_watching(path)
        self.change('lib/a')

    def test_saved(self):
        self.start_app(watch=['lib'], ignore_watch=['tmp'], watch_delay=50)
        self.client.manager_call('Save', 'sa{sv}', '', {})
        self.client.delete('app')
        self.client.manager_call('Resurrect', 'sa{sv}', '', {})
        shown = self.client.describe('app')[0]['pm2_env']
        self.assertEqual((shown['watch'], shown['ignore_watch'], shown['watch_delay']), (['lib'], ['tmp'], 50))
        self.wait_watching(self.client.manager_call('GetProcessesByName', 's', 'app')[0])


if __name__ == '__main__':
    if sys.argv[1:] == ['--limit']:
        limit_watches()
        sys.exit()
    harness.main()
