/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* The one table of app attributes. A new attribute is a row here and a field in AppConfig, nothing else:
 * the D-Bus and JSON decoders, the checks, GetConfig, Describe and the manual all read this table.
 * Names, aliases and defaults are PM2's where PM2 has the attribute. */

#include "basic/time-util.h"
#include "core/app-config.h"
#include "core/cron.h"
#include "core/instances.h"
#include "core/log-date.h"
#include "core/watch-rules.h"

#include <limits.h>
#include <string.h>

#define ROW(field)   .offset = offsetof(AppConfig, field)
#define NAME_BYTES   255
#define STRING_BYTES (128 * 1024 - 1) /* MAX_ARG_STRLEN of execve(2), with the NUL */
#define EXTRA_BYTES  (UINT64_C(256) * 1024)
#define WATCH_BYTES  (UINT64_C(16) * 1024)
#define DAY_USEC     (UINT64_C(86400) * USEC_PER_SEC)
#define TIMER_MAX    (365 * DAY_USEC)
#define LOG_SIZE_MIN (UINT64_C(64) * 1024)
#define LOG_SIZE_MAX (UINT64_C(1) << 50)

/* Not supported by this version: what asks for anything is refused. takes: the words that do not, NULL:
 * false, 0 and all that is empty. */
#define OFF(text, also, takes, what)                                                                        \
        { .name = (text), .aliases = (also), .type = ATTRIBUTE_OFF, .fallback = (takes), .help = (what) }

/* Of PM2, and without effect here. */
#define KEPT(text, what)                                                                                    \
        { .name = (text), .type = ATTRIBUTE_KEPT, .help = (what) }

const Attribute attributes[] = {
        { .name = "script",
          .aliases = "exec cmd command",
          .type = ATTRIBUTE_STRING,
          ROW(script),
          .minimum = 1,
          .maximum = STRING_BYTES,
          .lines = true,
          .help = "What to run: a path, a program in PATH, or with a blank in it a shell command." },
        { .name = "name",
          .type = ATTRIBUTE_STRING,
          ROW(name),
          .minimum = 1,
          .maximum = NAME_BYTES,
          .help = "Name of the app; by default the file name of the script without its last extension." },
        { .name = "name_prefix",
          .type = ATTRIBUTE_STRING,
          ROW(name_prefix),
          .minimum = 1,
          .maximum = NAME_BYTES,
          .help = "Put before the name, with a colon between." },
        { .name = "append_env_to_name",
          .type = ATTRIBUTE_BOOL,
          ROW(append_env_to_name),
          .fallback = "false",
          .help = "Whether the profile that is asked for of a document is put behind the name, with a "
                  "hyphen "
                  "between: both names select it there." },
        { .name = "namespace",
          .type = ATTRIBUTE_STRING,
          ROW(namespace),
          .minimum = 1,
          .maximum = NAME_BYTES,
          .fallback = "default",
          .help = "A group of apps that can be addressed together." },
        { .name = "cwd",
          .type = ATTRIBUTE_PATH,
          ROW(cwd),
          .minimum = 1,
          .maximum = PATH_MAX - 1,
          .help = "Working directory; relative paths of the app are taken from here. Default: the home "
                  "directory of the owner." },
        { .name = "args",
          .type = ATTRIBUTE_STRINGS,
          ROW(args),
          .maximum = 4096,
          .help = "Arguments of the script." },
        { .name = "interpreter",
          .aliases = "exec_interpreter",
          .type = ATTRIBUTE_STRING,
          ROW(interpreter),
          .minimum = 1,
          .maximum = PATH_MAX - 1,
          .help = "Program that runs the script: a path, a name in PATH, \"node@18\" (the newest of these "
                  "that nvm "
                  "installed), or \"none\". Default: by the extension of the script, else it runs itself." },
        { .name = "node_args",
          .aliases = "interpreter_args",
          .type = ATTRIBUTE_STRINGS,
          ROW(node_args),
          .maximum = 4096,
          .help = "Arguments of the interpreter, before the script." },
        { .name = "env",
          .type = ATTRIBUTE_ENVIRONMENT,
          ROW(env),
          .maximum = 8192,
          .help = "Environment variables, put over those of the caller. In a document, \"env_NAME\" beside "
                  "it is put over "
                  "it where the profile NAME is asked for." },
        { .name = "env_file",
          .type = ATTRIBUTE_PATHS,
          ROW(env_file),
          .maximum = ENV_FILES_MAX,
          .help = "Files of variables, read at each start as the owner: lines of NAME=value, as a shell or "
                  "dotenv "
                  "has them. They stand over the caller's environment, later files over earlier ones, env "
                  "over all "
                  "of them. A hyphen before a path: it may be missing." },
        { .name = "credentials",
          .type = ATTRIBUTE_CREDENTIALS,
          ROW(credentials),
          .maximum = CREDENTIALS_MAX,
          .help = "Files that are copied, as the owner, to a folder of the process before it runs, each "
                  "under its name "
                  "here; the variable CREDENTIALS_DIRECTORY names the folder, which goes when the process "
                  "has ended." },
        { .name = "filter_env",
          .type = ATTRIBUTE_FILTER,
          ROW(filter_env),
          .maximum = NAME_BYTES,
          .fallback = "false",
          .help = "What the app does not get of its caller's environment: true is all of it, a string the "
                  "variable of that name, an array every variable that has one of the texts in its name." },
        { .name = "port",
          .type = ATTRIBUTE_NUMBER,
          ROW(port),
          .maximum = UINT16_MAX,
          .fallback = "0",
          .help = "Value of the variable PORT; 0: none." },
        { .name = "listen",
          .type = ATTRIBUTE_STRINGS,
          ROW(listen),
          .maximum = LISTEN_SOCKETS_MAX,
          .help = "Sockets that are held for the app and shared by its processes, which find them from "
                  "descriptor 3 on (sd_listen_fds(3)): \"tcp:8080\", \"tcp:127.0.0.1:8080\", "
                  "\"tcp:[::1]:8080\", \"tcp4:8080\", \"tcp6:8080\", the same with udp, "
                  "\"unix:/run/app.sock\"; \"web=tcp:8080\" has a name in LISTEN_FDNAMES. They stay open "
                  "over restarts." },
        { .name = "instance_var",
          .type = ATTRIBUTE_STRING,
          ROW(instance_var),
          .minimum = 1,
          .maximum = NAME_BYTES,
          .fallback = "NODE_APP_INSTANCE",
          .help = "Name of the variable that holds the number of the instance." },
        { .name = "increment_var",
          .type = ATTRIBUTE_STRING,
          ROW(increment_var),
          .minimum = 1,
          .maximum = NAME_BYTES,
          .help = "Name of a variable that is one more in each process of the app than in those before it; "
                  "the first has the value that it would have anyway, or 0." },
        { .name = "instances",
          .type = ATTRIBUTE_COUNT,
          ROW(instances),
          .minimum = (uint64_t) -INSTANCES_MAX,
          .maximum = INSTANCES_MAX,
          .fallback = "1",
          .help = "Number of processes of the app; \"max\" or 0: one for each processor that may be used; "
                  "below 0: so many fewer, and one at least. Start and StartJson make them, Scale changes "
                  "their number." },
        { .name = "exec_mode",
          .type = ATTRIBUTE_WORD,
          ROW(exec_mode),
          .words = "fork_mode cluster_mode fork cluster",
          .distinct_words = 2,
          .fallback = "fork_mode",
          .help = "cluster: the processes are workers of Node's cluster, and share what they listen on; for "
                  "scripts that Node, Bun or Deno runs. Where it is not given, and instances is, such an "
                  "app "
                  "without listen is a cluster." },
        { .name = "cluster_sched",
          .type = ATTRIBUTE_WORD,
          ROW(cluster_sched),
          .words = "shared rr",
          .fallback = "shared",
          .help = "How connections come to the workers of a cluster. shared: each accepts them for itself. "
                  "rr: the "
                  "supervisor accepts them and hands each to the worker that has the fewest on their way, "
                  "in turn. Deno always has rr, "
                  "datagrams are always shared. A change takes effect when all processes of the app have "
                  "been stopped." },
        { .name = "depends_on",
          .type = ATTRIBUTE_DEPENDS,
          ROW(depends_on),
          .maximum = DEPENDENCIES_MAX,
          .live = true,
          .help = "Apps of the same owner, by name, that a start by command waits for; those that rest are "
                  "started too, unless a person has stopped them. An object says what is waited for: "
                  "started "
                  "(its program runs), ready (it is online; with wait_ready it has said so; the default), "
                  "healthy, or completed (it has ended with exit code 0). If one fails the app is errored "
                  "and not started." },
        { .name = "autostart",
          .type = ATTRIBUTE_BOOL,
          ROW(autostart),
          .fallback = "true",
          .live = true,
          .help = "Whether the app is started when it is declared and when the supervisor starts; if not, "
                  "it "
                  "is registered and waits for a start by command." },
        { .name = "autorestart",
          .type = ATTRIBUTE_BOOL,
          ROW(autorestart),
          .fallback = "true",
          .live = true,
          .help = "Whether an exit of any kind is followed by a restart." },
        { .name = "min_uptime",
          .type = ATTRIBUTE_DURATION,
          ROW(min_uptime_usec),
          .maximum = TIMER_MAX,
          .fallback = "1000",
          .live = true,
          .help = "An exit sooner than this after the start counts as unstable." },
        { .name = "max_restarts",
          .type = ATTRIBUTE_NUMBER,
          ROW(max_restarts),
          .maximum = 1000000000,
          .fallback = "16",
          .live = true,
          .help = "After this many unstable exits in a row the process is errored and left alone. Where it "
                  "is "
                  "not given, exits that are followed by a delay of min_uptime or more do not end it." },
        { .name = "restart_delay",
          .type = ATTRIBUTE_DURATION,
          ROW(restart_delay_usec),
          .maximum = TIMER_MAX,
          .fallback = "0",
          .live = true,
          .help = "Time between an exit and the restart that follows." },
        { .name = "exp_backoff_restart_delay",
          .type = ATTRIBUTE_DURATION,
          ROW(exp_backoff_usec),
          .maximum = TIMER_MAX,
          .fallback = "0",
          .live = true,
          .help = "First delay of a row that grows by half with each restart, up to 15 s; used in place of "
                  "restart_delay. It begins anew after a run of over 30 s and with a restart by command." },
        { .name = "stop_exit_codes",
          .type = ATTRIBUTE_EXIT_CODES,
          ROW(stop_exit_codes),
          .maximum = 255,
          .live = true,
          .help = "Exit codes that are followed by no restart: the process is stopped. An end by a signal "
                  "has "
                  "no exit code." },
        { .name = "kill_timeout",
          .type = ATTRIBUTE_DURATION,
          ROW(kill_timeout_usec),
          .maximum = DAY_USEC,
          .fallback = "1600",
          .live = true,
          .help = "Time between the kill signal and SIGKILL." },
        { .name = "kill_signal",
          .type = ATTRIBUTE_SIGNAL,
          ROW(kill_signal),
          .fallback = "SIGINT",
          .live = true,
          .help = "Signal that asks the process to end." },
        { .name = "treekill",
          .type = ATTRIBUTE_BOOL,
          ROW(treekill),
          .fallback = "true",
          .live = true,
          .help = "Whether a stop, and an exit of the main process, ends every descendant too." },
        { .name = "pre_start",
          .type = ATTRIBUTE_STRING,
          ROW(pre_start),
          .minimum = 1,
          .maximum = STRING_BYTES,
          .lines = true,
          .live = true,
          .help = "Shell command that runs before each start, as the app would: its user, cwd, environment, "
                  "logs and a group of its own. Unless it exits with 0 the app is not started." },
        { .name = "pre_start_timeout",
          .type = ATTRIBUTE_DURATION,
          ROW(pre_start_timeout_usec),
          .minimum = USEC_PER_MSEC,
          .maximum = DAY_USEC,
          .fallback = "90s",
          .live = true,
          .help = "Time that pre_start has, after which it is ended and has failed." },
        { .name = "post_stop",
          .type = ATTRIBUTE_STRING,
          ROW(post_stop),
          .minimum = 1,
          .maximum = STRING_BYTES,
          .lines = true,
          .live = true,
          .help = "Shell command that runs in the same way after each end of the app, also after a crash "
                  "and "
                  "before its restart, and after a pre_start that failed. EXIT_CODE is exited, killed or "
                  "unknown, EXIT_STATUS the exit code or the name of the signal. What it exits with changes "
                  "nothing." },
        { .name = "post_stop_timeout",
          .type = ATTRIBUTE_DURATION,
          ROW(post_stop_timeout_usec),
          .minimum = USEC_PER_MSEC,
          .maximum = DAY_USEC,
          .fallback = "90s",
          .live = true,
          .help = "Time that post_stop has, after which it is ended." },
        { .name = "wait_ready",
          .type = ATTRIBUTE_BOOL,
          ROW(wait_ready),
          .fallback = "false",
          .live = true,
          .help = "Whether the app is online only when it says so: by the message \"ready\" over its "
                  "channel (process.send('ready') in Node), or by READY=1 with notify=systemd." },
        { .name = "listen_timeout",
          .type = ATTRIBUTE_DURATION,
          ROW(listen_timeout_usec),
          .maximum = DAY_USEC,
          .fallback = "3000",
          .live = true,
          .help = "Time that it has for that; 0 is the default." },
        { .name = "ready_timeout_action",
          .type = ATTRIBUTE_WORD,
          ROW(ready_timeout_action),
          .words = "fail online",
          .fallback = "fail",
          .live = true,
          .help = "What follows when it is not ready in time. fail: it is ended, which counts as an "
                  "unstable exit, and the command that started it fails. online: it counts as ready, as "
                  "with PM2." },
        { .name = "reload_timeout",
          .type = ATTRIBUTE_DURATION,
          ROW(reload_timeout_usec),
          .maximum = DAY_USEC,
          .fallback = "30000",
          .live = true,
          .help = "Time that an old process has, once a reload has put another in its place, to end what it "
                  "has begun; then it is stopped as by Stop." },
        { .name = "reload_parallel",
          .type = ATTRIBUTE_NUMBER,
          ROW(reload_parallel),
          .maximum = INSTANCES_MAX,
          .fallback = "1",
          .live = true,
          .help = "Number of processes of the app that a reload replaces at the same time; 0: all." },
        { .name = "reload_drain",
          .type = ATTRIBUTE_WORD,
          ROW(reload_drain),
          .words = "http none",
          .fallback = "http",
          .help = "http: Node loads a small file of ours before the script, which ends kept connections of "
                  "http servers that are closed after one more answer, so that no request is lost. none: "
                  "Node itself closes those that are idle." },
        { .name = "reload_watch",
          .type = ATTRIBUTE_DURATION,
          ROW(reload_watch_usec),
          .maximum = DAY_USEC,
          .fallback = "0",
          .live = true,
          .help = "Time after a reload within which the end of the new process, or that it turns unhealthy, "
                  "brings the configuration before it back; 0: none." },
        { .name = "notify",
          .type = ATTRIBUTE_WORD,
          ROW(notify),
          .words = "auto none node systemd",
          .fallback = "auto",
          .help = "How the app speaks to the supervisor. node: by lines of JSON over the descriptor that "
                  "NODE_CHANNEL_FD names, as every Node program does. systemd: by sd_notify(3). auto: node "
                  "for Node programs and where wait_ready or shutdown_with_message is set." },
        { .name = "pmx",
          .type = ATTRIBUTE_WORD,
          ROW(pmx),
          .words = "false true preload",
          .fallback = "false",
          .help = "preload: Node loads a small file of ours before the script, which tells its version, "
                  "uncaught "
                  "exceptions and some metrics over the channel. true and false, as files of PM2 have them, "
                  "load "
                  "nothing." },
        { .name = "watchdog",
          .type = ATTRIBUTE_DURATION,
          ROW(watchdog_usec),
          .maximum = DAY_USEC,
          .fallback = "0",
          .help = "Time within which the app must say that it lives, by WATCHDOG=1 of sd_notify(3), once it "
                  "is online; else it is ended with SIGABRT and the restart policy decides. 0: none." },
        { .name = "shutdown_with_message",
          .type = ATTRIBUTE_BOOL,
          ROW(shutdown_with_message),
          .fallback = "false",
          .live = true,
          .help = "Whether the message \"shutdown\" over its channel asks the app to end, in place of the "
                  "kill signal." },
        { .name = "cron_restart",
          .aliases = "cron",
          .type = ATTRIBUTE_CRON,
          ROW(cron_restart),
          .minimum = 1,
          .maximum = CRON_TEXT_BYTES_MAX,
          .live = true,
          .help = "When the app is restarted, or started if it has ended by itself; what was stopped by "
                  "hand "
                  "stays "
                  "stopped. Five fields as in crontab(5), or six with seconds first, with L as the last day "
                  "of "
                  "the month, or @yearly @monthly @weekly @daily @hourly. false, 0 or empty: never. What "
                  "was "
                  "due "
                  "while no supervisor ran, or the machine slept, is not made up for." },
        { .name = "cron_timezone",
          .type = ATTRIBUTE_STRING,
          ROW(cron_timezone),
          .minimum = 1,
          .maximum = CRON_ZONE_BYTES_MAX,
          .live = true,
          .help = "Time zone of cron_restart, as Europe/Berlin; by default that of the supervisor. A time "
                  "of "
                  "day "
                  "that clocks leave out is when they have gone on, one that they show twice is the first; "
                  "with a star for the hour it is whenever they show it." },
        { .name = "cron_overlap",
          .type = ATTRIBUTE_WORD,
          ROW(cron_overlap),
          .words = "skip queue kill",
          .fallback = "skip",
          .live = true,
          .help = "What happens to a cron_restart that is due while the app is being started, restarted or "
                  "ended. skip: nothing. queue: it follows that, once. kill: that is ended for it." },
        { .name = "health",
          .type = ATTRIBUTE_HEALTH,
          ROW(health),
          .live = true,
          .help = "How the app is asked whether it is well: an object with one of http (a URL: "
                  "\"http://127.0.0.1:8080/health\", or \"http://unix:/run/app.sock:/health\"), tcp "
                  "(\"address:port\", or a port), unix (the path of a socket) and exec (a shell command, or "
                  "an array of words, run in the app's cgroup with its environment and MAINPID; it is to "
                  "exit "
                  "with 0), and with interval (10s; 100 ms at least), timeout of each probe (5s, at most "
                  "the "
                  "interval), retries (3: so many failures in a row make it unhealthy), start_period (0: "
                  "time "
                  "in which failures of what was never healthy do not count), restart (false: whether what "
                  "is "
                  "unhealthy is restarted) and status (of http: 200-399). Names of hosts are not looked up; "
                  "${NAME} is a variable of the app. What takes another's place in a reload is ready when "
                  "it "
                  "is healthy." },
        { .name = "out_file",
          .aliases = "out output out_log",
          .type = ATTRIBUTE_PATH,
          ROW(out_file),
          .minimum = 1,
          .maximum = PATH_MAX - 1,
          .help = "File that standard output is appended to; \"NULL\" or /dev/null: none." },
        { .name = "error_file",
          .aliases = "error err err_file err_log",
          .type = ATTRIBUTE_PATH,
          ROW(error_file),
          .minimum = 1,
          .maximum = PATH_MAX - 1,
          .help = "File that standard error is appended to; \"NULL\" or /dev/null: none." },
        { .name = "log_file",
          .aliases = "log",
          .type = ATTRIBUTE_PATH,
          ROW(log_file),
          .minimum = 1,
          .maximum = PATH_MAX - 1,
          .or_false = true,
          .help = "One more file, for the lines of both streams; true: the name of the app with .log, "
                  "beside "
                  "the others." },
        { .name = "log_type",
          .type = ATTRIBUTE_WORD,
          ROW(log_type),
          .words = "raw json",
          .fallback = "raw",
          .help = "What a line of a log is. json: an object with message, timestamp, type (out, err), "
                  "process_id and "
                  "app_name; of a line over 64 KiB one for each part, all but the last with partial, and "
                  "with "
                  "invalid_utf8 where U+FFFD stands for what is none." },
        { .name = "log_date_format",
          .type = ATTRIBUTE_STRING,
          ROW(log_date_format),
          .minimum = 1,
          .maximum = LOG_DATE_FORMAT_BYTES_MAX,
          .or_false = true,
          .help = "The date before each line, and the timestamp of json: YYYY YY MM M MMM MMMM D DD d dd "
                  "ddd "
                  "dddd H HH h hh m mm s ss SSS Z ZZ A a, as dayjs has them, and [what stands for "
                  "itself]." },
        { .name = "time",
          .type = ATTRIBUTE_BOOL,
          ROW(time),
          .fallback = "false",
          .help = "Whether log_date_format is YYYY-MM-DDTHH:mm:ss, whatever else it says." },
        { .name = "log_target",
          .type = ATTRIBUTE_WORD,
          ROW(log_target),
          .words = "file journal both",
          .fallback = "file",
          .help = "Where output goes: into the log files, line by line to the journal with PM2_NAME, "
                  "PM2_ID, "
                  "PM2_NAMESPACE and PM2_STREAM, or to both." },
        { .name = "pid_file",
          .aliases = "pid",
          .type = ATTRIBUTE_PATH,
          ROW(pid_file),
          .minimum = 1,
          .maximum = PATH_MAX - 1,
          .help = "File that holds the pid while the process runs." },
        { .name = "merge_logs",
          .aliases = "combine_logs",
          .type = ATTRIBUTE_BOOL,
          ROW(merge_logs),
          .fallback = "true",
          .help = "Whether the names of log files go without the id of the process. Where it is not given, "
                  "they do unless instances is, or exec_mode is cluster." },
        { .name = "disable_logs",
          .type = ATTRIBUTE_BOOL,
          ROW(disable_logs),
          .fallback = "false",
          .help = "Whether the output is kept nowhere, whatever files are named." },
        { .name = "log_max_size",
          .type = ATTRIBUTE_SIZE,
          ROW(log_max_size_bytes),
          .minimum = LOG_SIZE_MIN,
          .maximum = LOG_SIZE_MAX,
          .or_zero = true,
          .fallback = "10M",
          .live = true,
          .help = "Without log_retain and log_compress a sixth of the size that a log file may have: one "
                  "that "
                  "passes six times this loses its oldest part, up to the beginning of a line, where the "
                  "file system can do that (ext4, XFS, F2FS). With one of them the size of each file. 0: no "
                  "bound." },
        { .name = "log_retain",
          .type = ATTRIBUTE_NUMBER,
          ROW(log_retain),
          .minimum = 1,
          .maximum = 1000000,
          .fallback = "5",
          .live = true,
          .help = "Where it is given, the oldest part of a log that passes log_max_size goes into a file of "
                  "its own, the log's name with a number behind it that grows; so many of them are kept." },
        { .name = "log_compress",
          .type = ATTRIBUTE_WORD,
          ROW(log_compress),
          .words = "none gzip zstd",
          .fallback = "none",
          .help = "Where it is given, the same, and how these files are compressed, by the program of that "
                  "name." },
        { .name = "memory_max",
          .type = ATTRIBUTE_SIZE,
          ROW(memory_max_bytes),
          .maximum = INT64_MAX,
          .fallback = "0",
          .live = true,
          .help = "Memory that the app may use, all its processes together; 0: no limit. Over it one of "
                  "them is "
                  "killed." },
        { .name = "memory_high",
          .type = ATTRIBUTE_SIZE,
          ROW(memory_high_bytes),
          .maximum = INT64_MAX,
          .fallback = "0",
          .live = true,
          .help = "Memory above which the app is slowed down and its memory taken back; 0: no limit." },
        { .name = "max_memory_restart",
          .type = ATTRIBUTE_SIZE,
          ROW(max_memory_restart_bytes),
          .maximum = INT64_MAX,
          .fallback = "0",
          .live = true,
          .help = "Memory above which the app is restarted, or reloaded where it can be: all its processes "
                  "together, without page cache that nobody needs; where there is no memory controller the "
                  "sum of their resident sets. 0: never." },
        { .name = "cpu_quota",
          .type = ATTRIBUTE_PERCENT,
          ROW(cpu_quota_usec),
          .minimum = 10000,
          .maximum = UINT64_C(10000) * 1000000,
          .or_zero = true,
          .fallback = "0",
          .live = true,
          .help = "Processor time that the app may use: \"150%\" is one and a half cores; 0: no limit." },
        { .name = "cpu_weight",
          .type = ATTRIBUTE_NUMBER,
          ROW(cpu_weight),
          .minimum = 1,
          .maximum = 10000,
          .or_zero = true,
          .fallback = "0",
          .live = true,
          .help = "Share of processor time where it is scarce; what has none counts as 100. 0: none." },
        { .name = "io_weight",
          .type = ATTRIBUTE_NUMBER,
          ROW(io_weight),
          .minimum = 1,
          .maximum = 10000,
          .or_zero = true,
          .fallback = "0",
          .live = true,
          .help = "Share of input and output where it is scarce; what has none counts as 100. 0: none." },
        { .name = "tasks_max",
          .type = ATTRIBUTE_NUMBER,
          ROW(tasks_max),
          .minimum = 1,
          .maximum = 4194304, /* PID_MAX_LIMIT */
          .or_zero = true,
          .fallback = "0",
          .live = true,
          .help = "Processes and threads that the app may have; 0: no limit." },
        { .name = "oom_score_adjust",
          .type = ATTRIBUTE_SCORE,
          ROW(oom_score_adjust),
          .minimum = (uint64_t) -1000,
          .maximum = 1000,
          .help = "How likely the kernel ends it when memory runs out: -1000 never, 1000 first. Going below "
                  "what the supervisor has takes privileges." },
        { .name = "limits",
          .type = ATTRIBUTE_LIMITS,
          ROW(limits),
          .help = "Resource limits of each process, as setrlimit(2) has them: as core cpu data fsize locks "
                  "memlock "
                  "msgqueue nice nofile nproc rss rtprio rttime sigpending stack. Of one number the soft "
                  "and "
                  "the hard limit are set; the hard one cannot be raised without privileges." },

        { .name = "watch",
          .type = ATTRIBUTE_WATCH,
          ROW(watch),
          .maximum = WATCH_PATHS_MAX,
          .live = true,
          .help = "Whether a change of files restarts the app: true for those of its working directory, or "
                  "paths of folders and files below it. Folders are watched with all that is in them. Of "
                  "an app that was stopped by hand nothing is watched until it is started." },
        { .name = "ignore_watch",
          .type = ATTRIBUTE_STRINGS,
          ROW(ignore_watch),
          .maximum = WATCH_PATTERNS_MAX,
          .live = true,
          .help = "Files that are not watched: paths, which may have *, **, ?, [a-z] and {a,b} in them, "
                  "from "
                  "the working directory, or regular expressions as JavaScript writes them (\"/\\.tmp$/\"). "
                  "Where it is given it takes the place of the default, which is node_modules and all that "
                  "begins with a dot. The app's own logs and pid files are never watched." },
        { .name = "watch_delay",
          .type = ATTRIBUTE_DURATION,
          ROW(watch_delay_usec),
          .maximum = DAY_USEC,
          .fallback = "0",
          .live = true,
          .help = "Time without a change after which the app is restarted; 100 ms at least, so that many "
                  "changes make one restart." },
        { .name = "watch_options",
          .type = ATTRIBUTE_OBJECT,
          ROW(watch_options),
          .maximum = WATCH_BYTES,
          .live = true,
          .help = "Options of PM2's watcher. followSymlinks: false leaves out folders that symbolic links "
                  "lead to; all others have no effect here, where nothing is polled." },

        OFF("uid", "user", "", "User that the app runs as: its owner."),
        OFF("gid", NULL, "", "Group that the app runs as: that of its owner."),
        OFF("isolation", NULL, NULL, "What holds the processes of this app."),
        { .name = "extra",
          .type = ATTRIBUTE_OBJECT,
          ROW(extra),
          .maximum = EXTRA_BYTES,
          .live = true,
          .help = "What other programs keep with the app: any object, given back as it is. What PM2's "
                  "clients "
                  "send that is no attribute here is put there." },

        KEPT("kill_retry_time", "Nothing is polled: the end of a process is seen when it happens."),
        KEPT("username", "The owner of a process is known."),
        KEPT("vizion", "Repositories are not looked at."),
        KEPT("automation", "No remote service is connected to."),
        KEPT("pmx_module", "There are no modules."),
        KEPT("trace", "Nothing is loaded into the app."),
        KEPT("disable_trace", "Nothing is loaded into the app."),
        KEPT("deep_monitoring", "Nothing is loaded into the app."),
        KEPT("v8", "Nothing is loaded into the app."),
        KEPT("event_loop_inspector", "Nothing is loaded into the app."),
        KEPT("io", "Nothing is loaded into the app."),
        KEPT("axm_actions", "What PM2 knew of a running app."),
        KEPT("axm_monitor", "What PM2 knew of a running app."),
        KEPT("axm_options", "What PM2 knew of a running app."),
        KEPT("axm_dynamic", "What PM2 knew of a running app."),
        KEPT("source_map_support", "Node has its own option, see node_args."),
        KEPT("disable_source_map_support", "Node has its own option, see node_args."),
        KEPT("force", "An option of the start, no attribute."),
        KEPT("execute_command", "A script with a blank in it is a command."),
        KEPT("write", "Of another tool."),
        KEPT("install_url", "Of another tool."),
        KEPT("post_update", "Of another tool."),
        KEPT("windows_hide", "Of Windows."),
        KEPT("km_link", "No remote service is connected to."),
};
const size_t n_attributes = ELEMENTS(attributes);

_Static_assert(ELEMENTS(attributes) <= 64UL * GIVEN_WORDS, "AppConfig.given has a bit for each attribute");
