#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""What a program has from who started it: collected by programs that change nothing of it, compared as text."""

import ctypes
import glob
import json
import os
import re
import resource
import sys

LIBC = ctypes.CDLL(None, use_errno=True)
PRCTL = {'pdeathsig': 2, 'dumpable': 3, 'keepcaps': 7, 'securebits': 27, 'timerslack': 30, 'child_subreaper': 37,
         'no_new_privs': 39, 'thp_disable': 42, 'io_flusher': 58}
BY_POINTER = ('pdeathsig', 'child_subreaper')
FILES = ('status', 'limits', 'mountinfo', 'oom_score_adj', 'timerslack_ns', 'coredump_filter', 'personality',
         'loginuid', 'uid_map', 'setgroups', 'stat', 'environ')
# head prints the name of each file, and does nothing to its own signals
HEAD = ['/usr/bin/head', '--verbose', '--bytes=1000000', *(f'/proc/self/{name}' for name in FILES)]
PRIVATE_STATUS = re.compile(r'(Name|State|Tgid|Ngid|Pid|PPid|FDSize|NStgid|NSpid|NSpgid|NSsid|Vm\w+|Rss\w+|Threads|'
                            r'HugetlbPages|(non)?voluntary_ctxt_switches|Cpus_allowed_list|x86_\w+)$')
PRCTL_IOPRIO_GET, IOPRIO_WHO_PROCESS = 252, 1


def prctl(name, number):
    if name in BY_POINTER:
        value = ctypes.c_int(-1)
        LIBC.prctl(number, ctypes.byref(value), 0, 0, 0)
        return value.value
    return LIBC.prctl(number, 0, 0, 0, 0)


def collect():
    """What no file of /proc tells."""
    return {
        'prctl': {name: prctl(name, number) for name, number in PRCTL.items()},
        'rlimits': {name: resource.getrlimit(getattr(resource, name)) for name in sorted(dir(resource))
                    if name.startswith('RLIMIT_')},
        'namespaces': {os.path.basename(path): os.readlink(path) for path in sorted(glob.glob('/proc/self/ns/*'))},
        'affinity': sorted(os.sched_getaffinity(0)),
        'nice': os.getpriority(os.PRIO_PROCESS, 0),
        'scheduler': os.sched_getscheduler(0),
        'ioprio': LIBC.syscall(PRCTL_IOPRIO_GET, IOPRIO_WHO_PROCESS, 0),
        'groups': sorted(os.getgroups()),
        'resuid': os.getresuid(),
        'resgid': os.getresgid(),
        'root': os.readlink('/proc/self/root'),
        'fds': sorted(int(fd) for fd in os.listdir('/proc/self/fd') if os.path.exists(f'/proc/self/fd/{fd}')),
    }


def parse_head(text):
    """{file: its content} from the output of HEAD."""
    parts = re.split(r'(?:^|\n)==> /proc/self/(\S+) <==\n', text)
    return dict(zip(parts[1::2], parts[2::2]))


def environment(files):
    return dict(item.split('=', 1) for item in files['environ'].split('\0') if '=' in item)


def comparable(files):
    """{what: its text} of what must be the same in two processes."""
    result = {}
    for line in files['status'].splitlines():
        key, _, value = line.partition(':')
        if not PRIVATE_STATUS.match(key):
            result[f'status {key}'] = value.strip().rpartition('/')[2] if key == 'SigQ' else value.strip()
    stat = files['stat'].rpartition(')')[2].split()
    result['stat exit signal, real-time priority, policy'] = [stat[index] for index in (35, 37, 38)]
    result['stat priority, nice'] = stat[15:17]
    for name in FILES:
        if name not in ('status', 'stat', 'environ'):
            result[name] = files.get(name, '').strip('\0\n')
    return result


if __name__ == '__main__':
    json.dump(collect(), sys.stdout)
    print()
