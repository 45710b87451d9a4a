/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* no fault points here: this is another process */

#include "platform/exec-environment.h"

#include "basic/environment-file.h"

#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

/* Assignments, each name once: the last one put counts. */
typedef struct Table {
        char **assignments;
        size_t count;
        uint32_t *slots; /* hash -> 1 + index, 0: free */
        size_t mask;
} Table;

/* malloc(3) may be locked by what we are a copy of. NULL: there is no memory. */
static void *get_memory(size_t size) {
        void *memory = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        return memory == MAP_FAILED ? NULL : memory;
}

static size_t count_of(char *const *assignments) {
        size_t count = 0;

        while (assignments && assignments[count]) {
                count++;
        }
        return count;
}

static bool table_init(Table *table, size_t capacity) {
        size_t n_slots = 1024;

        while (n_slots < 2 * capacity) {
                n_slots *= 2;
        }
        *table = (Table){
                .assignments = get_memory((capacity + 1) * sizeof(char *)),
                .slots = get_memory(n_slots * sizeof(uint32_t)),
                .mask = n_slots - 1,
        };
        return table->assignments && table->slots;
}

static void table_put(Table *table, char *assignment) {
        size_t length = strcspn(assignment, "=");
        uint32_t hash = 2166136261U; /* FNV-1a */

        for (size_t i = 0; i < length; i++) {
                hash = (hash ^ (unsigned char) assignment[i]) * 16777619U;
        }
        size_t slot = hash & table->mask;
        while (table->slots[slot] > 0 &&
               strncmp(table->assignments[table->slots[slot] - 1], assignment, length + 1) != 0) {
                slot = (slot + 1) & table->mask;
        }
        if (table->slots[slot] == 0) {
                table->slots[slot] = (uint32_t) ++table->count;
        }
        table->assignments[table->slots[slot] - 1] = assignment;
}

static void table_put_all(Table *table, char *const *assignments) {
        for (; assignments && *assignments; assignments++) {
                table_put(table, *assignments);
        }
}

/* No more than there may be. An errno, 0 on success. */
static int read_regular(const char *path, char **ret_text, size_t *ret_size) {
        int fd = child_open_to_read(path);
        size_t size = 0;
        ssize_t n = 0;

        if (fd < 0) {
                return -fd;
        }
        char *text = get_memory(ENVIRONMENT_FILE_BYTES_MAX + 1);
        if (!text) {
                return ENOMEM;
        }
        do {
                n = read(fd, text + size, ENVIRONMENT_FILE_BYTES_MAX + 1 - size);
                size += n > 0 ? (size_t) n : 0;
        } while (n > 0 && size <= ENVIRONMENT_FILE_BYTES_MAX);
        if (n < 0) {
                return errno;
        }
        (void) close(fd);
        *ret_text = text;
        *ret_size = size;
        return size > ENVIRONMENT_FILE_BYTES_MAX ? EFBIG : 0;
}

static bool add_file(Table *table, const ExecEnvironmentFile *source, size_t *count, ExecReport *failure) {
        EnvironmentFile file;
        char *text = NULL, *variable = NULL;
        size_t size = 0;

        failure->line = 0;
        failure->error = read_regular(source->path, &text, &size);
        if (failure->error != 0) {
                return source->optional && failure->error == ENOENT;
        }
        environment_file_init(&file, text, size);
        EnvironmentFileResult result = environment_file_next(&file, &variable);
        for (; result == ENVIRONMENT_FILE_VARIABLE; result = environment_file_next(&file, &variable)) {
                if (++*count > ENVIRONMENT_FILE_VARIABLES_MAX) {
                        result = ENVIRONMENT_FILE_TOO_MANY;
                        break;
                }
                table_put(table, variable);
        }
        failure->error = (int32_t) result;
        failure->line = file.line;
        return result == ENVIRONMENT_FILE_END;
}

char *const *exec_environment_make(const ExecPlan *plan, ExecReport *ret_failure) {
        size_t n_known = count_of(plan->envp) + count_of(plan->env_over), count = 0;
        Table table;

        if (plan->n_env_files == 0) {
                return plan->envp;
        }
        if (!table_init(&table, n_known + ENVIRONMENT_FILE_VARIABLES_MAX)) {
                ret_failure->error = ENOMEM;
                return NULL;
        }
        table_put_all(&table, plan->envp);
        for (size_t i = 0; i < plan->n_env_files; i++) {
                ret_failure->item = (int32_t) i;
                if (!add_file(&table, &plan->env_files[i], &count, ret_failure)) {
                        return NULL;
                }
        }
        table_put_all(&table, plan->env_over);
        return table.assignments;
}
