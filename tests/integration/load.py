# SPDX-License-Identifier: LGPL-2.1-or-later
"""Requests in the background, none of them repeated: what load-client.js counts.

    with Load(port=8080, mode='keep-alive', connections=16) as load: ...
    load.result['failed']
"""

import json
import os
import subprocess

from harness import TIMEOUT

HERE = os.path.dirname(os.path.abspath(__file__))


def node():
    """The Node that is tried."""
    folder = os.environ.get('PM2D_TEST_NODE_FOLDER')
    return os.path.join(folder, 'node') if folder else 'node'


class Load:
    """Runs from its making to stop(). Options: those of load-client.js."""

    def __init__(self, **options):
        self.result = None
        self.process = subprocess.Popen([node(), os.path.join(HERE, 'load-client.js'), json.dumps(options)],
                                        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def stop(self):
        """Ask it to end; the dict of its figures."""
        if self.result is None:
            try:
                self.result = json.loads(self.process.communicate('stop\n', timeout=TIMEOUT)[0])
            finally:
                self.process.kill()
                self.process.wait()
        return self.result

    def __enter__(self):
        return self

    def __exit__(self, kind, *_):
        if kind is None:
            self.stop()
        else:
            self.process.kill()
            self.process.communicate()
