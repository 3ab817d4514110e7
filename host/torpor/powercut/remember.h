/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The torpor authors
 *
 * Hashes and signatures are functions of their arguments alone, and the same few images are
 * verified a million times. The linker puts this between the firmware and its verify.c (--wrap):
 * what was computed for the very same bytes is not computed again.
 */
#ifndef POWERCUT_REMEMBER_H
#define POWERCUT_REMEMBER_H

#include <stdbool.h>

/* False: everything is computed every time. */
extern bool remember_wanted;

/* Forgets all. */
void remember_nothing(void);

#endif
