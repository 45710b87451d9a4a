#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Runs the cases of this folder and tests/chaos/kills.py, or the benchmarks, in a container that systemd boots (tools/container).

    tests/system/run.py [CASE...]        all cases, or some: test_scopes, test_scopes.Names.test_long...
    tests/system/run.py --bench [NAME...] the benchmarks of tests/bench; their JSON is the output
    tests/system/run.py --folder tests/chaos [CASE...]
                                         the cases of another folder; none is run again if it failed

The build is installed into the container, as a package would be; this machine's own folders stay as they are. The
container is booted once for all, and always ended (--keep apart). test_root_*.py run as root, the others as the
user tester, as services of its user manager. Needs root.

A build with sanitizers (--build DIR) is told where to write what it finds; any finding fails the run.
"""

import argparse
import glob
import json
import os
import re
import shutil
import subprocess
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
TOP = os.path.dirname(os.path.dirname(HERE))
BENCH = os.path.join(TOP, 'tests', 'bench')
KILLS = os.path.join(TOP, 'tests', 'chaos', 'kills.py')
CONTAINER = os.path.join(TOP, 'tools', 'container')
PYTHON = '/usr/bin/python3'
NOT_RUN, ALL_SKIPPED = 2, 77


class Container:
    def __init__(self, name):
        self.environment = {**os.environ, 'PM2D_CONTAINER': name}

    def tool(self, *arguments, **options):
        return subprocess.run([CONTAINER, *arguments], env=self.environment, stdin=subprocess.DEVNULL, **options)

    def run(self, *command, root=False, **options):
        return self.tool('run', *(['--root'] if root else []), *command, **options)

    def check(self, *command, root=False):
        result = self.run(*command, root=root, capture_output=True, text=True)
        if result.returncode != 0:
            print(f'{" ".join(command)}\n{result.stdout}{result.stderr}', file=sys.stderr)
            sys.exit(NOT_RUN)


def build_directory(wanted):
    """The build to install: the one named, else the one whose configuration has the prefix /usr."""
    if wanted:
        return os.path.abspath(wanted)
    for folder in sorted([*glob.glob(TOP + '/build*'), *glob.glob(TOP + '/build/*')], key=os.path.getmtime, reverse=True):
        if os.path.exists(os.path.join(folder, 'build.ninja')) and option(folder, 'prefix') == '/usr':
            return folder
    sys.exit('no build folder with prefix /usr; make one: meson setup --prefix=/usr build/system && '
             'ninja -C build/system')


def option(folder, name):
    path = os.path.join(folder, 'meson-info', 'intro-buildoptions.json')
    with open(path, encoding='utf-8') as file:
        return next(entry['value'] for entry in json.load(file) if entry['name'] == name)


def install(container, build):
    """As a package does it: files, the linker's cache, and what runs is told."""
    # not the sources' own owner but root may install, as root and from a tree of somebody else
    container.check('meson', 'install', '--no-rebuild', '--quiet', '-C', build, root=True)
    container.check(PYTHON, os.path.join(HERE, 'prepare.py'), build, root=True)
    container.check('systemctl', '--user', 'daemon-reload')
    container.check('busctl', '--user', 'call', 'org.freedesktop.DBus', '/org/freedesktop/DBus',
                    'org.freedesktop.DBus', 'ReloadConfig')


def modules(folder, selected):
    """(module, path, cases) in the order to run: those that end the user's manager last."""
    found = glob.glob(folder + '/test_*.py') + ([KILLS] if folder == HERE else [])
    paths = {os.path.basename(path)[:-3]: path for path in found}
    names = sorted(paths)
    names.sort(key=lambda name: name.startswith('test_root_'))
    wanted = {}
    for name in selected:
        module, _, case = name.removesuffix('.py').partition('.')
        if module not in names:
            sys.exit(f'no such test: {module} (there are {", ".join(names)})')
        wanted.setdefault(module, [])
        wanted[module] += [case] if case else []
    return [(name, paths[name], wanted.get(name, [])) for name in names if not selected or name in wanted]


def run_module(container, module, path, cases):
    """Run one file of cases. Returns (run, failed, skipped)."""
    result = container.run(PYTHON, path, *cases, root=module.startswith('test_root_'),
                           stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors='replace')
    print(result.stdout, end='', flush=True)
    totals = re.findall(r'^# totals (\d+) (\d+) (\d+)$', result.stdout, re.MULTILINE)
    if not totals:
        print(f'{module} ended with status {result.returncode} before its end')
        return 1, 1, 0
    return tuple(int(number) for number in totals[-1])


def run_cases(container, folder, selected):
    run = failed = skipped = 0
    for module, path, cases in modules(folder, selected):
        started = time.monotonic()
        print(f'== {module}', flush=True)
        counts = run_module(container, module, path, cases)
        if counts[1] and folder == HERE:
            # these cases kill, race and restart whole service managers: a busy machine gets a second look, in print
            print(f'== {module}: {counts[1]} failed, once more', flush=True)
            counts = run_module(container, module, path, cases)
        print(f'== {module}: {counts[0]} run, {counts[1]} failed, {counts[2]} skipped, '
              f'{time.monotonic() - started:.1f} s', flush=True)
        run, failed, skipped = run + counts[0], failed + counts[1], skipped + counts[2]
    print(f'{run - failed - skipped} passed, {failed} failed, {skipped} skipped')
    if failed:
        return 1
    return ALL_SKIPPED if run == skipped else 0


def run_benchmarks(container, selected, output):
    names = sorted(os.path.basename(path)[6:-3] for path in glob.glob(BENCH + '/bench-*.py'))
    unknown = set(selected) - set(names)
    if unknown:
        sys.exit(f'no such benchmark: {", ".join(sorted(unknown))} (there are {", ".join(names)})')
    status = 0
    for name in selected or names:
        result = container.run(PYTHON, os.path.join(BENCH, f'bench-{name}.py'), stdout=subprocess.PIPE, text=True)
        print(result.stdout, end='', flush=True)
        if result.returncode != 0:
            print(f'bench-{name} ended with status {result.returncode}', file=sys.stderr)
            status = 1
        elif output:
            os.makedirs(output, exist_ok=True)
            with open(os.path.join(output, f'{name}.json'), 'w', encoding='utf-8') as file:
                file.write(result.stdout)
    return status


def parse_arguments():
    parser = argparse.ArgumentParser(description=__doc__.split('\n', 1)[0])
    parser.add_argument('selected', nargs='*', metavar='CASE')
    parser.add_argument('--build', metavar='DIR', help='the build to install (prefix /usr)')
    parser.add_argument('--folder', metavar='DIR', type=os.path.abspath, default=HERE,
                        help='where the cases are (%(default)s)')
    parser.add_argument('--bench', action='store_true', help='run the benchmarks')
    parser.add_argument('--output', metavar='DIR', help='write the JSON of the benchmarks there as well')
    parser.add_argument('--keep', action='store_true', help='leave the container running')
    return parser.parse_args()


def main():
    arguments = parse_arguments()
    if os.geteuid() != 0:
        print('# skipped tests/system: booting a container needs root')
        return ALL_SKIPPED
    if not shutil.which('systemd-nspawn'):
        print('# skipped tests/system: systemd-nspawn is not installed (tools/install-deps system)')
        return ALL_SKIPPED
    build = build_directory(arguments.build)
    if option(build, 'prefix') != '/usr':
        print(f'# skipped tests/system: {os.path.relpath(build, TOP)} has not the prefix /usr')
        return ALL_SKIPPED
    # several runs at once do not meet; one that is kept can be found again
    container = Container(os.environ.get('PM2D_CONTAINER') or
                          ('system' if arguments.keep else f'system-{os.getpid()}'))
    container.environment['PM2D_BUILD_DIR'] = build
    sanitized = option(build, 'b_sanitize') != 'none'
    if sanitized:
        container.environment['PM2D_TEST_SANITIZED'] = '1'
        container.environment['ASAN_OPTIONS'] = 'detect_leaks=1:detect_stack_use_after_return=1'
        container.environment['UBSAN_OPTIONS'] = 'halt_on_error=1:print_stacktrace=1'
    try:
        if container.tool('up').returncode != 0:
            return NOT_RUN
        install(container, build)
        if arguments.bench:
            return run_benchmarks(container, arguments.selected, arguments.output)
        return run_cases(container, arguments.folder, arguments.selected)
    finally:
        if not arguments.keep:
            container.tool('down')


if __name__ == '__main__':
    sys.exit(main())
