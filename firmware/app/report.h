/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The torpor authors
 *
 * One inference in words, or why there is none.
 */
#ifndef APP_REPORT_H
#define APP_REPORT_H

#include "core/text.h"
#include "infer/infer.h"

/* Index of the largest element of output 0, whatever its type; the first of equal ones. */
uint32_t report_best(const infer_t *model);

/* Writes "window 3: walking (score 97 %)" for class `best` of output 0. Without a label the class
 * is its number; without softmax, whose codes are 256ths, there is no score. */
void report_inference(text_t *text, const infer_t *model, uint32_t window, uint32_t best);

/* Writes "inference failed: engine: Node number 3 failed to invoke": what has failed, the status
 * in one word, and what the engine has said of it, if anything. */
void report_failure(text_t *text, const char *what, infer_status_t status);

#endif
