/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A program that does nothing, in as little memory as can be: what a test has by the thousand. */
#include <unistd.h>

int main(void) {
        for (;;) {
                (void) pause();
        }
}
