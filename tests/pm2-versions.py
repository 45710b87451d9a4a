#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Clients of other versions of PM2 drive pm2d: installed by npm into build/npm-pm2, each compared with its own daemon.
Run by hand: tools/test --long has it.

    tests/pm2-versions.py [VERSION...]     (default: the last of 5 and of 6 at the time of writing)
"""

import os
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
TOP = os.path.dirname(HERE)
VERSIONS = ('5.4.3', '6.0.14')
MODULES = ('test_pm2_client', 'test_pm2_table')


def install(version):
    folder = os.path.join(TOP, 'build', 'npm-pm2', version)
    if not os.path.exists(os.path.join(folder, 'node_modules', 'pm2', 'package.json')):
        os.makedirs(folder, exist_ok=True)
        subprocess.run(['npm', 'install', '--prefix', folder, '--ignore-scripts', '--no-audit', '--no-fund',
                        '--loglevel=error', f'pm2@{version}'], check=True, stdin=subprocess.DEVNULL)


def main():
    failed = 0
    for version in sys.argv[1:] or VERSIONS:
        install(version)
        for module in MODULES:
            result = subprocess.run(['/usr/bin/python3', os.path.join(HERE, 'integration', f'{module}.py')],
                                    env={**os.environ, 'PM2D_TEST_PM2_VERSION': version}, capture_output=True, text=True)
            failed += result.returncode != 0
            print(f'{"ok" if result.returncode == 0 else "not ok"}: pm2 {version}: {module}: '
                  f'{result.stderr.strip().splitlines()[-1]}', flush=True)
            if result.returncode:
                print(result.stderr, flush=True)
    return 1 if failed else 0


if __name__ == '__main__':
    sys.exit(main())
