#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Holds the layers of src/ apart: reads the #include lines (docs/ARCHITECTURE.md says why).

  daemon -> bus | compat -> manager -> cluster -> {core, config, platform} -> basic
  ctl -> libpm2 -> basic

A layer may include itself and those to its right; of core, config and platform only config -> core; ctl of
libpm2 only the public header. core is pure: no I/O, clock, process or bus. Options: --self-test.
"""

import os
import re
import sys
import tempfile

TOP = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))

LEAVES = {'core', 'config', 'platform', 'basic'}
MAY_INCLUDE = {
    'basic': set(),
    'core': {'basic'},
    'config': {'core', 'basic'},
    'platform': {'basic'},
    'cluster': LEAVES,
    'manager': LEAVES | {'cluster'},
    'bus': LEAVES | {'cluster', 'manager'},
    'compat': LEAVES | {'cluster', 'manager'},
    'daemon': LEAVES | {'cluster', 'manager', 'bus', 'compat'},
    'libpm2': {'basic'},
    'ctl': {'libpm2', 'basic'},
}
PUBLIC_HEADERS = {'pm2/pm2.h', 'libpm2/pm2/pm2.h'}

# Headers of the system and of libraries that a layer does without.
FORBIDDEN_HEADERS = {
    'basic': r'glib(-.*|/.*)?\.h|gio/.*|json-glib/.*',
    'core': r'systemd/.*|json-glib/.*|gio/.*|glib/gstdio\.h|glib-unix\.h|unistd\.h|fcntl\.h|spawn\.h|sched\.h|poll\.h|'
            r'time\.h|dirent\.h|pwd\.h|grp\.h|pthread\.h|threads\.h|syslog\.h|linux/.*|'
            r'sys/(?!types\.h$|wait\.h$).*',
    'config': r'systemd/.*',
    'manager': r'systemd/sd-bus.*|json-glib/.*',
    'libpm2': r'glib(-.*|/.*)?\.h|gio/.*|json-glib/.*',
}
# Modules of basic that do what core must not.
FORBIDDEN_BASIC = {'core': {'basic/fd-util.h', 'basic/instance-paths.h', 'basic/log.h', 'basic/sd-cleanup.h'}}
# And calls that need no header of their own to be seen.
FORBIDDEN_CALLS = {
    'core': r'now_(real|boot)time_usec|g_get_(real|monotonic)_time|g_date_time_new_now\w*|g_spawn\w*|g_file_\w+|'
            r'fopen|fork|execv\w*|kill|waitpid|getenv|g_getenv|getpid|getuid|geteuid|time|clock_gettime|'
            r'printf|fprintf|puts|perror',
}

INCLUDE = re.compile(r'^\s*#\s*include\s+(["<])([^">]+)[">]')
COMMENT_OR_STRING = re.compile(r'/\*.*?\*/|"(?:\\.|[^"\\])*"', re.DOTALL)


def strip_comments(text):
    """Without comments and strings, with every line where it was."""
    return COMMENT_OR_STRING.sub(lambda match: '\n' * match[0].count('\n'), text)


def check_include(layer, folder, quote, header):
    """What is wrong with one include, or None."""
    target = header.split('/')[0]
    forbidden = FORBIDDEN_HEADERS.get(layer)
    if forbidden and re.fullmatch(forbidden, header):
        return f'{layer} does without <{header}>'
    if header in PUBLIC_HEADERS:
        return None if layer in ('libpm2', 'ctl') else f'{layer} must not include {header}'
    if quote == '"' and '/' not in header:
        if header == 'config.h' or os.path.exists(os.path.join(folder, header)) or header.endswith('.inc.h'):
            return None
        return f'"{header}": write the layer in front of it'
    if target not in MAY_INCLUDE:
        return None if quote == '<' else f'"{header}" belongs to no layer'
    if layer == 'ctl' and target == 'libpm2':
        return f'ctl may include only pm2/pm2.h of libpm2, not {header}'
    if target != layer and target not in MAY_INCLUDE[layer]:
        return f'{layer} must not include {target}: {header}'
    if header in FORBIDDEN_BASIC.get(layer, ()):
        return f'{layer} is pure and does without {header}'
    return None


def check_file(path, layer):
    with open(path, encoding='utf-8') as file:
        text = file.read()
    problems = []
    for number, line in enumerate(text.splitlines(), 1):
        match = INCLUDE.match(line)
        problem = match and check_include(layer, os.path.dirname(path), match[1], match[2])
        if problem:
            problems.append((number, problem))
    calls = FORBIDDEN_CALLS.get(layer)
    if calls:
        pattern = re.compile(rf'(?<![\w.>])({calls})\s*\(')
        for number, line in enumerate(strip_comments(text).splitlines(), 1):
            match = pattern.search(line)
            if match:
                problems.append((number, f'{layer} must not call {match[1]}()'))
    return problems


def check_tree(source):
    """All problems below a source folder, as text."""
    found = []
    for folder, folders, files in os.walk(source):
        folders.sort()
        relative = os.path.relpath(folder, source)
        layer = relative.split(os.sep)[0]
        for name in sorted(files):
            path = os.path.join(folder, name)
            if not name.endswith(('.c', '.h')):
                continue
            if layer not in MAY_INCLUDE:
                found.append(f'{path}: in no known layer')
                continue
            found += [f'{path}:{number}: {problem}' for number, problem in check_file(path, layer)]
    return found


SELF_TEST = {
    # file: (text, what its problems say, in order)
    'core/good.c': ('#include "core/good.h"\n#include "basic/macro.h"\n#include <glib.h>\n#include <errno.h>\n', []),
    'core/good.h': ('/* time() and #include are fine in a comment */\n', []),
    'core/bus.c': ('#include <systemd/sd-bus.h>\n', ['does without']),
    'core/json.c': ('#include <json-glib/json-glib.h>\n', ['does without']),
    'core/unix.c': ('#include <unistd.h>\n#include <time.h>\n#include <sys/stat.h>\n', ['does without'] * 3),
    'core/up.c': ('#include "manager/manager.h"\n', ['must not include manager']),
    'core/side.c': ('#include "platform/spawn.h"\n', ['must not include platform']),
    'core/clock.c': ('int f(void) {\n        return now_boottime_usec();\n}\n', ['must not call']),
    'core/log.c': ('#include "basic/log.h"\n', ['is pure']),
    'config/good.c': ('#include "core/good.h"\n#include <json-glib/json-glib.h>\n', []),
    'config/side.c': ('#include "platform/spawn.h"\n', ['must not include platform']),
    'platform/side.c': ('#include "core/good.h"\n', ['must not include core']),
    'platform/good.c': ('#include "platform/good.h"\n#include <systemd/sd-event.h>\n', []),
    'basic/up.c': ('#include "core/good.h"\n', ['must not include core']),
    'manager/bus.c': ('#include <systemd/sd-bus.h>\n', ['does without']),
    'manager/up.c': ('  #  include "bus/bus-manager.h"\n', ['must not include bus']),
    'manager/good.c': ('#include "core/good.h"\n#include <systemd/sd-event.h>\n', []),
    'bus/up.c': ('#include "daemon/main.h"\n', ['must not include daemon']),
    'bus/side.c': ('#include "compat/amp.h"\n', ['must not include compat']),
    'ctl/deep.c': ('#include "libpm2/call.h"\n', ['only pm2/pm2.h']),
    'ctl/up.c': ('#include "manager/manager.h"\n', ['must not include manager']),
    'ctl/good.c': ('#include <pm2/pm2.h>\n#include "basic/macro.h"\n', []),
    'libpm2/glib.c': ('#include <glib.h>\n', ['does without']),
    'libpm2/up.c': ('#include "ctl/table.h"\n', ['must not include ctl']),
    'daemon/public.c': ('#include <pm2/pm2.h>\n', ['must not include pm2/pm2.h']),
    'daemon/bare.c': ('#include "nowhere.h"\n', ['write the layer']),
    'elsewhere/x.c': ('', ['in no known layer']),
}


def self_test():
    wrong = 0
    with tempfile.TemporaryDirectory() as source:
        for name, (text, _) in SELF_TEST.items():
            os.makedirs(os.path.join(source, os.path.dirname(name)), exist_ok=True)
            with open(os.path.join(source, name), 'w', encoding='utf-8') as file:
                file.write(text)
        found = check_tree(source)
        for name, (_, expected) in SELF_TEST.items():
            got = [line for line in found if line.startswith(os.path.join(source, name) + ':')]
            if len(got) != len(expected) or any(text not in line for text, line in zip(expected, got)):
                wrong += 1
                print(f'{name}: expected {expected}, got {got}')
    print(f'{len(SELF_TEST)} cases, {wrong} wrong')
    return 1 if wrong else 0


def main():
    if sys.argv[1:] == ['--self-test']:
        return self_test()
    found = check_tree(os.path.join(TOP, 'src'))
    for line in found:
        print(os.path.relpath(line, TOP) if line.startswith(TOP) else line)
    return 1 if found else 0


if __name__ == '__main__':
    sys.exit(main())
