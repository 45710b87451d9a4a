/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* A program on libpm2 that does what it is told, a line of standard input at a time, and answers each with a
 * line: what the call returned and a text. */

#include <pm2/pm2.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static int start(pm2_client *client, const char *script) {
        pm2_options *options = NULL;

        int r = pm2_options_new(&options);
        if (r >= 0) {
                r = pm2_options_set_string(options, "cwd", "/");
        }
        if (r >= 0) {
                r = pm2_start(client, script, options, NULL);
        }
        (void) pm2_options_free(options);
        return r;
}

static int count(pm2_client *client) {
        pm2_value *list = NULL;

        int r = pm2_list(client, &list);
        if (r >= 0) {
                r = (int) pm2_value_get_length(list);
        }
        (void) pm2_value_free(list);
        return r;
}

/* A child as any program has them: it outlives us, and nothing is closed for it by hand. */
static int execute_child(void) {
        pid_t pid = fork();

        if (pid == 0) {
                (void) execlp("sleep", "sleep", "1000", (char *) NULL);
                _exit(127);
        }
        return pid < 0 ? -errno : pid;
}

/* How many bytes the last line of a log has. */
static int measure_log(pm2_client *client, const char *target) {
        pm2_options *options = NULL;
        char text[256];
        int fd = -1;

        int r = pm2_options_new(&options);
        if (r >= 0) {
                r = pm2_options_set_int(options, "lines", 1);
        }
        if (r >= 0) {
                r = pm2_options_set_bool(options, "follow", false);
        }
        if (r >= 0) {
                r = pm2_open_logs(client, target, options, &fd);
        }
        (void) pm2_options_free(options);
        if (r < 0) {
                return r;
        }
        ssize_t n = read(fd, text, sizeof(text));
        (void) close(fd);
        return n < 0 ? -errno : (int) n;
}

static int obey(pm2_client *client, const char *word, const char *argument) {
        if (strcmp(word, "connect") == 0) {
                return pm2_connect(client, strtoul(argument, NULL, 10));
        }
        if (strcmp(word, "start") == 0) {
                return start(client, argument);
        }
        if (strcmp(word, "count") == 0) {
                return count(client);
        }
        if (strcmp(word, "disconnect") == 0) {
                pm2_disconnect(client);
                return 0;
        }
        if (strcmp(word, "log") == 0) {
                return measure_log(client, argument);
        }
        if (strcmp(word, "reexecute") == 0) {
                return pm2_reexecute(client);
        }
        if (strcmp(word, "kill") == 0) {
                return pm2_kill_daemon(client, NULL);
        }
        return strcmp(word, "execute") == 0 ? execute_child() : -EINVAL;
}

int main(void) {
        pm2_client *client = NULL;
        char line[4096];

        if (pm2_client_new(&client) < 0) {
                return EXIT_FAILURE;
        }
        while (fgets(line, sizeof(line), stdin)) {
                line[strcspn(line, "\n")] = '\0';
                char *blank = strchr(line, ' ');
                if (blank) {
                        *blank = '\0';
                }
                int r = obey(client, line, blank ? blank + 1 : "");
                (void) printf("%d %s\n", r, r < 0 ? pm2_last_error_message(client) : "");
                (void) fflush(stdout);
        }
        (void) pm2_client_free(client);
        return EXIT_SUCCESS;
}
