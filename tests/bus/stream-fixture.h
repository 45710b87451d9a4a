/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "bus-fixture.h"

/* The reader of a stream of OpenBus. */
typedef struct TestReader {
        TestService *service;
        int fd;
        GString *text; /* what was read and not yet taken */
        bool ended;
} TestReader;

/* filter: "events" and "target", each NULL for none; events are separated by blanks. */
TestReader *test_reader_new(TestService *service, sd_bus *client, const char *events, const char *target);
void test_reader_free(TestReader *reader);

/* The message of OpenBus with this filter, not sent yet. */
sd_bus_message *test_open_message(sd_bus *client, const char *events, const char *target);
/* The descriptor of a reply, which is unreffed. */
int test_take_fd(sd_bus_message *reply);

/* The next line that is there already, NULL: there is none. Freed by the caller. */
char *test_reader_peek(TestReader *reader);
/* The next line, for which the loop is turned. */
char *test_reader_next(TestReader *reader);
/* Turn the loop until nothing happens: nothing is there to be read. */
void test_reader_assert_nothing(TestReader *reader);

/* The text between two marks in a line, which must be there. */
char *test_between(const char *line, const char *before, const char *after);
