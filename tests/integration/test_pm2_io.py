#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Unmodified programs that use npm's @pm2/io: what they tell, and what they are asked."""

import json
import os

import harness
from harness import wait_until
from test_message_bus import BusCase

# As its documentation shows it.
METRICS = '''
const io = require('@pm2/io');
const users = io.metric({name: 'Realtime user', id: 'app/realtime/user', unit: 'users'});
users.set(12);
io.metric({name: 'Asked for', value: () => 42});
const requests = io.counter({name: 'Open requests', id: 'app/requests'});
requests.inc();
requests.inc(5);
requests.dec();
const latency = io.histogram({name: 'Latency', measurement: 'mean', unit: 'ms'});
for (const value of [10, 20, 30]) latency.update(value);
const rate = io.meter({name: 'Rate', samples: 1, timeframe: 60});
setInterval(() => rate.mark(), 20);
'''
ACTIONS = '''
const io = require('@pm2/io');
let calls = 0;
io.action('count', (reply) => reply({calls: ++calls}));
io.action('say it', (words, reply) => reply(`you said: ${words}`));
io.action('later', (reply) => setTimeout(() => reply([1, null, 'caf\u00e9 "x"\\n']), 100));
io.action('nothing', (reply) => reply());
io.action('fail', () => { throw new Error('an action that fails'); });
'''
ERRORS = '''
const io = require('@pm2/io');
io.action('notice', (reply) => {
    io.notifyError(new TypeError('is told, and no more'), {custom: {where: 'here'}});
    reply('told');
});
io.action('throw', (reply) => { reply('thrown'); setImmediate(() => { throw new Error('nobody caught it'); }); });
'''
# Ready when it says so.
ENTRYPOINT = '''
const fs = require('fs');
const io = require('@pm2/io');
class App extends io.Entrypoint {
    onStart(started) { io.action('go', (reply) => { reply(); started(); }); }
    onStop(error, stopped, code, signal) { fs.writeFileSync(process.argv[2], `${signal}\\n`); stopped(); }
}
new App();
setInterval(() => {}, 1000);
'''
CONFIGURED = '''
require('@pm2/io').init({metrics: {v8: false, eventLoop: false, network: true}, profiling: false});
require('http').createServer((request, answer) => answer.end('x')).listen(0, '127.0.0.1');
'''


class Pm2Io(BusCase):
    def setUp(self):
        super().setUp()
        os.symlink(harness.npm_packages(), self.path('node_modules'))

    def app(self, text, *args, name='app', **attributes):
        script = self.script(f'{name}.js', text, executable=False)
        return self.client.start_one(script, name=name, args=list(args), **attributes)

    def told(self, name='app'):
        """What the supervisor knows of it by its own word."""
        return self.client.describe(name)[0]['pm2_env']

    def wait_told(self, key, *names):
        """The metrics, or the actions by their names, once those are there."""
        def known():
            value = self.told()[key]
            value = value if isinstance(value, dict) else {action['action_name']: action for action in value}
            return all(name in value for name in names) and value

        return wait_until(known, f'{key}: {names}')

    def trigger(self, action, params='', **values):
        (_, error, text), = self.client.manager_call('Trigger', 'sssa{sv}', 'app', action, params,
                                                     harness.options(**values))
        return error, text

    def assert_no_trouble(self, path):
        self.assertEqual(self.client.property(path, 'StatusText'), '')
        self.assertEqual(self.client.property(path, 'Status'), 'online')
        self.assertEqual(self.client.property(path, 'RestartCount'), 0)

    def test_metrics(self):
        path = self.app(METRICS)
        metrics = self.wait_told('axm_monitor', 'Realtime user', 'Rate', 'Heap Usage', 'Event Loop Latency')
        self.assertEqual(metrics['Realtime user'], {'value': 12, 'unit': 'users', 'type': 'app/realtime/user',
                                                    'historic': True})
        self.assertEqual(metrics['Asked for']['value'], 42)
        self.assertEqual(metrics['Open requests'], {'value': 5, 'type': 'app/requests', 'historic': True})
        self.assertEqual((metrics['Latency']['value'], metrics['Latency']['unit']), (20, 'ms'))
        # they come again and again
        wait_until(lambda: self.told()['axm_monitor']['Rate']['value'] > 0, 'a rate is measured')
        self.assert_no_trouble(path)

    def test_what_it_says_at_its_start(self):
        path = self.app(ACTIONS)
        actions = self.wait_told('axm_actions', 'fail')
        self.assertEqual(actions['count'], {'action_name': 'count', 'action_type': 'custom', 'arity': 1})
        self.assertEqual((actions['say it']['arity'], actions['km:heapdump']['action_type']), (2, 'internal'))
        options = wait_until(lambda: 'apm' in self.told()['axm_options'] and self.told()['axm_options'], 'its options')
        self.assertEqual((options['module_name'], options['apm']['type']), ('app', 'node'))
        self.assertIs(options['catchExceptions'], True)
        self.assert_no_trouble(path)

    def test_actions_answer(self):
        path = self.app(ACTIONS)
        self.wait_told('axm_actions', 'fail')
        self.assertEqual(self.trigger('count'), ('', '{"calls":1}'))
        self.assertEqual(self.trigger('count'), ('', '{"calls":2}'))
        self.assertEqual(self.trigger('say it', 'a "b" c'), ('', '"you said: a \\"b\\" c"'))
        error, text = self.trigger('later')
        self.assertEqual((error, json.loads(text)), ('', [1, None, 'caf\u00e9 "x"\n']))
        self.assertEqual(self.trigger('nothing'), ('', 'null'))
        self.assertEqual(self.trigger('km:heapdump')[0], '')
        self.assertEqual(self.trigger('unheard')[0], 'NoSuchAction')
        self.assert_no_trouble(path)

    def test_by_pm2ctl(self):
        self.app(ACTIONS)
        self.wait_told('axm_actions', 'fail')
        self.assertIn('you said: hello', self.pm2ctl('trigger', 'app', 'say it', 'hello').stdout)

    def test_an_action_that_throws(self):
        """It ends the app, as with PM2; who asked is told."""
        path = self.app(ACTIONS)
        self.wait_told('axm_actions', 'fail')
        self.assertEqual(self.trigger('fail')[0], 'NotOnline')
        self.client.wait_property(path, 'RestartCount', 1)
        self.wait_told('axm_actions', 'fail')

    def test_errors(self):
        stream = self.open_bus(events=['process:exception'])
        path = self.app(ERRORS)
        self.wait_told('axm_actions', 'throw')
        self.assertEqual(self.trigger('notice'), ('', '"told"'))
        event = stream.next()
        self.assertEqual((event['event'], event['process']['name']), ('process:exception', 'app'))
        self.assertEqual([event['data'][key] for key in ('name', 'message', 'metadata')],
                         ['TypeError', 'is told, and no more', {'custom': {'where': 'here'}}])
        self.assertIn('app.js', event['data']['stack'])
        self.assert_no_trouble(path)
        self.assertEqual(self.trigger('throw'), ('', '"thrown"'))
        self.assertEqual(stream.next()['data']['message'], 'nobody caught it')
        self.client.wait_property(path, 'RestartCount', 1)
        self.assertEqual(self.client.property(path, 'ExitCode'), 1)

    def test_entrypoint(self):
        path = self.app(ENTRYPOINT, self.path('stopped'), wait_ready=True, wait=False, listen_timeout=60000)
        self.wait_told('axm_actions', 'go')
        self.assertEqual(self.client.property(path, 'Status'), 'launching')
        self.assertEqual(self.trigger('go'), ('', 'null'))
        self.client.wait_status(path, 'online')
        self.client.stop('app')
        self.assertEqual(harness.read_file(self.path('stopped')), 'SIGINT\n')

    def test_options_of_init(self):
        path = self.app(CONFIGURED)
        metrics = self.wait_told('axm_monitor', 'Network In')
        self.assertNotIn('Heap Usage', metrics)
        self.assertIs(self.told()['axm_options']['metrics']['network'], True)
        self.assert_no_trouble(path)

    def test_a_new_start_has_told_nothing_yet(self):
        path = self.app(METRICS)
        self.wait_told('axm_monitor', 'Rate')
        self.script('app.js', "setInterval(() => {}, 1000); process.send('ready');", executable=False)
        self.client.restart('app')
        self.assertEqual((self.told()['axm_monitor'], self.told()['axm_actions']), ({}, []))
        self.assertEqual(self.client.property(path, 'StatusText'), '')


if __name__ == '__main__':
    harness.main()
