#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""What concerns Node programs, with each version of Node that is still in use: installed by npm into build/node, and put
before all others in PATH. Run by hand: tools/test --long has it.

    tests/node-versions.py [VERSION...]     (default: the newest of 18, 20, 22 and 24 at the time of writing)
"""

import os
import platform
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
TOP = os.path.dirname(HERE)
VERSIONS = ('18.20.8', '20.20.2', '22.23.3', '24.21.0')
MODULES = ('test_channel', 'test_cluster', 'test_readiness', 'test_message_bus', 'test_pm2_io', 'test_preload', 'test_clients',
           'test_drain')
# What is put into the environment, the file of the test and, if not all of it, the case.
RUNS = (*(({}, module) for module in MODULES),
        ({'PM2D_TEST_RELOADS': '200'}, 'test_many_reloads', 'Reloads.test_http'))
MACHINES = {'x86_64': 'x64', 'aarch64': 'arm64'}


def install(version):
    """The folder of the program."""
    folder = os.path.join(TOP, 'build', 'node', version)
    package = f'node-linux-{MACHINES[platform.machine()]}'
    program = os.path.join(folder, 'node_modules', package, 'bin', 'node')
    if not os.path.exists(program):
        os.makedirs(folder, exist_ok=True)
        subprocess.run(['npm', 'install', '--prefix', folder, '--ignore-scripts', '--no-audit', '--no-fund',
                        '--loglevel=error', f'{package}@{version}'], check=True, stdin=subprocess.DEVNULL)
    return os.path.dirname(program)


def main():
    failed = 0
    for version in sys.argv[1:] or VERSIONS:
        folder = install(version)
        told = subprocess.run([os.path.join(folder, 'node'), '--version'], check=True, capture_output=True, text=True)
        if told.stdout.strip() != f'v{version}':
            sys.exit(f'{folder} has {told.stdout.strip()}')
        for options, module, *cases in RUNS:
            result = subprocess.run(['/usr/bin/python3', os.path.join(HERE, 'integration', f'{module}.py'), *cases],
                                    env={**os.environ, 'PM2D_TEST_NODE_FOLDER': folder, **options},
                                    capture_output=True, text=True)
            failed += result.returncode != 0
            print(f'{"ok" if result.returncode == 0 else "not ok"}: Node {version}: {module}: '
                  f'{result.stderr.strip().splitlines()[-1]}', flush=True)
            if result.returncode:
                print(result.stderr, flush=True)
    return 1 if failed else 0


if __name__ == '__main__':
    sys.exit(main())
