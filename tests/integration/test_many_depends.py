#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""A hundred apps that depend on each other: started in order and side by side, stopped in reverse, and a node that fails
blocks what depends on it and nothing else."""

import json
import random

import harness
from harness import DBusError, read_file, wait_file, wait_until

APPS = 100
LAYERS = 10
PATIENCE = 300
# Ready when all of its layer have come: so a layer that is not started side by side never is.
MEETS = '''#!/bin/sh
touch "$GATES/$LAYER.$name"
while set -- "$GATES/$LAYER".*; [ $# -lt $WIDTH ]; do sleep 0.05; done
echo "+$name" >> "$GATES/order"
trap 'echo "-$name" >> "$GATES/order"; exit 0' TERM
echo '"ready"' >&$NODE_CHANNEL_FD
while :; do sleep 1000 & wait; done
'''


class Hundred(harness.Case):
    def dependencies(self):
        """number -> what it depends on: each on some of the layer before, the last layer on all of that."""
        chance = random.Random(7)
        width = APPS // LAYERS
        layers = [range(i * width, (i + 1) * width) for i in range(LAYERS)]
        return {number: sorted(layers[i - 1] if i == LAYERS - 1 else chance.sample(layers[i - 1], 3)) if i else []
                for i, layer in enumerate(layers) for number in layer}

    def document(self, dependencies, **changes):
        apps = [{'name': f'app{number}', 'script': self.script('meets.sh', MEETS), 'wait_ready': True,
                 'listen_timeout': 600000, 'kill_signal': 'SIGTERM', 'kill_timeout': 20000,
                 'env': {'GATES': self.daemon.apps, 'LAYER': f'layer{number // (APPS // LAYERS)}',
                         'WIDTH': str(APPS // LAYERS)},
                 'depends_on': [f'app{other}' for other in others], **changes.get(f'app{number}', {})}
                for number, others in dependencies.items()]
        random.Random(8).shuffle(apps)
        return apps

    def start(self, document):
        return self.client.manager_call('StartJson', 'sa{sv}', json.dumps(document), {}, timeout=PATIENCE)

    def places(self, sign):
        """name -> its place among the lines of this sign."""
        lines = [line for line in read_file(self.path('order')).split() if line[0] == sign]
        self.assertEqual(len(lines), len(set(lines)))
        return {line[1:]: i for i, line in enumerate(lines)}

    def test_in_order_and_side_by_side(self):
        dependencies = self.dependencies()
        paths = self.start(self.document(dependencies))
        self.assertEqual(len(paths), APPS)
        self.assertEqual({process['pm2_env']['status'] for process in self.client.list()}, {'online'})
        came = self.places('+')
        self.client.manager_call('Stop', 'sa{sv}', 'all', {}, timeout=PATIENCE)
        went = self.places('-')
        self.assertEqual(len(came), APPS)
        self.assertEqual(len(went), APPS)
        for number, others in dependencies.items():
            for other in others:
                self.assertLess(came[f'app{other}'], came[f'app{number}'])
                self.assertLess(went[f'app{number}'], went[f'app{other}'])

    def test_a_circle_is_refused(self):
        dependencies = self.dependencies()
        below = APPS - 1
        for _ in range(LAYERS - 1):  # down to the first layer: which then depends on the last
            below = dependencies[below][0]
        dependencies[below] = [APPS - 1]
        error = self.assert_dbus_error('InvalidConfig', self.client.start_json, self.document(dependencies),
                                       mentions=('depends_on: goes in a circle: ', f'app{APPS - 1} -> '))
        names = error.message.split('circle: ')[1].split(' (and ')[0].split(' -> ')
        self.assertEqual(names[0], names[-1])
        for name, other in zip(names, names[1:]):
            self.assertIn(int(other[3:]), dependencies[int(name[3:])])
        self.assertEqual(self.client.list(), [])

    def test_a_failing_node_blocks_only_its_dependents(self):
        dependencies = self.dependencies()
        failing = APPS // LAYERS + 3
        blocked = {failing}
        for number, others in dependencies.items():  # by increasing layer
            if blocked.intersection(others):
                blocked.add(number)
        blocked.remove(failing)
        alone = {'env': {'GATES': self.daemon.apps, 'LAYER': 'any', 'WIDTH': '0'}}
        changes = {f'app{number}': alone for number in dependencies}
        changes[f'app{failing}'] = {'script': self.script('fails.sh', '#!/bin/sh\nexit 3\n'), 'autorestart': False}
        with self.assertRaises(DBusError) as caught:
            self.start(self.document(dependencies, **changes))
        self.assertEqual(len(caught.exception.message.split('\n')), len(blocked) + 1)
        statuses = {process['name']: process['pm2_env']['status'] for process in self.client.list()}
        expected = {f'app{number}': 'errored' if number in blocked else 'online' for number in dependencies}
        expected[f'app{failing}'] = 'stopped'
        self.assertEqual(statuses, expected)
        reasons = {self.client.property(f'/org/pm2/Process/{process["pm_id"]}', 'LastReason')
                   for process in self.client.list() if process['pm2_env']['status'] == 'errored'}
        self.assertEqual(reasons, {f"dependency 'app{failing}' failed: exited with code 3 before it was ready"})

    def test_killed_in_between(self):
        """What waits goes on to wait, whenever the supervisor dies."""
        hooks = {f'app{number}': {'script': self.sleeper(), 'wait_ready': False} for number in self.dependencies()}
        first = {'pre_start': 'echo > "$GATES/runs"; while [ ! -e "$GATES/go" ]; do sleep 0.05; done'}
        hooks['app0'] = {**hooks['app0'], **first}
        self.client.start_json(self.document(self.dependencies(), **hooks), wait=False)
        wait_file(self.path('runs'))
        for number in range(1, APPS // LAYERS):
            self.client.wait_event('online', f'app{number}')
        for _ in range(5):
            self.daemon.process.kill()
            self.daemon.wait_exit()
            self.daemon.start()
        self._client = None
        waiting = [process for process in self.client.list() if process['pm2_env']['status'] == 'launching']
        self.assertGreater(len(waiting), APPS // LAYERS)
        self.script('go', '')
        wait_until(lambda: {process['pm2_env']['status'] for process in self.client.list()} == {'online'},
                   'all are online')


if __name__ == '__main__':
    harness.main()
