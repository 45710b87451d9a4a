#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Logs that pm2d writes itself, while it is killed again and again and its unit restarted; and the real journal.

    PM2D_TEST_LOG_KILLS       default 30
"""

import json
import os
import random
import re
import subprocess
import time

import booted
from booted import wait_until
from test_survival import SEED, SurvivalCase

KILLS = int(os.environ.get('PM2D_TEST_LOG_KILLS', '30'))
DATE = re.compile(rb'\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d: ')
# Numbered lines in pieces of any size, until a file is there; then how many there were.
NUMBERS = '''#!/usr/bin/python3
import os, random, sys, time
stop = sys.argv[1]
choice = random.Random(1)
number, rest = 0, b""
while not os.path.exists(stop):
    size = choice.choice((1, 10, 4096, 65536, 300000))
    while len(rest) < size:
        rest += b"%d %s\\n" % (number, b"\\xc3\\xa4" * (number * 7919 % 67))
        number += 1
    rest = rest[os.write(1, rest[:size]):]
    time.sleep(0.005)
rest += b"no newline"
while rest:
    rest = rest[os.write(1, rest):]
with open(stop + ".new", "w") as file:
    file.write(f"{number}\\n")
os.rename(stop + ".new", stop + ".count")
time.sleep(1000)
'''


class Logs(SurvivalCase):
    def test_nothing_is_lost_or_doubled(self):
        choice, stop = random.Random(SEED), self.path('stop')
        logs = [self.path('out.log'), self.path('all.log')]
        path = self.start_one('app', NUMBERS, args=[stop], out_file=logs[0], log_file=logs[1], error_file='NULL', time=True,
                              log_max_size='0', autorestart=False, kill_signal='SIGKILL')
        pid = self.state()[path]['Pid']
        for kill in range(KILLS):
            size = os.path.getsize(logs[0])
            wait_until(lambda before=size: os.path.getsize(logs[0]) > before, 'it goes on')
            time.sleep(choice.random() * 0.05)
            if kill % 10 == 9:
                self.instance.systemctl('restart', 'pm2')
                self.reconnect()
            else:
                self.end_daemon()
        self.assertEqual(self.state()[path]['Pid'], pid)
        with open(stop, 'w', encoding='ascii'):
            pass
        os.chmod(stop, 0o644)
        wait_until(lambda: os.path.exists(f'{stop}.count'), 'it has written all')
        with open(f'{stop}.count', encoding='ascii') as file:
            count = int(file.read())
        self.client.manager_call('Stop', 'sa{sv}', 'app', {})
        expected = b''.join(b'%d %s\n' % (number, b'\xc3\xa4' * (number * 7919 % 67)) for number in range(count)) + b'no newline\n'
        for log in logs:
            with open(log, 'rb') as file:
                lines = file.read().split(b'\n')
            self.assertEqual(lines.pop(), b'')
            self.assertFalse([line[:80] for line in lines if not DATE.match(line)])
            self.assertTrue(b''.join(DATE.sub(b'', line, count=1) + b'\n' for line in lines) == expected, log)
        self.client.manager_call('Delete', 'sa{sv}', 'app', {})

    def test_journal(self):
        mark = f'{self.id()} {time.time_ns()}'
        self.start_one('talker', '#!/bin/sh\necho "<4>careful, $1"\necho "oops, $1" >&2\nexec sleep 100000\n',
                       args=[mark], log_target='journal')

        def entries():
            command = ['journalctl', '-o', 'json', '--no-pager', 'PM2_NAME=talker']
            lines = subprocess.run(command, capture_output=True, text=True, check=False).stdout.splitlines()
            return [entry for entry in map(json.loads, lines) if mark in entry['MESSAGE']]

        wait_until(lambda: len(entries()) == 2, 'both lines are in the journal')
        found = sorted((entry['MESSAGE'].split(',')[0], entry['PRIORITY'], entry['PM2_STREAM']) for entry in entries())
        self.assertEqual(found, [('careful', '4', 'out'), ('oops', '3', 'err')])


if __name__ == '__main__':
    booted.main()
