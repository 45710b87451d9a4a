/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* A fault point: a call by which the supervisor changes the world, that is, anything that does not die with
 * it. Builds with -Dfault_points=true can be killed before and after each (tests/chaos/); in all others it
 * is the call and no more. Its name is unique in the tree; tools/check-fault-points.py sees to that, and
 * that no such call is without one. */

/* The file that says where to die. No app finds it in its environment. */
#define FAULT_FILE_VARIABLE "PM2D_FAULT_FILE"

#if PM2D_FAULT_POINTS

void fault_before(const char *name);
void fault_after(const char *name);

static inline void fault_leave(const char *const *name) {
        fault_after(*name);
}

#        define CHANGE(name, ...)                                                                           \
                ({                                                                                          \
                        __attribute__((cleanup(fault_leave))) const char *const fault_name_ = (name);       \
                        fault_before(fault_name_);                                                          \
                        __VA_ARGS__;                                                                        \
                })
/* The far side of a call that does not return: execve(2), in the program that it executed. */
#        define CHANGED(name) fault_after(name)

#else

#        define CHANGE(name, ...) (__VA_ARGS__)
#        define CHANGED(name)     ((void) 0)

#endif
