#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Every call by which the supervisor changes the world is a fault point: CHANGE("name", call), of src/basic/fault-point.h.

  check-fault-points.py              lint: what changes the world without being a point, and names that are no names
  check-fault-points.py --list       the names of all points, one a line
  check-fault-points.py --self-test

The world is what a supervisor that is killed leaves behind or has done to others: processes and signals, files and
cgroups, the state in shared memory, what the service manager and the bus were told, children that were reaped. What
dies with it is none of that: memory, descriptors and connections (closing them is what a kill does as well), its own
credentials, signal masks and variables. Nor are signals on the bus, which tell what has been done.

A call that changes nothing that counts has a comment "no fault point: <why>" on its line or the line above; a file
that is not the supervisor's "no fault points here: <why>".
"""

import re
import sys

import lint

LAYERS = ('platform', 'cluster', 'manager', 'bus', 'compat', 'daemon')
CHANGES = '|'.join((
    # processes and signals
    r'v?fork|clone[23]?|syscall|posix_spawnp?|g_spawn\w*|system|popen|f?exec(v|l)\w*|pidfd_send_signal|kill(pg)?|'
    r'tgkill|raise|sigqueue|waitid|wait[34]?|waitpid|prctl|p?setrlimit|prlimit|setpriority|sched_set\w+|setpgid|unshare|setns',
    # files, folders, sockets
    r'mkdir(at)?|mknod(at)?|mkfifo(at)?|mkstemps?|mkostemps?|mkdtemp|rmdir|unlink(at)?|remove|rename(at2?)?|(sym)?link(at)?|'
    r'[fl]?chmod(at)?|[fl]?chown(at)?|f?truncate|(posix_)?fallocate|p?writev?|pwritev2?|v?dprintf|fputs|fwrite|fflush|'
    r'copy_file_range|sendfile|splice|tee|u?mount2?|[fl]?setxattr|utimensat|futimens|flock|fsync|fdatasync|msync|'
    r'bind|listen|send(to|msg|mmsg)?|g_mkdir\w*|g_unlink|g_remove|g_rename|g_rmdir|g_chmod|g_file_set_contents\w*|'
    r'write_file|make_directories',
    # the state
    r'atomic_(store|exchange|fetch_\w+|compare_exchange_\w+)(_explicit)?',
    # what others are told
    r'sd_(pid_)?notify\w*|sd_bus_call\w*|sd_bus_send\w*|sd_bus_(request|release)_name\w*|sd_journal_\w+',
))
CHANGE = re.compile(rf'(?<![\w.>])({CHANGES})\s*\(')
OPENING = re.compile(r'(?<![\w.>])(open(?:at2?)?|creat)\s*\(')
# Calls that change nothing with these words in them.
NEVER_WITH = {'waitid': 'WNOWAIT', 'prctl': 'PR_GET_', 'fputs': 'stdout|stderr', 'fflush': 'stdout|stderr'}
POINT = re.compile(r'\b(CHANGED?)\s*\(')
NAME = re.compile(r'\s*"([a-z][a-z0-9]*(?:-[a-z0-9]+)*)"\s*[,)]')
NAME_BYTES_MAX = 39
EXCUSE = re.compile(r'no fault point: (?!\*/)\S')
FILE_EXCUSE = re.compile(r'no fault points here: (?!\*/)\S')


def end_of_call(code, opening):
    """The position behind the parenthesis that closes the one at a position."""
    depth = 0
    for position in range(opening, len(code)):
        depth += {'(': 1, ')': -1}.get(code[position], 0)
        if depth == 0:
            return position + 1
    return len(code)


class Source:
    """One file: its points and its changes."""

    def __init__(self, path, text):
        self.path, self.text, self.code = path, text, lint.blank_out(text)
        self.lines = text.split('\n')
        self.points = []  # (macro, name or None, start, end)
        for match in POINT.finditer(self.code):
            name = NAME.match(text, match.end())
            self.points.append((match[1], name and name[1], match.start(), end_of_call(self.code, match.end() - 1)))

    def line_of(self, position):
        return self.code.count('\n', 0, position) + 1

    def is_excused(self, position):
        number = self.line_of(position)
        return EXCUSE.search('\n'.join(self.lines[max(0, number - 2):number]))

    def changes(self):
        """(function, position) of each call that changes the world."""
        for match in CHANGE.finditer(self.code):
            call = self.code[match.start():end_of_call(self.code, match.end() - 1)]
            never = NEVER_WITH.get(match[1])
            if not (never and re.search(never, call)):
                yield match[1], match.start()
        for match in OPENING.finditer(self.code):
            call = self.code[match.start():end_of_call(self.code, match.end() - 1)]
            if match[1] == 'creat' or re.search(r'\bO_(CREAT|TRUNC|TMPFILE)\b', call):
                yield match[1], match.start()

    def problems(self):
        inside = {(start, end): 0 for _, _, start, end in self.points}
        for function, position in self.changes():
            span = next(((start, end) for start, end in inside if start <= position < end), None)
            if span:
                inside[span] += 1
                if inside[span] == 2:
                    yield position, f'{function}(): the second change in one point'
            elif not self.is_excused(position):
                yield position, f'{function}(): changes the world: CHANGE("name", {function}(...))'
        for macro, name, start, _ in self.points:
            if not name:
                yield start, f'{macro}(): expected a name in kebab-case, written out'
            elif len(name) > NAME_BYTES_MAX:
                yield start, f'{name}: more than {NAME_BYTES_MAX} characters'


def check(sources):
    """All problems as text, and the names of the points, sorted."""
    problems, seen, far_sides = [], {}, []
    for source in sources:
        if FILE_EXCUSE.search(source.text):
            continue
        problems += [f'{source.path}:{source.line_of(position)}: {text}' for position, text in source.problems()]
        for macro, name, start, _ in source.points:
            where = f'{source.path}:{source.line_of(start)}'
            if macro == 'CHANGED':
                far_sides.append((where, name))
            elif name in seen:
                problems.append(f'{where}: {name} is the name of {seen[name]}')
            elif name:
                seen[name] = where
    problems += [f'{where}: {name} is no point' for where, name in far_sides if name not in seen]
    return problems, sorted(seen)


def tree_sources():
    for path in lint.tree_files():
        parts = path.split('/')
        if parts[0] == 'src' and len(parts) > 2 and parts[1] in LAYERS and path.endswith(('.c', '.h')):
            yield Source(path, lint.read_text(path))


SELF_TEST = (
    # (text, what its problems say, in order)
    ('(void) unlink(path);', ['unlink']),
    ('(void) CHANGE("it-goes", unlink(path));', []),
    ('(void) CHANGE("it-goes", unlink(path)); (void) unlink(path);', ['unlink']),
    ('int r = RET_NERRNO(CHANGE("a", mkdirat(fd, f(x), 0755)));', []),
    ('if (CHANGE("a", mkdir(a, 0)) < 0 || mkdir(b, 0) < 0) {', ['mkdir']),
    ('r = CHANGE("a", mkdir(a, 0) < 0 || mkdir(b, 0) < 0);', ['second change']),
    ('/* no fault point: a question */\nr = sd_bus_call_async(bus);', []),
    ('/* no fault point: */\nr = sd_bus_call_async(bus);', ['sd_bus_call_async']),
    ('/* unlink(path) */ x = "unlink(path)"; ops->unlink(path); my_unlink(path);', []),
    ('fd = open(path, O_RDONLY); fd = openat(fd, path, O_WRONLY |\n O_CREAT, 0600);', ['openat']),
    ('waitid(P_ALL, 0, &i, WEXITED | WNOWAIT); waitid(P_ALL, 0, &i, WEXITED);', ['waitid']),
    ('CHANGE(name, rmdir(path));', ['written out']),
    ('CHANGE("Bad_Name", rmdir(path));', ['written out']),
    ('CHANGE("a", rmdir(path)); CHANGE("a", rmdir(path));', ['a is the name of']),
    ('CHANGE("a", execv(x, y)); CHANGED("a");', []),
    ('CHANGED("b");', ['b is no point']),
    ('/* no fault points here: a child */\n(void) unlink(path);', []),
)


def self_test():
    wrong = 0
    for text, expected in SELF_TEST:
        got, _ = check([Source('case.c', text)])
        if len(got) != len(expected) or any(word not in line for word, line in zip(expected, got)):
            wrong += 1
            print(f'{text!r}: expected {expected}, got {got}')
    print(f'{len(SELF_TEST)} cases, {wrong} wrong')
    return 1 if wrong else 0


def main():
    if sys.argv[1:] == ['--self-test']:
        return self_test()
    problems, names = check(tree_sources())
    if sys.argv[1:] == ['--list']:
        print('\n'.join(names))
        return 0
    lint.finish(problems, f'{len(names)} fault points')
    return 0


if __name__ == '__main__':
    sys.exit(main())
