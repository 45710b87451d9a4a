# SPDX-License-Identifier: LGPL-2.1-or-later
"""Where pm2d answers PM2's clients otherwise than PM2's own daemon does, and why that is right. Numbers as 11.2.6 are of
the list of PM2's defects in its observed behaviour. A reason that no difference needs is a failure of the test."""

from pm2_compare import MISSING, Justification

JUSTIFIED = []
# Beside them, of clients of 5 and 6, which are compared with their own daemons: pm2d is as that of 7.
OLDER = []
NUMBER = '[0-9]+'


def accept(reason, *paths, **values):
    JUSTIFIED.append(Justification(reason, *paths, **values))


def older(reason, *paths, **values):
    OLDER.append(Justification(reason, *paths, **values))


def accept_keys(reason, *keys, **values):
    """Keys of a process, wherever it is told: in pm2_env, in dump.pm2, on the bus."""
    for key in keys:
        accept(reason, f'*pm2_env.{key}', f'*.JSON[*].{key}', f'events.life.*.process.{key}', **values)


# What is told of a process

for note in ('PM2_JSON_PROCESSING', 'PM2_USAGE'):
    accept('the client\'s notes to itself are no variables of an app', f'*pm2_env.{note}', f'*pm2_env.env.{note}',
           f'*.JSON[*.{note}', f'events.life.*.process.{note}', f'outcome.env.{note}', ours=MISSING)
accept('the client\'s notes to itself are no variables of an app', 'stdout', theirs='.*(PM2_JSON_PROCESSING|PM2_USAGE).*', ours=MISSING)
accept_keys('the default is said', 'watch', 'version', theirs=MISSING)
accept('the default is said', 'stdout', theirs=MISSING, ours='"(watch|version): .*"')
accept_keys('the signal that ended it is said', 'exit_signal', theirs=MISSING)
accept_keys('11.2.2: pids of what is dead are nobody\'s', '_tree_pids', ours=MISSING)
accept('11.2.2: pids of what is dead are nobody\'s', 'list[*.pid', theirs='"[$]PID"', ours='0')
accept_keys('11.2.6: a stop is no crash', 'unstable_restarts', theirs='[1-9]', ours='0')
accept('11.2.6: a stop is no crash', 'outcome.env.unstable_restarts', 'stdout', theirs='"(unstable restarts )?[1-9]"',
       ours='"(unstable restarts )?0"')
accept('every process has a pid', 'list[*.pid', 'result[*.pid', 'outcome.args[*.pid', 'outcome.args[*.process.pid',
       theirs=MISSING, ours='0')
accept('every process has a pid', 'result[*.pid', 'outcome.args[*.pid', theirs=MISSING, ours='"[$]PID"')
accept('every process has a pid', 'stdout', theirs='.*N/A 0 0 stopped.*', ours='.*fork 0 0 0 stopped.*')
accept('variables are strings', '*pm2_env.*', theirs='true|[0-9]+', ours='"(true|[0-9]+)"')
accept('11.3.7: an object is no variable', '*pm2_env.env.*', theirs='{}', ours=MISSING)
accept_keys('11.3.9: a list stays a list', 'stop_exit_codes', theirs='3', ours='.3.')
accept_keys('how many there are', 'instances')
accept_keys('never started', 'pm_uptime', ours='0')
accept('what starts it again gives it no other', '*pm2_env.env.unique_id', theirs=MISSING)
# calls by hand leave out what PM2's client always says
for key in ('NODE_APP_INSTANCE', 'autorestart', 'autostart', 'axm_*', 'created_at', 'instance_var', 'namespace', 'node_args',
            'pmx', 'treekill', 'unique_id', 'unstable_restarts', 'username'):
    accept_keys('the default is said', key, theirs=MISSING, where='rpc-prepare*')
accept_keys('a name that was never given', 'undefined', ours=MISSING, where='rpc-prepare*')

# What a program finds

accept('no wrapper around the script', 'outcome.argv[*', theirs='.*ProcessContainer(Fork)?.js"')
accept('no wrapper around the script', 'outcome.title')
accept('a program that is not Node has a channel if it asks for it', 'outcome.env.NODE_CHANNEL_*', ours=MISSING)
for key in ('automation', 'autorestart', 'autostart', 'cwd', 'exit_code', 'filter_env', 'increment_var', 'instance_var',
            'kill_retry_time', 'kill_timeout', 'km_link', 'max_restarts', 'merge_logs', 'node_version', 'pmx',
            'prev_restart_delay', 'restart_delay', 'script', 'treekill', 'username', 'version', 'vizion', 'vizion_running',
            'watch', 'windowsHide'):
    accept('how it is supervised is no variable of the program', f'outcome.env.{key}', ours=MISSING)

# Events

accept('11.3.2: one exit for each end', 'events.life.*.order', theirs='.*"exit", "exit".*', ours='(?!.*"exit", "exit").*')
accept('11.3.2: one exit for each end', 'events.life.*.exit.status', theirs='"stopped"', ours='"stopping"')
accept('11.3.2: "online" is told when it is so', 'events.life.*.online.status', theirs='"(launching|stopped)"', ours='"online"')
for event in ('restart', 'delete manually', 'ready-timeout'):
    accept('11.3.2: what happens is told', 'events.life.*.order', theirs=f'(?!.*"{event}").*', ours=f'.*"{event}".*')
accept('who asked is known without a word of the client', 'events.life.*.order', where='rpc-*', ours='.*manually.*')

# The supervisor itself

accept('11.2.13: a client that dies in the middle of "kill" leaves nothing behind', '*', where='rpc-kill-flag/2*')
accept('11.3.1: autostart says what is done at a start, and no more', '*', where='cli-start-off/1*')
accept('pm2d is updated in place, with pm2ctl daemon-reexec', '*', where='cli-update/3*')
accept('pm2d is no program of Node', '*', where='rpc-profile/0*')
accept('pm2d is no program of Node', 'outcome.args[*.node_*', 'outcome.args[*.arg*', where='rpc-read/5*')
accept('11.3.10: the environment of the supervisor is nobody\'s', 'outcome.args[*.env.*', where='rpc-read/5*', ours=MISSING)
accept('its own version', 'outcome.args[*.pm2d_version', where='rpc-read/5*')
accept('who it runs as, whatever USER says', 'outcome.args[*.user', where='rpc-read/5*')
accept('the same as text, and no log of its own in pm2.log', 'stdout', where='cli-read/21*')
accept('a stop of what does not run is no error', 'result[*', theirs=MISSING, where='api-crash/*')
accept('a stop of what does not run is no error', 'result[*', where='api-dump/6*')

# PM2 5 and 6

older('version control is read by PM2 7 only where it is told to', '*.versioning', theirs='null|"null"|true', ours=MISSING)
older('version control is read by PM2 7 only where it is told to', '*.vizion_running', theirs='true', ours='false')
older('version control is read by PM2 7 only where it is told to', 'stdout', theirs='"versioning: null,?"', ours=MISSING)
older('"online" comes late where version control is read', 'events.life.*.order', theirs='.* manually", "online".*',
      ours='.*"online".* manually".*')
for name in ('axm_*', 'env', 'env_production', 'args', 'node_args'):
    older('what is no text is no variable', f'outcome.env.{name}', ours=MISSING)
older('they are there as soon as they are known', 'events.life.*.process.exit_code',
      'events.life.*.process.prev_restart_delay', theirs=MISSING)
older('keys come in the order of the client', 'stdout', where='cli-trigger/*', theirs='.*asked.*', ours='.*asked.*')
older('PM2 7 has it', 'outcome.methods.getSystemData', theirs=MISSING)
older('PM2 7 has it', '*', where='rpc-read/4*')
older('PM2 7 has it', 'status', 'std*', where='cli-read/19*')
older('PM2 7 has it', 'status', 'std*', where='cli-read/20*')

# More of what is told of a process

FROM_FILES = ('api-start-json*', 'api-restart/*', 'cli-start-file/*')
OF_OLD = ('api-dump/*', 'api-cluster-dump/*', 'cli-saved/*', 'rpc-prepare/*')
accept_keys('pmx: false loads nothing into an app, and only that could tell', 'node_version', ours=MISSING)
accept('pmx: false loads nothing into an app, and only that could tell', 'stdout', theirs='"node.js version .*"',
       ours='"node.js version N/A"')
accept_keys('no delay is said by saying none', 'prev_restart_delay', theirs='0|true', ours=MISSING)
accept_keys('what it was given up after stays to be seen', 'created_at', theirs='null')
accept_keys('what it was given up after stays to be seen', 'unstable_restarts', theirs='0', ours='[1-9]')
accept('what it was given up after stays to be seen', 'stdout', theirs='"(created.at|unstable.restarts|version).*"',
       ours='"(created.at|unstable.restarts|version).*"', where='cli-read/*')
accept('the output of an action is told by axm:reply', '*.axm_actions[*.output', ours=MISSING)
accept('by it a supervisor that has no cgroup finds its own', 'outcome.env.PM2D_UNIQUE_ID', theirs=MISSING)
for place in FROM_FILES:
    accept('11.3.7: what the program still has is told', '*pm2_env.env.*', theirs=MISSING, where=place)
for place in OF_OLD:
    accept('of a life that is over', '*pm2_env.exit_code', '*pm2_env.restart_time', 'events.life.*.process.exit_code', where=place)
accept('a pid file has the id, always', '*pm2_env.pm_pid_path', where='rpc-prepare/*')
accept('the client\'s own settings are no change of an app', '*pm2_env.filter_env', 'events.life.*.process.filter_env',
       ours=MISSING, where='cli-namespace/*')
accept('a change comes with the start that it is for', 'events.life.*.exit.process.max_restarts',
       'events.life.*.exit.process.script', 'events.life.*.exit.process.force')

# More of events and replies

accept('nothing has happened', 'events.life.*.order', theirs='.*"(stop|start) manually".*', ours='(?!.*"exit").*')
accept('folders of logs are made', '*', where='rpc-prepare/2*')
accept('an app that ends before it is ready was not started', '*', where='api-wait-ready-crash/1*')
accept('no profiler, heap dumps and tracing by the supervisor\'s own hand', '*', where='api-pmx/1*')

# Clusters

for key, theirs, ours in (('status', '"stopped"', '"online"'), ('pid', '0', '"[$]PID"'), ('pm_id', '"_old_[0-9]"', NUMBER),
                          ('restart_time', NUMBER, NUMBER), ('exit_code', '0', MISSING),
                          ('A', MISSING, '"1"')):
    accept('the reply of a reload is what runs now: with PM2 it is what ran before, under another id', f'result[*.{key}',
           f'outcome*.args[*.{key}', where='*reload*', theirs=theirs, ours=ours)
accept('nothing that anybody knows has ended', 'events.life._old_*.order', ours='\\[\\]')
accept('how it is supervised is no variable of the program', 'outcome.env._pm2_version', 'outcome.env.args', 'outcome.env.env',
       'outcome.env.axm_*', 'outcome.env.node_args', 'outcome.env.SILENT', where='api-cluster-child/*', ours=MISSING)
accept_keys('11.3.6: a reload that says nothing changes nothing', 'merge_logs', theirs='true', ours=MISSING, where='cli-cluster/*')
accept_keys('11.3.6: a reload that says nothing changes nothing', 'pm_out_log_path', 'pm_err_log_path', where='cli-cluster/*',
            theirs='.*-0[.]log"')
accept('the same as text', 'stdout', where='cli-cluster/9*')
accept('pmx: false loads nothing into an app, and only that could tell', 'stdout', theirs='"node_version: .*"', ours=MISSING)
accept('shutdown_with_message says how it is ended, whoever asks', 'outcome', where='rpc-reload-soft-message/*')
accept('a soft reload serves on, with wait_ready too', '*exit_code', 'outcome.args[*.name', 'outcome.args[*.process',
       'outcome.args[*.pm_id',
       where='rpc-reload-soft/7*')
