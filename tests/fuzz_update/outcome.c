/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The torpor authors
 *
 * See outcome.h and fuzz.h.
 */
#include "outcome.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MAX_OUTCOMES 128

static struct {
    const char *what;
    unsigned long long times;
} outcomes[MAX_OUTCOMES];

bool outcome_verbose;
bool fuzz_looking;

_Noreturn void fuzz_fail(const char *sentence)
{
    fprintf(stderr, "wrong: %s\n", sentence);
    abort();
}

void fuzz_count(const char *what)
{
    size_t i = 0;
    while (outcomes[i].what != NULL && strcmp(outcomes[i].what, what) != 0) {
        i++;
        if (i == MAX_OUTCOMES) {
            abort();
        }
    }
    outcomes[i].what = what;
    outcomes[i].times++;
    fuzz_say("%s", what);
}

void fuzz_say(const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    if (outcome_verbose) {
        vprintf(format, arguments);
        putchar('\n');
    }
    va_end(arguments);
}

void outcome_print(void)
{
    putchar('{');
    for (size_t i = 0; i < MAX_OUTCOMES && outcomes[i].what != NULL; i++) {
        printf("%s\"%s\": %llu", i == 0 ? "" : ", ", outcomes[i].what, outcomes[i].times);
    }
    putchar('}');
}
