#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""watch on 100,000 files: what it costs when nothing changes, how soon a change is seen, and that many of them make one
restart and lose none.

    PM2D_TEST_SECONDS=20   how long files are renamed, the supervisor is idle for half of that"""

import os
import statistics
import subprocess
import threading
import time

import harness
from harness import wait_until

SECONDS = int(os.environ.get('PM2D_TEST_SECONDS', '20'))
FOLDERS, FILES = 2000, 50
CHECKOUT = 5000
# Says when it began, and what it found.
APP = '#!/bin/sh\ndate +%s.%N >>"$STARTS"\ncat last >>"$FOUND" 2>/dev/null\nexec sleep 1000\n'


def write(path, text='x'):
    with open(path, 'w', encoding='ascii') as file:
        file.write(text)


def switches(pid):
    """How often it was put to sleep, or stopped: what it is woken for ends in one."""
    lines = harness.read_file(f'/proc/{pid}/status').splitlines()
    return sum(int(line.split()[1]) for line in lines if 'ctxt_switches' in line)


class Many(harness.Case):
    def setUp(self):
        super().setUp()
        self.folder = self.daemon.make_folder('tree')

    def start_app(self, **attributes):
        return self.client.start(self.script('app.sh', APP), name='app', cwd=self.folder, watch=True,
                                 env={'STARTS': self.path('starts'), 'FOUND': self.path('found')}, **attributes)[0]

    def wait_watching(self, path):
        self.client.wait_property(path, 'Watching', True)

    def starts(self):
        return [float(line) for line in harness.read_file(self.path('starts')).split()]

    def history(self):
        return self.client.manager_call('RecentEvents', 'su', 'app', 0)

    def settle(self, seconds=1.0):
        """Until it was not started for so long."""
        wait_until(lambda: os.path.exists(self.path('starts')), 'it runs')

        def still():
            starts = self.starts()
            return starts and time.time() - starts[-1] > seconds and self.client.list()[0]['pm2_env']['status'] == 'online'
        wait_until(still, 'it is left alone')

    def test_many_files(self):
        for i in range(FOLDERS):
            folder = os.path.join(self.folder, f'd{i % 40}', f'd{i}')
            os.makedirs(folder)
            for j in range(FILES):
                os.close(os.open(f'{folder}/f{j}', os.O_CREAT | os.O_WRONLY))
        began = time.monotonic()
        path = self.start_app()
        self.wait_watching(path)
        print(f'# {FOLDERS * FILES} files are watched after {time.monotonic() - began:.2f} s', flush=True)
        self.settle(3)
        pid = self.daemon.process.pid
        wait_until(lambda: harness.process_state(pid) == 'S', 'it has answered all that it was asked')
        before = switches(pid)
        time.sleep(SECONDS / 2)
        self.assertEqual(switches(pid), before, 'it was woken')
        late = []
        for i in range(15):
            count = len(self.starts())
            write(os.path.join(self.folder, f'd{i % 40}', f'd{i}', 'f1'), str(i))
            changed = time.time()
            wait_until(lambda: len(self.starts()) > count, 'it was restarted')
            late.append(self.starts()[count] - changed)
            self.settle(0.3)
        print(f'# restarted after {statistics.median(late) * 1000:.0f} ms (median), {max(late) * 1000:.0f} ms at most', flush=True)
        if not harness.SANITIZED:
            self.assertLess(statistics.median(late), 0.2)

    def test_checkout(self):
        git = ['git', '-C', self.folder, '-c', 'user.name=x', '-c', 'user.email=x', '-c', 'gc.auto=0']
        subprocess.run([*git, 'init', '-q'], check=True)
        for version in ('one', 'two'):
            for i in range(CHECKOUT):
                folder = os.path.join(self.folder, f'd{i % 100}')
                os.makedirs(folder, exist_ok=True)
                write(os.path.join(folder, f'f{i}'), version)
            subprocess.run([*git, 'add', '-A'], check=True)
            subprocess.run([*git, 'commit', '-q', '-m', version], check=True)
        path = self.start_app()
        self.wait_watching(path)
        self.settle(0.3)
        count = len(self.starts())
        began = time.monotonic()
        subprocess.run([*git, 'checkout', '-q', 'HEAD~1'], check=True)
        print(f'# {CHECKOUT} files were changed in {time.monotonic() - began:.2f} s', flush=True)
        wait_until(lambda: len(self.starts()) > count, 'it was restarted')
        self.settle()
        self.assertEqual(len(self.starts()), count + 1)

    def test_rename_storm(self):
        """Whatever was there last is what the last start finds."""
        path = self.start_app()
        self.wait_watching(path)
        answers = []
        end = time.monotonic() + SECONDS

        def ask():
            client = self.daemon.connect()
            while time.monotonic() < end:
                began = time.monotonic()
                client.list()
                answers.append(time.monotonic() - began)
                time.sleep(0.02)
        asking = threading.Thread(target=ask)
        asking.start()
        for i in range(200):
            os.makedirs(os.path.join(self.folder, f'tree{i}', 'sub'))
        n = 0
        while time.monotonic() < end:
            n += 1
            one, other = (os.path.join(self.folder, f'{"ab"[k]}{n // 2 % 100}') for k in (n % 2, 1 - n % 2))
            write(one, str(n))
            os.rename(one, other)
            tree = os.path.join(self.folder, f'tree{n % 200}')
            os.rename(tree, tree + '.x')
            os.rename(tree + '.x', tree)
        asking.join()
        write(os.path.join(self.folder, 'tree7', 'sub', 'z'))
        write(os.path.join(self.folder, 'last'), f'{n}\n')
        wait_until(lambda: harness.read_file(self.path('found')).split()[-1:] == [str(n)] if
                   os.path.exists(self.path('found')) else False, 'the last change was seen')
        print(f'# {n} files and as many folders renamed twice, {len(self.starts()) - 1} restarts, '
              f'answers within {max(answers) * 1000:.0f} ms', flush=True)
        self.settle()
        count = len(self.starts())
        write(os.path.join(self.folder, 'tree7', 'sub', 'z'))
        wait_until(lambda: len(self.starts()) > count, 'the tree is still watched')


if __name__ == '__main__':
    harness.main()
