#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""What it takes to get the output of programs into bounded files: MB/s until all of it is there, and the processor
time of whoever takes it, a GB. Direct (the program itself appends, pm2d trims) beside a program that writes to a file
that nobody bounds; the pump (each line with its time) beside s6-log and svlogd with theirs; PM2 and supervisord as they
come. 1 and 50 writers, lines of 100 bytes, written one at a time or 64 KiB at once. Needs tools/install-npm and Debian's
supervisor, s6 and runit (tools/install-deps bench); a peer that is not there is left out and named.

    PM2D_TEST_BENCH_BYTES   how much a round writes in all (default: 1000000000; half of it with small writes)
    PM2D_TEST_DISK          a folder on a disk file system (default: build)
"""

import json
import os
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(os.path.dirname(HERE), 'integration'))
import harness  # noqa: E402
from harness import read_file, wait_until  # noqa: E402

TOTAL = int(os.environ.get('PM2D_TEST_BENCH_BYTES', '1000000000'))
DISK = os.environ.get('PM2D_TEST_DISK', os.path.join(harness.TOP, 'build'))
WRITER = os.path.join(os.environ['PM2D_BUILD_DIR'], 'tests', 'bench', 'log-writer')
PM2 = os.path.join(harness.TOP, 'build', 'npm', 'node_modules', 'pm2', 'bin', 'pm2')
ROUNDS = int(os.environ.get('PM2D_TEST_BENCH_COUNT', '3'))
SIZE, KEPT = 10 * 1024 * 1024, 5
BUDGET = {'direct_to_plain': 0.9, 'trimming_cpu_seconds_per_gb': 0.5, 'pump_to_s6_log': 1.0, 'pump_to_svlogd': 1.0}
DATE = 'YYYY-MM-DDTHH:mm:ss.SSS'


def cpu_seconds(pids, children=True):
    """Of those, and of the children that they have waited for."""
    total = 0
    for pid in pids:
        fields = read_file(f'/proc/{pid}/stat').rpartition(')')[2].split()
        total += sum(map(int, fields[11:15 if children else 13]))
    return total / os.sysconf('SC_CLK_TCK')


def tail(path):
    try:
        with open(path, 'rb') as file:
            file.seek(max(os.fstat(file.fileno()).st_size - 200, 0))
            return file.read()
    except OSError:
        return b''


def find_end(path):
    """The microseconds of a writer whose last line has come, if need be in the file that was begun anew right behind it."""
    folder = os.path.dirname(path)
    older = sorted(name for name in os.listdir(folder) if name.startswith('@')) if os.path.basename(path) == 'current' else []
    for candidate in (path, path + '.1', *(os.path.join(folder, name) for name in older[-1:])):
        found = re.search(rb'END (\d+)\n\Z', tail(candidate))
        if found:
            return int(found[1])
    return None


class Round:
    """Some writers that wait for their gate, and what their output goes to."""

    def __init__(self, peer, writers, write_bytes):
        self.folder = tempfile.mkdtemp(prefix='bench-logs-', dir=DISK)
        self.gate = os.path.join(self.folder, 'gate')
        os.mkfifo(self.gate)
        self.total = TOTAL // (2 if write_bytes < 1024 else 1)
        self.command = [WRITER, self.gate, str(self.total // writers // write_bytes * write_bytes), str(write_bytes)]
        self.writers, self.peer = writers, peer

    def path(self, number):
        return os.path.join(self.folder, f'{number}.log')

    def run(self):
        peer = self.peer(self)
        try:
            files = peer.start()
            wait_until(lambda: len(self.waiting()) == self.writers, 'all wait at the gate')
            before, began = cpu_seconds(peer.pids()), time.monotonic()
            gate = os.open(self.gate, os.O_WRONLY)
            left = set(files)
            written = 0
            while left:
                time.sleep(0.002)
                for path in list(left):
                    found = find_end(path)
                    if found is not None:
                        written += found
                        left.remove(path)
            seconds = time.monotonic() - began
            spent = cpu_seconds(peer.pids()) - before
            os.close(gate)
            return {'mb_per_second': self.total / 1e6 / seconds, 'cpu_seconds_per_gb': spent * 1e9 / self.total,
                    'writer_cpu_seconds_per_gb': written / 1e6 * 1e9 / self.total}
        finally:
            peer.close()
            shutil.rmtree(self.folder)

    def waiting(self):
        """Writers that are in the open(2) of their gate."""
        found = []
        for pid in filter(str.isdigit, os.listdir('/proc')):
            try:
                if self.gate.encode() in read_bytes(f'/proc/{pid}/cmdline').split(b'\0')[1:2] \
                        and read_file(f'/proc/{pid}/wchan') in ('wait_for_partner', 'fifo_open', 'pipe_wait', '0'):
                    found.append(int(pid))
            except OSError:
                pass
        return found


def read_bytes(path):
    with open(path, 'rb') as file:
        return file.read()


class Plain:
    """Nobody."""

    def __init__(self, work):
        self.work, self.children = work, []

    def start(self):
        for number in range(self.work.writers):
            with open(self.work.path(number), 'ab') as file:
                self.children.append(subprocess.Popen(self.work.command, stdout=file))
        return [self.work.path(number) for number in range(self.work.writers)]

    def pids(self):
        return []

    def close(self):
        for child in self.children:
            child.kill()
            child.wait()


class Loggers(Plain):
    """A program that reads each one's output."""

    def start(self):
        files = []
        self.loggers = []
        for number in range(self.work.writers):
            folder = os.path.join(self.work.folder, str(number))
            os.mkdir(folder)
            logger = subprocess.Popen(self.logger(folder), stdin=subprocess.PIPE, stderr=subprocess.DEVNULL)
            self.loggers.append(logger)
            self.children.append(subprocess.Popen(self.work.command, stdout=logger.stdin))
            logger.stdin.close()
            files.append(os.path.join(folder, 'current'))
        return files

    def pids(self):
        return [logger.pid for logger in self.loggers]

    def close(self):
        super().close()
        for logger in self.loggers:
            logger.wait()


class S6Log(Loggers):
    needs = 's6-log'

    def logger(self, folder):
        return ['s6-log', 'T', f'n{KEPT}', f's{SIZE}', folder]


class Svlogd(Loggers):
    needs = 'svlogd'

    def logger(self, folder):
        with open(os.path.join(folder, 'config'), 'w', encoding='ascii') as file:
            file.write(f's{SIZE}\nn{KEPT}\n')
        return ['svlogd', '-ttt', folder]


class Supervisord:
    needs = 'supervisord'

    def __init__(self, work):
        self.work = work

    def start(self):
        path = os.path.join(self.work.folder, 'supervisord.conf')
        with open(path, 'w', encoding='ascii') as file:
            file.write(f'[supervisord]\nnodaemon=true\nuser=root\nlogfile=/dev/null\nlogfile_maxbytes=0\n'
                       f'pidfile={self.work.folder}/pid\nminfds=4096\n')
            for number in range(self.work.writers):
                file.write(f'[program:w{number}]\ncommand={" ".join(self.work.command)}\nstdout_logfile={self.work.path(number)}\n'
                           f'stdout_logfile_maxbytes={SIZE}\nstdout_logfile_backups={KEPT}\n')
        self.process = subprocess.Popen(['supervisord', '-c', path], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        return [self.work.path(number) for number in range(self.work.writers)]

    def pids(self):
        return [self.process.pid]

    def close(self):
        self.process.terminate()
        self.process.wait()


class Pm2:
    needs = PM2

    def __init__(self, work):
        self.work = work
        self.env = dict(os.environ, PM2_HOME=os.path.join(work.folder, 'pm2'), PM2_DISCRETE_MODE='1')

    def pm2(self, *arguments):
        subprocess.run(['node', PM2, *arguments], env=self.env, check=True, capture_output=True)

    def start(self):
        files = [self.work.path(number) for number in range(self.work.writers)]
        path = os.path.join(self.work.folder, 'apps.json')
        with open(path, 'w', encoding='ascii') as file:
            json.dump([dict(name=f'w{number}', script=WRITER, args=self.work.command[1:], interpreter='none',
                            out_file=out, error_file='/dev/null') for number, out in enumerate(files)], file)
        self.pm2('start', path)
        return files

    def pids(self):
        return [int(read_file(os.path.join(self.env['PM2_HOME'], 'pm2.pid')))]

    def close(self):
        self.pm2('kill')


class Direct:
    attributes = {}

    def __init__(self, work):
        self.work = work
        self.daemon = harness.Daemon()
        self.daemon.start()

    def start(self):
        files = [self.work.path(number) for number in range(self.work.writers)]
        client = self.daemon.connect()
        for number, path in enumerate(files):
            client.start_one(WRITER, name=f'w{number}', args=self.work.command[1:], out_file=path, error_file='/dev/null',
                             **self.attributes)
        client.close()
        return files

    def pids(self):
        return [self.daemon.process.pid]

    def close(self):
        self.daemon.end()


class Pump(Direct):
    attributes = {'log_date_format': DATE}


PEERS = {'plain': Plain, 'direct': Direct, 'pump': Pump, 's6-log': S6Log, 'svlogd': Svlogd, 'supervisord': Supervisord, 'pm2': Pm2}


def median(rounds):
    return {key: round(statistics.median(found[key] for found in rounds), 3) for key in rounds[0]}


def measure(names, writers, write_bytes):
    found = {name: [] for name in names}
    for _ in range(ROUNDS):  # by turns
        for name in names:
            found[name].append(Round(PEERS[name], writers, write_bytes).run())
    figures = {name: median(rounds) for name, rounds in found.items()}

    def ratio(one, other):
        return round(figures[one]['mb_per_second'] / figures[other]['mb_per_second'], 2) if other in figures else None

    return {'writers': writers, 'write_bytes': write_bytes, 'figures': figures,
            'ratios': {'direct_to_plain': ratio('direct', 'plain'), 'direct_to_pm2': ratio('direct', 'pm2'),
                       'pump_to_s6_log': ratio('pump', 's6-log'), 'pump_to_svlogd': ratio('pump', 'svlogd'),
                       'pump_to_supervisord': ratio('pump', 'supervisord'), 'pump_to_pm2': ratio('pump', 'pm2')}}


def within_budget(case):
    ratios = {name: case['ratios'].get(name) for name in BUDGET if name in case['ratios']}
    return (all(value is None or value >= BUDGET[name] for name, value in ratios.items())
            and case['figures']['direct']['cpu_seconds_per_gb'] <= BUDGET['trimming_cpu_seconds_per_gb'])


def main():
    missing = [name for name, peer in PEERS.items() if not shutil.which(getattr(peer, 'needs', 'sh'))]
    names = [name for name in PEERS if name not in missing]
    cases = [measure(names, writers, write_bytes) for writers in (1, 50) for write_bytes in (100, 65500)]
    print(json.dumps({'bench': 'logs', 'bytes': TOTAL, 'rounds': ROUNDS, 'missing': missing, 'budget': BUDGET, 'cases': cases,
                      'within_budget': [within_budget(case) for case in cases]}, indent=2))
    return 0


if __name__ == '__main__':
    sys.exit(main())
