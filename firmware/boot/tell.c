/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The torpor authors
 *
 * See tell.h.
 */
#include "boot/tell.h"

#include "core/text.h"
#include "hal/board.h"
#include "hal/uart.h"

/* In the order of reason.h, each with a NUL behind it: flash is too short for pointers. */
static const char words[] = "good\0"
                            "empty\0"
                            "malformed\0"
                            "too large\0"
                            "damaged\0"
                            "forged\0"
                            "other key\0"
                            "other address\0"
                            "other board\0"
                            "old counter\0"
                            "a model";

static void append_slot(text_t *text, const char *name, update_reason_t reason)
{
    const char *word = words;
    for (uint32_t i = 0; i < (uint32_t)reason && i < UPDATE_E_KIND; i++) {
        while (*word++ != '\0') {
        }
    }
    text_string(text, name);
    text_string(text, word);
}

void tell_nothing_to_run(const update_t *update)
{
    text_t text = {0};
    text_string(&text, "torpor boot on ");
    text_string(&text, board.name);
    append_slot(&text, ": nothing to run: A ", update_check(update, 0, NULL, NULL, NULL));
    append_slot(&text, ", B ", update_check(update, 1, NULL, NULL, NULL));
    text_end(&text);
    uart_write("\n", 1); /* the run before may have ended in the middle of a line */
    uart_write(text.bytes, text.length);
}
