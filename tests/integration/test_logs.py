#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Log and pid files: their names, what is in them, who opens them."""

import os
import stat

import harness

TALKER = '#!/bin/sh\necho to out\necho to err >&2\nexec sleep 1000\n'


class Logs(harness.Case):
    def start_talker(self, **attributes):
        script = self.script('talker.sh', TALKER)
        path = self.client.start_one(script, **attributes)
        return path, self.client.properties(path)

    def test_default_names(self):
        _, properties = self.start_talker(name='my app_x')
        self.assertEqual(properties['OutLogPath'], os.path.join(self.daemon.logs, 'my-app-x-out.log'))
        self.assertEqual(properties['ErrorLogPath'], os.path.join(self.daemon.logs, 'my-app-x-error.log'))
        self.assertEqual(os.path.basename(properties['PidPath']), 'my-app-x-0.pid')
        self.assertEqual(harness.wait_file(properties['OutLogPath']), 'to out\n')
        self.assertEqual(harness.wait_file(properties['ErrorLogPath']), 'to err\n')

    def test_number_at_the_end_of_a_name_gives_way_to_the_id(self):
        # as in PM2
        _, properties = self.start_talker(name='api-7', merge_logs=False)
        self.assertEqual(os.path.basename(properties['OutLogPath']), 'api-7-out-0.log')
        self.assertEqual(os.path.basename(properties['PidPath']), 'api-0.pid')

    def test_odd_names_stay_in_the_folder(self):
        for number, (name, stem) in enumerate((('../../up', '..-..-up'), ('a/b', 'a-b'), ('ünïcode', None),
                                               ('a.b-c', 'a.b-c'), ('..', None), ('x' * 255, None))):
            with self.subTest(name):
                _, properties = self.start_talker(name=name)
                self.assertEqual(os.path.dirname(properties['OutLogPath']), self.daemon.logs)
                if stem:
                    self.assertEqual(os.path.basename(properties['OutLogPath']), f'{stem}-out.log')
                self.assertEqual(harness.wait_file(properties['OutLogPath']), 'to out\n')
                self.assertTrue(os.path.basename(properties['PidPath']).endswith(f'-{number}.pid'))

    def test_without_merge_logs_names_have_the_id(self):
        _, properties = self.start_talker(name='api', merge_logs=False)
        self.assertEqual(os.path.basename(properties['OutLogPath']), 'api-out-0.log')
        self.assertEqual(os.path.basename(properties['ErrorLogPath']), 'api-error-0.log')

    def test_restart_appends(self):
        _, properties = self.start_talker(name='api')
        harness.wait_file(properties['OutLogPath'])
        self.client.restart('api')
        harness.wait_file(properties['OutLogPath'], lambda text: text == 'to out\nto out\n')

    def test_truncating_is_no_harm(self):
        script = self.script('loop.sh', '#!/bin/sh\nwhile :; do echo line; sleep 0.02; done\n')
        path = self.client.start_one(script, name='loop')
        out = self.client.property(path, 'OutLogPath')
        harness.wait_file(out, lambda text: text.count('line') >= 3)
        os.truncate(out, 0)
        text = harness.wait_file(out, lambda content: content.count('line') >= 3)
        self.assertNotIn('\0', text)

    def test_relative_files_start_at_cwd(self):
        os.mkdir(self.path('sub'))
        _, properties = self.start_talker(name='api', cwd=self.daemon.apps, out_file='sub/o.log', error_file='./e.log',
                                          pid_file='p.pid')
        self.assertEqual(properties['OutLogPath'], self.path('sub/o.log'))
        self.assertEqual(properties['ErrorLogPath'], self.path('e.log'))
        self.assertEqual(harness.wait_file(self.path('sub/o.log')), 'to out\n')
        self.assertEqual(harness.wait_file(self.path('e.log')), 'to err\n')
        self.assertEqual(properties['PidPath'], self.path('p-0.pid'))

    def test_nowhere(self):
        for text in ('/dev/null', 'NULL'):
            _, properties = self.start_talker(name=f'to {text}', cwd=self.daemon.apps, out_file=text)
            self.assertEqual(properties['OutLogPath'], '/dev/null')
            self.assertEqual(harness.wait_file(properties['ErrorLogPath'])[-7:], 'to err\n')
        self.assertNotIn('NULL', os.listdir(self.daemon.apps))

    def test_one_file_for_both(self):
        both = self.path('both.log')
        self.start_talker(name='api', out_file=both, error_file=both)
        harness.wait_file(both, lambda text: sorted(text.splitlines()) == ['to err', 'to out'])

    def test_missing_folder_of_a_log_file(self):
        out = self.path('new/folder/out.log')
        try:
            self.start_talker(name='api', out_file=out)
        except harness.DBusError as error:
            self.assertIn(error.name, (harness.PM2_ERROR + 'SpawnFailed', harness.PM2_ERROR + 'InvalidConfig'))
            self.assertIn(out, error.message)
            self.assertEqual(self.client.list(), [])
        else:
            self.assertEqual(harness.wait_file(out), 'to out\n')

    def test_pid_file(self):
        path, properties = self.start_talker(name='api')
        pid_file = properties['PidPath']
        self.assertEqual(harness.read_file(pid_file), str(properties['Pid']))
        self.client.restart('api')
        self.assertEqual(harness.read_file(pid_file), str(self.client.property(path, 'Pid')))
        self.client.stop('api')
        self.assertFalse(os.path.exists(pid_file))

    def test_modes_are_for_the_owner(self):
        _, properties = self.start_talker(name='api')
        for name in ('OutLogPath', 'ErrorLogPath', 'PidPath'):
            mode = stat.S_IMODE(os.stat(properties[name]).st_mode)
            self.assertEqual(mode & 0o022, 0, f'{name} {mode:o}')
        for folder in (self.daemon.runtime + '/pm2', self.daemon.state + '/pm2'):
            self.assertEqual(stat.S_IMODE(os.stat(folder).st_mode) & 0o022, 0, folder)

    def test_output_before_a_quick_exit_is_all_there(self):
        script = self.script('quick.sh', '#!/bin/sh\ni=0\nwhile [ $i -lt 2000 ]; do echo line $i; i=$((i+1)); done\n')
        path = self.client.start(script, name='quick', autorestart=False, wait=False)[0]
        self.client.wait_status(path, 'stopped')
        text = harness.read_file(self.client.property(path, 'OutLogPath'))
        self.assertEqual(text, ''.join(f'line {number}\n' for number in range(2000)))

    def test_pm2ctl_logs(self):
        self.start_talker(name='api')
        harness.wait_file(os.path.join(self.daemon.logs, 'api-out.log'))
        harness.wait_file(os.path.join(self.daemon.logs, 'api-error.log'))
        result = self.pm2ctl('logs', 'api', '--nostream')
        self.assertIn('to out', result.stdout)
        self.assertIn('to err', result.stdout)


if __name__ == '__main__':
    harness.main()
