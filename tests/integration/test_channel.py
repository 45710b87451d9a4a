#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""The channel between an app and the supervisor: what is sent, what comes back, and what a bad app can do."""

import json
import os

import harness
from harness import DBusError, read_file, wait_until

# Writes each message that it gets as a line of JSON into a file.
LISTENER = '''
const fs = require('fs');
const file = fs.openSync(process.argv[2], 'a');
process.on('message', (message) => fs.writeSync(file, JSON.stringify(message) + '\\n'));
process.send('ready');
'''
# Does what its actions say.
ACTOR = '''
const announce = (name) => process.send({type: 'axm:action', data: {action_name: name, action_type: 'custom'}});
const answer = (name, value) => process.send({type: 'axm:reply', data: {at: Date.now(), action_name: name,
                                                                        return: value}});
process.on('message', (message) => {
    const name = message.msg || message;
    if (name === 'echo') answer(name, {param: message.opts || null, text: 'caf\\u00e9 "x"'});
    if (name === 'die') process.exit(1);
});
for (const name of ['echo', 'silent', 'die']) announce(name);
process.send({type: 'axm:monitor', data: {Requests: {value: 7, type: 'counter', historic: true, unit: 'req'}}});
process.send({type: 'axm:option:configuration', data: {module_version: '1.0'}});
process.send({node_version: process.versions.node});
process.send('ready');
'''


class Channel(harness.Case):
    def app(self, text, *args, name='app', **attributes):
        attributes = {'wait_ready': True, 'listen_timeout': 30000} | attributes
        return self.client.start_one(self.script(f'{name}.js', text, executable=False), name=name, args=list(args),
                                     **attributes)

    def listener(self, name='app', **attributes):
        return self.app(LISTENER, self.path(f'{name}.messages'), name=name, **attributes)

    def messages(self, count, name='app'):
        """So many messages that the app has got."""
        path = self.path(f'{name}.messages')
        text = wait_until(lambda: read_file(path).count('\n') >= count and read_file(path), f'{count} messages')
        return [json.loads(line) for line in text.split('\n')[:-1]]


class Sending(Channel):
    def send_message(self, target, value):
        text = value if isinstance(value, str) else json.dumps(value)
        return self.client.manager_call('SendMessage', 'ss', target, text)

    def send_data(self, number, kind, value):
        return self.client.manager_call('SendData', 'uss', number, kind, json.dumps(value))

    def test_any_value_arrives_as_it_is(self):
        path = self.listener()
        values = ['text', 'with "quotes" and \u2028 caf\u00e9 \U0001f427', 5, -0.5, True, None, [], {'a': {'b': [1, None]}},
                  {'cmd': 'NODE_'}, {'cmd': 'node_x'}, [{'cmd': 'NODE_X'}], 'x' * 300000]
        for value in values:
            self.assertEqual(self.send_message('app', json.dumps(value)), [path])
        self.assertEqual(self.messages(len(values)), values)

    def test_order_is_kept(self):
        path = self.listener()
        for number in range(500):
            if number % 2:
                self.client.call(path, harness.PROCESS, 'SendMessage', 's', str(number))
            else:
                self.send_message('app', str(number))
        self.assertEqual(self.messages(500), list(range(500)))

    def test_data_has_the_form_of_pm2(self):
        path = self.listener()
        self.send_data(0, 'process:msg', {'hello': 'world'})
        self.client.call(path, harness.PROCESS, 'SendData', 'ss', 'other', '[1]')
        self.assertEqual(self.messages(2), [
            {'id': 0, 'type': 'process:msg', 'topic': True, 'data': {'hello': 'world'}},
            {'id': 0, 'type': 'other', 'topic': True, 'data': [1]}])

    def test_what_is_of_node_is_refused(self):
        self.listener()
        for text in ('{"cmd":"NODE_HANDLE_ACK"}', '{"\\u0063md":"NODE_HANDLE_ACK"}', '{"cmd":"NODE\\u005fX"}',
                     '{"cmd":1,"cmd":"NODE_CLUSTER"}', ' {"a":[{}],"cmd" : "NODE_x"} '):
            self.assert_dbus_error('InvalidData', self.send_message, 'app', text, mentions='NODE_')
        self.send_message('app', '{"cmd":"NODE_X","cmd":"mine"}')  # the last one counts
        self.assertEqual(self.messages(1), [{'cmd': 'mine'}])

    def test_what_is_no_json_is_refused(self):
        self.listener()
        for text in ('', 'text', '{', '1 2', '"a\nb"', "{'a':1}", '[' * 100000, '{"a":}', 'nul', '"\\x"', 'NaN'):
            self.assert_dbus_error('InvalidData', self.send_message, 'app', text, mentions='message')
            self.assert_dbus_error('InvalidData', self.client.manager_call, 'SendData', 'uss', 0, 't', text,
                                   mentions='data')
        self.send_message('app', '[1,\n\r\n2]\n')  # newlines between its parts are fine
        self.assertEqual(self.messages(1), [[1, 2]])

    def test_who_cannot_be_told(self):
        self.client.start(self.sleeper(), name='deaf')
        self.assert_dbus_error('NoChannel', self.send_message, 'deaf', '1', mentions="'deaf'")
        self.listener()
        self.client.stop('app')
        self.assert_dbus_error('NotOnline', self.send_message, 'app', '1', mentions="'app'")
        self.assert_dbus_error('NotOnline', self.send_data, 1, 't', 1, mentions="'app'")
        self.assert_dbus_error('NoSuchProcess', self.send_message, 'nobody', '1')
        self.assert_dbus_error('NoSuchProcess', self.send_data, 99, 't', 1)
        self.assert_dbus_error('PartialFailure', self.send_message, 'all', '1', mentions=['deaf', 'app'])

    def test_who_closed_its_channel(self):
        path = self.app("process.send('ready', () => process.disconnect()); setInterval(() => {}, 1000);")
        wait_until(lambda: self.fails('NoChannel', self.send_message, 'app', '1'), 'the channel is closed')
        self.assertEqual(self.client.property(path, 'Status'), 'online')

    def fails(self, name, function, *arguments):
        try:
            function(*arguments)
        except DBusError as error:
            return error.name.endswith(name)
        return False

    def test_who_never_reads(self):
        """Bounded, an error to the sender, and nothing to anybody else."""
        self.client.start_one(self.script('app.sh', '#!/bin/sh\nread line\n'), name='mute', notify='node')
        self.listener('other')
        text = json.dumps('x' * 100000)
        sent = 0
        with self.assertRaises(DBusError) as caught:
            for sent in range(1000):
                self.send_message('mute', text)
        self.assertIn('LimitExceeded', caught.exception.name)
        self.assertGreater(sent, 10)
        self.send_message('other', '1')
        self.assertEqual(self.messages(1, 'other'), [1])
        self.client.stop('mute')

    def test_shutdown_with_message(self):
        text = ("process.on('message', (m) => { if (m === 'shutdown') "
                "{ require('fs').writeFileSync(process.argv[2], 'asked'); process.exit(7); } });"
                "process.on('SIGINT', () => process.exit(8)); process.send('ready');")
        path = self.app(text, self.path('asked'), shutdown_with_message=True, kill_timeout=60000)
        self.client.stop('app')
        self.assertEqual(self.client.property(path, 'ExitCode'), 7)
        self.assertEqual(read_file(self.path('asked')), 'asked')

    def test_shutdown_with_message_that_nobody_hears(self):
        path = self.app("process.send('ready'); setInterval(() => {}, 1000);", shutdown_with_message=True,
                        kill_timeout=100)
        self.client.stop('app')
        self.assertEqual(self.client.property(path, 'ExitSignal'), 'SIGKILL')

    def test_the_children_of_an_app_have_no_channel(self):
        text = ("const out = require('child_process').execSync('env; ls -l /proc/self/fd').toString();"
                "require('fs').writeFileSync(process.argv[2], out); process.send('ready'); setInterval(() => {}, 1000);")
        self.app(text, self.path('seen'))
        seen = read_file(self.path('seen'))
        self.assertNotIn('NODE_CHANNEL', seen)
        self.assertNotIn(' 3 -> socket', seen)

    def test_other_programs_have_one_where_it_is_asked_for(self):
        script = self.script('show.sh', '#!/bin/sh\necho "$NODE_CHANNEL_FD" >"$1"\nls -l /proc/self/fd >>"$1"\nexec sleep 1000\n')
        for name, attributes, has in (('plain', {}, False), ('asks', {'notify': 'node'}, True),
                                      ('not', {'notify': 'none'}, False)):
            self.client.start(script, name=name, args=[self.path(name)], **attributes)
            text = wait_until(lambda file=self.path(name): os.path.exists(file) and 'self' not in read_file(file) and
                              len(read_file(file).splitlines()) > 4 and read_file(file), 'it has looked')
            self.assertEqual(text.splitlines()[0], '3' if has else '')
            self.assertEqual(' 3 -> socket' in text, has)


class Lines(harness.Case):
    def test_lines_to_standard_input(self):
        path = self.client.start_one(self.script('cat.sh', '#!/bin/sh\nexec cat >"$1"\n'), name='app',
                                     args=[self.path('got')])
        self.client.call(path, harness.PROCESS, 'SendLine', 's', 'first caf\u00e9')
        self.client.manager_call('SendLine', 'us', 0, '')
        self.client.manager_call('SendLine', 'us', 0, 'x' * 4095)
        wait_until(lambda: os.path.exists(self.path('got')) and
                   read_file(self.path('got')) == 'first caf\u00e9\n\n' + 'x' * 4095 + '\n', 'all lines are there')

    def test_bad_lines(self):
        self.client.start_one(self.sleeper(), name='app')
        send = self.client.manager_call
        self.assert_dbus_error('InvalidData', send, 'SendLine', 'us', 0, 'a\nb', mentions='newline')
        self.assert_dbus_error('InvalidData', send, 'SendLine', 'us', 0, 'x' * 4096, mentions='4095')
        self.assert_dbus_error('NoSuchProcess', send, 'SendLine', 'us', 7, 'x')
        with self.assertRaisesRegex(DBusError, 'no more can wait') as caught:
            for _ in range(100):
                send('SendLine', 'us', 0, 'x' * 4000)
        self.assertIn('LimitExceeded', caught.exception.name)
        self.client.stop('app')
        self.assert_dbus_error('NotOnline', send, 'SendLine', 'us', 0, 'x')

    def test_standard_input_that_is_something_else(self):
        self.client.start_one(self.script('null.sh', '#!/bin/sh\nexec </dev/null\necho >"$1"\nexec sleep 1000\n'),
                              name='app', args=[self.path('ready')])
        harness.wait_file(self.path('ready'))
        self.assert_dbus_error('NoChannel', self.client.manager_call, 'SendLine', 'us', 0, 'x')


class Actions(Channel):
    def trigger(self, target, action, params='', **values):
        return self.client.manager_call('Trigger', 'sssa{sv}', target, action, params, harness.options(**values))

    def test_an_action_answers(self):
        path = self.app(ACTOR)
        (number, error, text), = self.trigger('app', 'echo')
        self.assertEqual((number, error), (0, ''))
        self.assertEqual(json.loads(text), {'param': None, 'text': 'caf\u00e9 "x"'})
        (_, _, text), = self.client.call(path, harness.PROCESS, 'Trigger', 'ssa{sv}', 'echo', 'a "b"', {})
        self.assertEqual(json.loads(text)['param'], 'a "b"')

    def test_each_process_has_its_answer(self):
        for name in ('one', 'two'):
            self.app(ACTOR, name=name)
        self.client.start(self.sleeper(), name='deaf')
        answers = {number: error for number, error, _ in self.trigger('all', 'echo')}
        self.assertEqual(answers, {0: '', 1: '', 2: 'NoChannel'})

    def test_bad_calls(self):
        self.app(ACTOR)
        (_, error, text), = self.trigger('app', 'nothing')
        self.assertEqual(error, 'NoSuchAction')
        self.assertIn("'nothing'", text)
        (_, error, _), = self.trigger('app', 'silent', timeout=50000)
        self.assertEqual(error, 'Timeout')
        (_, error, _), = self.trigger('app', 'die')
        self.assertEqual(error, 'NotOnline')
        self.assert_dbus_error('NoSuchProcess', self.trigger, 'nobody', 'echo')
        self.assert_dbus_error('InvalidData', self.trigger, 'app', '')
        self.assert_dbus_error(harness.DBUS_ERROR + 'InvalidArgs', self.trigger, 'app', 'echo', colour='red')

    def test_what_a_process_tells_of_itself(self):
        self.app(ACTOR)
        told = self.client.describe('app')[0]['pm2_env']
        self.assertEqual([action['action_name'] for action in told['axm_actions']], ['echo', 'silent', 'die'])
        self.assertEqual(told['axm_monitor']['Requests']['value'], 7)
        self.assertEqual(told['axm_options'], {'module_version': '1.0'})
        self.assertRegex(told['node_version'], r'^\d+\.\d+\.\d+$')


class BadApps(Channel):
    """What an app does to its channel harms itself alone."""

    def misbehave(self, text, **attributes):
        """Python that writes to the channel; then it says ready."""
        script = self.script('bad.py', '#!/usr/bin/python3\nimport os, time\nfd = int(os.environ["NODE_CHANNEL_FD"])\n'
                             'def put(data):\n    while data:\n        data = data[os.write(fd, data):]\n' + text +
                             '\nput(b\'"ready"\\n\')\ntime.sleep(1000)\n')
        path = self.client.start_one(script, name='bad', wait_ready=True, listen_timeout=60000, **attributes)
        self.assertEqual(self.client.property(path, 'Status'), 'online')
        return self.client.property(path, 'StatusText')

    def test_garbage(self):
        for text, count, what in (
                ("put(b'garbage\\n')", 1, 'line 1'), ("put(b'\\n\\n')", 2, 'an empty line'),
                ("put(b'\\0\\n')", 1, 'not text'), ("put(b'\"\\xff\"\\n')", 1, ''), ("put(b'{\"a\":1\\n')", 1, ''),
                ("put(b'[' * 100000 + b'\\n')", 1, ''), ("put(b'x' * 3000000 + b'\\n')", 1, 'too long')):
            with self.subTest(text):
                told = self.misbehave(text)
                self.assertRegex(told, rf'^{count} messages dropped, the last: .*{what}')
                self.client.delete('bad')

    def test_a_very_long_line(self):
        told = self.misbehave("for _ in range(100):\n    put(b'x' * 1000000)\nput(b'\\n')")
        self.assertEqual(told, '1 messages dropped, the last: too long')

    def test_good_and_strange_values_are_no_trouble(self):
        self.assertEqual(self.misbehave("put(b'null\\n0\\n[]\\n  {\"type\":\"x\",\"data\":null}  \\n\"\\\\u0000\"\\n')"), '')

    def test_half_a_line_and_then_nothing(self):
        self.client.start_one(self.script('half.sh', '#!/bin/sh\nprintf "{\\"a\\":" >&3\nexec sleep 1000\n'), name='half',
                              notify='node')
        self.client.restart('half')
        self.assertEqual(self.client.list()[0]['pm2_env']['status'], 'online')

    def test_a_flood(self):
        """It goes on and on; others are answered meanwhile, and it can be stopped."""
        self.client.start_one(self.script('flood.py', '#!/usr/bin/python3\nimport os\nwhile True:\n'
                                          '    os.write(3, b\'{"type":"x","data":"yyyyyyyyyyyyyyyyyyyyyyyyyyyy"}\\n\' * 1000)\n'),
                              name='flood', notify='node')
        self.listener('other')
        for number in range(20):
            self.client.manager_call('SendMessage', 'ss', 'other', str(number))
        self.assertEqual(self.messages(20, 'other'), list(range(20)))
        self.client.stop('flood')

    def test_handles_are_answered_and_closed(self):
        text = ("const server = require('net').createServer().listen(0, () => {"
                "process.send({a: 1}, server); process.send('ready'); }); process.on('message', () => {});")
        path = self.app(text)
        self.assertEqual(self.client.property(path, 'Status'), 'online')


class Renewal(Channel):
    """The channel over a renewal of the supervisor in its place."""

    def renew(self):
        self.client.manager_call('Reexecute')
        self._client = wait_until(self.daemon.try_connect, 'the successor answers')
        return self._client

    def test_messages_before_and_after(self):
        path = self.listener()
        pid = self.client.property(path, 'Pid')
        self.client.manager_call('SendMessage', 'ss', 'app', '1')
        client = self.renew()
        client.manager_call('SendMessage', 'ss', 'app', '2')
        self.assertEqual(self.messages(2), [1, 2])
        self.assertEqual(client.property(path, 'Pid'), pid)

    def test_waiting_for_ready_goes_on(self):
        text = ("require('readline').createInterface({input: process.stdin}).on('line', () => process.send('ready'));"
                "process.on('message', () => {});")
        path = self.client.start(self.script('app.js', text, executable=False), name='app', wait_ready=True, wait=False,
                                 listen_timeout=60000)[0]
        self.client.wait_property(path, 'StartTimestamp', lambda usec: usec > 0)
        client = self.renew()
        self.assertEqual(client.property(path, 'Status'), 'launching')
        client.call(path, harness.PROCESS, 'SendLine', 's', 'now')
        client.wait_status(path, 'online')
        self.assertEqual(client.property(path, 'RestartCount'), 0)

    def test_actions_are_still_known(self):
        self.app(ACTOR)
        client = self.renew()
        (_, error, _), = client.manager_call('Trigger', 'sssa{sv}', 'app', 'echo', '', {})
        self.assertEqual(error, '')


if __name__ == '__main__':
    harness.main()
