#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""The steps behind tools/test: builds, test runs and checks, one line each with its time.

Every step writes its whole output to build/logs/<step>.log; of a step that fails the end is shown. The last
line has the totals: each test of meson counts as one, so does each build and each other check.
"""

import argparse
import concurrent.futures
import json
import os
import re
import shutil
import subprocess
import sys
import time

TOP = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
BUILD = os.path.join(TOP, 'build')
LOGS = os.path.join(BUILD, 'logs')
JOBS = os.cpu_count() or 2
# Tests wait more than they work.
TEST_JOBS = 2 * JOBS
SANITIZE = ['-Db_sanitize=address,undefined', '-Db_lundef=false']
SANITIZE_ENV = {
    'ASAN_OPTIONS': 'detect_leaks=1:abort_on_error=1:halt_on_error=1:detect_stack_use_after_return=1:'
                    'strict_string_checks=1:check_initialization_order=1',
    'UBSAN_OPTIONS': 'halt_on_error=1:print_stacktrace=1',
    'PM2D_TEST_SANITIZED': '1',
}
OUTPUT_TAIL_LINES = 60
EXCERPT_LINES = 40
FUZZ_SECONDS = 300
# What reads files, and what comes from apps and their callers, is fuzzed for a while in the full tier too.
FUZZ_FULL = tuple(name for name in ('json', 'yaml', 'environment-file', 'saved-list', 'target', 'process-record', 'state-store',
                                    'channel', 'ipc-message', 'notify-message', 'amp', 'json-read', 'cluster-message', 'cron',
                                    'watch-rules', 'log-lines', 'health-check', 'http-status')
                  if os.path.exists(os.path.join(TOP, 'tests', 'fuzz', f'fuzz-{name}.c')))
FUZZ_FULL_SECONDS = 30


class StepFailed(Exception):
    pass


class Step:
    """One line of the report. Its function gets the Step, to run commands and to count tests."""

    def __init__(self, name, title, function, *arguments, **options):
        self.name, self.title = name, title
        self.function, self.arguments, self.options = function, arguments, options
        self.passed = self.failed = self.skipped = 0
        self.notes = []
        self.failures = []  # a line each, said again at the end
        self.log = None

    def run(self, command, *, env=None, cwd=TOP, check=True):
        """Run a command with its output in the log. Returns its exit status."""
        self.log.write(f'$ {" ".join(command)}\n')
        self.log.flush()
        result = subprocess.run(command, cwd=cwd, stdin=subprocess.DEVNULL, stdout=self.log,
                                stderr=subprocess.STDOUT, env={**os.environ, **(env or {})})
        if check and result.returncode != 0:
            raise StepFailed(f'{os.path.basename(command[0])} ended with status {result.returncode}')
        return result.returncode

    def log_tail(self):
        with open(self.log.name, encoding='utf-8', errors='replace') as log:
            return log.read().splitlines()[-OUTPUT_TAIL_LINES:]

    def execute(self, number, count):
        print(f'[{number:2}/{count}] {self.title:<52}', end=' ', flush=True)
        started = time.monotonic()
        error = None
        with open(os.path.join(LOGS, f'{self.name}.log'), 'w', encoding='utf-8') as self.log:
            try:
                self.function(self, *self.arguments, **self.options)
            except StepFailed as failure:
                error = str(failure)
            if self.passed + self.failed + self.skipped == 0 or (error and self.failed == 0):
                self.failed += error is not None
                self.passed += error is None
        seconds = time.monotonic() - started
        print(f'{"FAILED" if self.failed else "ok":<6} {seconds:5.0f} s', end='')
        if self.passed + self.failed + self.skipped > 1:
            print(f'  {self.passed} passed, {self.failed} failed, {self.skipped} skipped', end='')
        print(flush=True)
        for note in self.notes:
            print(f'        {note}')
        if error and self.failed:
            self.failures.append(error)
            if len(self.failures) == 1:  # or the notes have shown what failed
                print(f'        {error}; {os.path.relpath(self.log.name, TOP)}:')
                for line in self.log_tail():
                    print(f'        | {line}')
        sys.stdout.flush()


# Builds and test runs

# Of unittest, of tests/system/run.py, of TAP, of GLib's assertions and of the sanitizers
FAILURE = re.compile(r'^(FAIL|ERROR): |^== test_.*[1-9][0-9]* failed|^not ok |^(\*\*|Bail out)|runtime error: |'
                     r'ERROR: (Address|Leak)Sanitizer|before its end$')
FAILURE_END = re.compile(r'^(=====|== test_|Ran |(not )?ok )')
# What no second look forgives
FINDING = re.compile(r'runtime error: |(Address|Leak|UndefinedBehavior)Sanitizer|^\*\* |Assertion .* failed', re.MULTILINE)
SECOND_LOOKS = 3
# As meson calls them
PASSED, SKIPPED = ('OK', 'EXPECTEDFAIL'), ('SKIP', 'IGNORED')


def build_directory(name):
    return os.path.join(BUILD, name)


def meson_build(step, name, *options, compiler='gcc', targets=()):
    directory = build_directory(name)
    environment = {'CC': compiler}
    options = ['--prefix=/usr', '-Dwerror=true', '-Dtests=true', *options]
    configured = os.path.exists(os.path.join(directory, 'build.ninja'))
    if configured:
        status = step.run(['meson', 'setup', '--reconfigure', directory, *options], env=environment, check=False)
        if status != 0:
            shutil.rmtree(directory)
            configured = False
    if not configured:
        step.run(['meson', 'setup', directory, *options], env=environment)
    step.run(['ninja', '-C', directory, *targets])


def read_results(path):
    with open(path, encoding='utf-8') as results:
        return [json.loads(line) for line in results if line.strip()]


def excerpt(output):
    """What a failed test says of its failures, or else its last lines."""
    lines = output.splitlines()
    starts = [number for number, line in enumerate(lines) if FAILURE.search(line)]
    chosen = []
    for start in starts:
        end = start + 1
        while not lines[start].startswith('== ') and end < len(lines) and end - start < EXCERPT_LINES and not FAILURE_END.match(lines[end]):
            end += 1
        chosen += [number for number in range(start, end) if not chosen or number > chosen[-1]]
    if not chosen:
        return lines[-OUTPUT_TAIL_LINES:]
    return [lines[number] for number in chosen[:4 * EXCERPT_LINES]]


def show_failed_test(step, test):
    step.notes.append(f'{test["result"]}: {test["name"]} ({test["duration"]:.1f} s)')
    output = test.get('stdout', '') + '\n' + test.get('stderr', '')
    lines = excerpt(output)
    step.notes += [f'| {line}' for line in lines]
    step.failures.append(test['name'])
    step.failures += [f'  {line}' for line in lines if FAILURE.search(line)]


def has_second_look(test):
    """A test of the whole program waits for other programs of the machine, and is run beside other tests: it may fail
    for their sake. What a sanitizer or an assertion says is no matter of time, whoever said it."""
    output = test.get('stdout', '') + test.get('stderr', '')
    return (test['result'] in ('FAIL', 'TIMEOUT') and test['name'].partition(' / ')[2].startswith('integration-')
            and not FINDING.search(output))


def look_again(tests, passes_alone):
    """Each of the few tests that failed once more, alone; what the first run said stays with it, to be shown."""
    again = [test for test in tests if has_second_look(test)]
    if len(again) > SECOND_LOOKS:
        return  # that is no accident
    for test in again:
        if passes_alone(test['name'].partition(' / ')[2]):
            test['result'] = 'OK AGAIN'


def count_results(step, results):
    for test in results:
        if test['result'] in PASSED:
            step.passed += 1
        elif test['result'] == 'OK AGAIN':
            step.passed += 1
            step.notes.append(f'passed alone, after it had failed beside others: {test["name"]} ({test["duration"]:.1f} s)')
            step.notes += [f'| {line}' for line in excerpt(test.get('stdout', '') + '\n' + test.get('stderr', ''))]
        elif test['result'] in SKIPPED:
            step.skipped += 1
            step.notes.append(f'skipped: {test["name"]}')
        else:
            step.failed += 1
            show_failed_test(step, test)
        # Cases that a test left out say so and why (tests/integration/harness.py does).
        for line in test.get('stdout', '').splitlines():
            if line.startswith('# skipped '):
                step.notes.append(line[2:])


def passes_alone(step, command, results, env, test):
    """Whether one test passes, run by the command that has run it with the others."""
    os.remove(results)
    status = step.run([*command, '--num-processes', '1', test], env=env, check=False)
    return status == 0 and os.path.exists(results) and [one['result'] for one in read_results(results)] == ['OK']


def meson_test(step, name, *, suites=(), without=(), env=None, slower=1, wrapper=None, expect=()):
    directory = build_directory(name)
    if not os.path.exists(os.path.join(directory, 'build.ninja')):
        raise StepFailed(f'{name} is not built')
    logbase = f'log-{step.name}'
    command = ['meson', 'test', '-C', directory, '--no-rebuild', '--logbase', logbase,
               '--timeout-multiplier', str(slower), '--num-processes', str(JOBS if wrapper else TEST_JOBS)]
    for suite in suites:
        command += ['--suite', suite]
    for suite in without:
        command += ['--no-suite', suite]
    if wrapper:
        command += ['--wrap', wrapper]
    # meson adds the name of a wrapper
    suffix = '-' + os.path.basename(wrapper.split()[0]) if wrapper else ''
    results = os.path.join(directory, 'meson-logs', f'{logbase}{suffix}.json')
    if os.path.exists(results):
        os.remove(results)
    status = step.run(command, env=env, check=False)
    if not os.path.exists(results):
        raise StepFailed('no test was run')
    tests = read_results(results)
    look_again(tests, lambda test: passes_alone(step, command, results, env, test))
    count_results(step, tests)
    # what was left out by mistake must not look like what has passed
    ran = set()
    for test in tests:
        # "project:suite+suite / name"
        ran.update(test['name'].partition(' / ')[0].partition(':')[2].split('+'))
    missing = sorted(set(expect or suites) - ran)
    if missing:
        step.failed += 1
        raise StepFailed(f'no test of the suite {", ".join(missing)} was run')
    if status != 0 and all(test['result'] in PASSED + SKIPPED for test in tests):
        raise StepFailed(f'meson test ended with status {status}')


# Checks

def coverage(step):
    """Line coverage of src/core by its unit tests alone: it is pure, so nothing excuses a gap."""
    directory = build_directory('coverage')
    for folder, _, files in os.walk(directory):
        for name in files:
            if name.endswith('.gcda'):
                os.remove(os.path.join(folder, name))
    meson_build(step, 'coverage', '--buildtype=debug', '-Db_coverage=true')
    step.run(['meson', 'test', '-C', directory, '--no-rebuild', '--suite', 'unit'])
    command = ['gcovr', '--root', TOP, '--object-directory', directory, '--filter', 'src/core/',
               '--exclude-throw-branches', '--fail-under-line', '95', directory]
    status = step.run(command, check=False)
    total = [line for line in step.log_tail() if line.startswith('TOTAL')]
    if total:
        step.notes.append('src/core: ' + re.sub(r'\s+', ' ', total[-1]))
    if status != 0:
        raise StepFailed('line coverage of src/core is below 95 %')


def own_sources(directory):
    """What compile_commands.json has of our own source files: not what is generated into the build folder."""
    with open(os.path.join(directory, 'compile_commands.json'), encoding='utf-8') as file:
        commands = json.load(file)
    paths = {os.path.realpath(os.path.join(entry['directory'], entry['file'])) for entry in commands}
    return sorted(path for path in paths if path.startswith(os.path.join(TOP, 'src') + os.sep))


def clang_tidy(step):
    directory = build_directory('clang')
    sources = own_sources(directory)

    def check(source):
        return subprocess.run(['clang-tidy', '--quiet', '-p', directory, source], cwd=TOP,
                              stdin=subprocess.DEVNULL, capture_output=True, text=True)

    bad = 0
    with concurrent.futures.ThreadPoolExecutor(JOBS) as pool:
        for source, result in zip(sources, pool.map(check, sources)):
            if result.returncode != 0:
                bad += 1
                step.log.write(f'{os.path.relpath(source, TOP)}\n{result.stdout}{result.stderr}\n')
    step.log.write(f'{len(sources)} files, {bad} with findings\n')
    step.log.flush()
    if not sources or bad:
        raise StepFailed(f'clang-tidy: {bad} of {len(sources)} files have findings')


def cppcheck(step):
    # leaks: it does not know cleanup attributes (LeakSanitizer looks for them); a hexadecimal floating-point number
    # is none to it
    step.run(['cppcheck', f'--project={build_directory("clang")}/compile_commands.json',
              '--enable=warning,performance,portability', '--inline-suppr', '--error-exitcode=1', '--quiet',
              '-j', str(JOBS), f'-i{BUILD}', '--suppress=missingIncludeSystem', '--suppress=unknownMacro',
              '--suppress=memleak', '--suppress=resourceLeak',
              f'--suppress=incorrectLogicOperator:{TOP}/src/libpm2/value.c',
              f'--suppress=*:{BUILD}/*', f'--suppress=*:{TOP}/tests/*'])


def fresh_root(step):
    if os.environ.get('PM2D_TEST_SKIP_FRESH'):
        step.skipped += 1
        step.notes.append('skipped: PM2D_TEST_SKIP_FRESH is set')
        return
    if os.geteuid() != 0:
        step.skipped += 1
        step.notes.append('skipped: making a root file system needs root')
        return
    step.run([os.path.join(TOP, 'tools', 'test-fresh-root')])


def node_versions(step):
    step.run([os.path.join(TOP, 'tests', 'node-versions.py')],
             env={'PM2D_BUILD_DIR': build_directory('gcc'), 'PYTHONDONTWRITEBYTECODE': '1'})


def pm2_versions(step):
    step.run([os.path.join(TOP, 'tests', 'pm2-versions.py')],
             env={'PM2D_BUILD_DIR': build_directory('gcc'), 'PYTHONDONTWRITEBYTECODE': '1'})


def fuzz(step, seconds, names=()):
    """Run the fuzz targets of these names, or all that are built."""
    folder = os.path.join(build_directory('fuzz'), 'tests', 'fuzz')
    files = [f'fuzz-{name}' for name in names] or (os.listdir(folder) if os.path.isdir(folder) else [])
    targets = [os.path.join(folder, name) for name in files
               if name.startswith('fuzz-') and not os.path.isdir(os.path.join(folder, name))]
    missing = [target for target in targets if not os.access(target, os.X_OK)]
    if missing or not targets:
        raise StepFailed(f'not built: {" ".join(missing) or "any fuzz target"}')

    def run_target(target):
        name = os.path.basename(target)
        short = name.removeprefix('fuzz-')
        grown = os.path.join(BUILD, 'fuzz-corpus', name)
        found = os.path.join(BUILD, 'fuzz-findings', name)
        os.makedirs(grown, exist_ok=True)
        os.makedirs(found, exist_ok=True)
        seeds = [os.path.join(TOP, 'tests', 'fuzz', *parts)
                 for parts in ((name,), (short,), ('corpus', name), ('corpus', short))]
        command = [target, f'-max_total_time={seconds}', '-timeout=10', '-rss_limit_mb=2048',
                   f'-artifact_prefix={found}/', grown, *(seed for seed in seeds if os.path.isdir(seed))]
        return subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, errors='replace',
                              env={**os.environ, **SANITIZE_ENV})

    targets.sort()
    with concurrent.futures.ThreadPoolExecutor(JOBS) as pool:
        for target, result in zip(targets, pool.map(run_target, targets)):
            step.log.write(f'{target}: status {result.returncode}\n{result.stderr[-20000:]}\n')
            if result.returncode == 0:
                step.passed += 1
            else:
                step.failed += 1
                step.failures.append(os.path.basename(target))
                step.notes.append(f'FAIL: {os.path.basename(target)}')
                step.notes += [f'| {line}' for line in result.stderr.splitlines()[-OUTPUT_TAIL_LINES:]]


# Tiers

NOT_QUICK = ('full', 'long', 'system', 'chaos')
VALGRIND = ('valgrind --quiet --error-exitcode=99 --leak-check=full --show-leak-kinds=definite,indirect '
            '--errors-for-leak-kinds=definite,indirect --trace-children=no --num-callers=30 '
            f'--suppressions={TOP}/tools/valgrind.supp')


def quick_steps():
    return [
        Step('build-gcc', 'build with gcc', meson_build, 'gcc', '--buildtype=debugoptimized'),
        Step('test-gcc', 'tests', meson_test, 'gcc', without=NOT_QUICK,
             expect=('unit', 'bus', 'integration', 'lint')),
        Step('build-gcc-sanitize', 'build with gcc, ASan and UBSan', meson_build, 'gcc-sanitize',
             '--buildtype=debugoptimized', *SANITIZE),
        Step('test-gcc-sanitize', 'tests under ASan and UBSan', meson_test, 'gcc-sanitize',
             without=(*NOT_QUICK, 'lint'), env=SANITIZE_ENV, slower=3,
             expect=('unit', 'bus', 'integration')),
    ]


def full_steps():
    return [
        Step('build-clang', 'build with clang, ASan and UBSan', meson_build, 'clang', '--buildtype=debugoptimized',
             *SANITIZE, compiler='clang'),
        # what gcc's build runs against the whole program under the same sanitizers is not run twice
        Step('test-clang', 'tests of parts with clang under ASan and UBSan', meson_test, 'clang',
             without=(*NOT_QUICK, 'lint', 'integration'), env=SANITIZE_ENV, slower=3, expect=('unit', 'bus')),
        Step('test-full', 'tests of the full tier', meson_test, 'gcc', suites=('full',)),
        Step('build-system', 'build to be installed in /usr', meson_build, 'system', '--prefix=/usr'),
        Step('test-system', 'tests of the installed service under systemd', meson_test, 'system', suites=('system',)),
        Step('build-fault', 'build with fault points', meson_build, 'fault', '--prefix=/usr', '-Dfault_points=true'),
        Step('test-fault', 'a kill before and after every fault point', meson_test, 'fault', suites=('chaos',)),
        Step('coverage', 'line coverage of src/core at least 95 %', coverage),
        Step('clang-tidy', 'clang-tidy', clang_tidy),
        Step('cppcheck', 'cppcheck', cppcheck),
        Step('valgrind', 'unit tests under valgrind', meson_test, 'gcc', suites=('unit',), slower=10,
             wrapper=VALGRIND, env={'PM2D_TEST_VALGRIND': '1'}),
        Step('build-fuzz-full', 'build with libFuzzer what this tier fuzzes', meson_build, 'fuzz', '-Dfuzz=true',
             *SANITIZE, compiler='clang', targets=[f'tests/fuzz/fuzz-{name}' for name in FUZZ_FULL]),
        Step('fuzz-full', f'the fuzz targets of this tier, {FUZZ_FULL_SECONDS} s each', fuzz,
             FUZZ_FULL_SECONDS, FUZZ_FULL),
        Step('fresh-root', 'quickstart and test in a new Debian 12 root', fresh_root),
    ]


def long_steps(fuzz_seconds):
    return [
        Step('test-long', 'tests of the long tier', meson_test, 'system', suites=('long',), slower=10),
        Step('build-system-sanitize', 'build to be installed in /usr, ASan and UBSan', meson_build, 'system-sanitize',
             '--prefix=/usr', *SANITIZE),
        Step('test-system-sanitize', 'tests of the installed service under ASan and UBSan', meson_test,
             'system-sanitize', suites=('system',), env=SANITIZE_ENV, slower=3),
        Step('node-versions', 'programs of Node 18, 20, 22 and 24', node_versions),
        Step('pm2-versions', 'clients of PM2 5 and 6', pm2_versions),
        Step('build-fuzz', 'build with libFuzzer', meson_build, 'fuzz', '-Dfuzz=true', *SANITIZE, compiler='clang'),
        Step('fuzz', f'fuzz targets, {fuzz_seconds} s each', fuzz, fuzz_seconds),
    ]


def parse_arguments():
    parser = argparse.ArgumentParser(prog='tools/test', description='Installs, builds and tests.')
    parser.add_argument('--full', action='store_true', help='what continuous integration runs')
    parser.add_argument('--long', action='store_true', help='soak and fuzz as well')
    parser.add_argument('--list', action='store_true', help='name the steps of the tier')
    parser.add_argument('--only', nargs='+', metavar='NAME', default=[], help='run these steps only')
    parser.add_argument('--no-install', action='store_true', help='do not look for missing packages')
    parser.add_argument('--fuzz-seconds', type=int, default=FUZZ_SECONDS, metavar='N',
                        help='time of each fuzz target (%(default)s)')
    return parser.parse_args()


def select_steps(arguments):
    steps = quick_steps()
    if arguments.full or arguments.long:
        steps += full_steps()
    if arguments.long:
        steps += long_steps(arguments.fuzz_seconds)
    if arguments.only:
        everything = quick_steps() + full_steps() + long_steps(arguments.fuzz_seconds)
        unknown = set(arguments.only) - {step.name for step in everything}
        if unknown:
            sys.exit(f'tools/test: no such step: {", ".join(sorted(unknown))} (see --list --long)')
        steps = [step for step in everything if step.name in arguments.only]
    return steps


def main():
    arguments = parse_arguments()
    steps = select_steps(arguments)
    if arguments.list:
        for step in steps:
            print(f'{step.name:<20} {step.title}')
        return 0
    if arguments.full or arguments.long:
        os.environ['PM2D_TEST_FULL'] = '1'  # nothing is left out for want of packages
    os.makedirs(LOGS, exist_ok=True)
    started = time.monotonic()
    for number, step in enumerate(steps, 1):
        step.execute(number, len(steps))
    for step in steps:
        for line in step.failures:
            print(f'FAILED {step.name}: {line}')
    minutes, seconds = divmod(int(time.monotonic() - started), 60)
    passed, failed, skipped = (sum(getattr(step, key) for step in steps)
                               for key in ('passed', 'failed', 'skipped'))
    print(f'{minutes} min {seconds} s')
    print(f'{passed} passed, {failed} failed, {skipped} skipped')
    return 1 if failed else 0


if __name__ == '__main__':
    sys.exit(main())
