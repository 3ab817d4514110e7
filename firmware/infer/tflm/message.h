/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The torpor authors
 *
 * What TensorFlow Lite Micro says: infer_message(). These are the two functions that it asks every
 * platform for (tensorflow/lite/micro/debug_log.h). Where they are linked, the ones of the archive
 * are not, whatever platform it was built for, and neither is a printf.
 */
#ifndef INFER_TFLM_MESSAGE_H
#define INFER_TFLM_MESSAGE_H

#include <stdarg.h>
#include <stddef.h>

#define TFLM_MESSAGE_BYTES 96 /* with the NUL */

/* Forgets what has been said. */
void tflm_message_clear(void);

/* Appends to the message: lines are separated by "; ", what is not printable ASCII becomes '?', and
 * what does not fit is cut off. So the first line, which says what went wrong, is always there.
 * Knows %d %i %u %x %p %c %s %%, of any length; widths do not matter. A '?' stands for a number
 * that has a point. The text ends with a '?' at what is not known. */
void DebugLog(const char *format, va_list args);

/* As vsnprintf(), of these formats: how long the text is, `bytes` at most of it with the NUL. */
int DebugVsnprintf(char *buffer, size_t bytes, const char *format, va_list args);

#endif
