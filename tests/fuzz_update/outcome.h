/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The torpor authors
 *
 * How often what has happened, for whoever runs a target.
 */
#ifndef FUZZ_OUTCOME_H
#define FUZZ_OUTCOME_H

#include "fuzz.h"

/* fuzz_say() prints. */
extern bool outcome_verbose;

/* Prints the counts as a JSON object. */
void outcome_print(void);

#endif
