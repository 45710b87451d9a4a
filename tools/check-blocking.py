#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Nothing in the supervisor's layers waits outside its event loop.

A call that is all right where it is (in a child before exec, say) has a comment "may block: <why>" on its line
or on the line above.
"""

import re

import lint

LAYERS = ('basic', 'core', 'config', 'platform', 'cluster', 'manager', 'bus', 'compat', 'daemon')
BLOCKING = {
    r'sd_bus_call(_method(v)?)?': 'use sd_bus_call_async()',
    r'sd_bus_(get|set)_property(_string|_strv|_trivial|v)?': 'a synchronous call: use sd_bus_call_method_async()',
    r'sd_bus_(flush|wait|default\w*)': 'waits for the bus',
    r'sd_notify_barrier|sd_pid_notify_barrier': 'waits for the manager',
    r'(u|nano|clock_nano|)sleep': 'arm a timer',
    r'system|popen|pclose|g_spawn_sync|g_spawn_command_line_sync': 'waits for a process',
    r'wait|wait3|wait4': 'waits for a process',
    r'pause|sigwait|sigwaitinfo|sigsuspend': 'waits for a signal',
    r'select|pselect|getaddrinfo|gethostbyname': 'waits',
}
PATTERN = re.compile(r'(?<![\w.>])(' + '|'.join(f'(?:{name})' for name in BLOCKING) + r')\s*\(')
# Calls that wait unless a flag says otherwise.
UNLESS = {'waitpid': 'WNOHANG', 'waitid': 'WNOHANG', 'flock': 'LOCK_NB|LOCK_UN'}
UNLESS_PATTERN = re.compile(r'(?<![\w.>])(' + '|'.join(UNLESS) + r')\s*\(')
ALLOWED = re.compile(r'may block: \S')


def advice(name):
    return next(text for pattern, text in BLOCKING.items() if re.fullmatch(pattern, name))


def statement_from(code, start):
    return code[start:code.find(';', start)]


def check(path):
    text = lint.read_text(path)
    code = lint.blank_out(text)
    lines = text.split('\n')
    problems = []

    def report(match, why):
        number = code.count('\n', 0, match.start()) + 1
        if not ALLOWED.search('\n'.join(lines[max(0, number - 2):number])):
            problems.append(f'{path}:{number}: {match[1]}(): {why}')

    for match in PATTERN.finditer(code):
        report(match, advice(match[1]))
    for match in UNLESS_PATTERN.finditer(code):
        if not re.search(UNLESS[match[1]], statement_from(code, match.start())):
            report(match, f'waits: say {UNLESS[match[1]]}')
    return problems


def main():
    problems = []
    for path in lint.tree_files():
        parts = path.split('/')
        if parts[0] == 'src' and len(parts) > 2 and parts[1] in LAYERS and path.endswith(('.c', '.h')):
            problems += check(path)
    lint.finish(problems, 'blocking calls')


if __name__ == '__main__':
    main()
