/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The torpor authors
 *
 * Calls the functions of message.h as TensorFlow Lite Micro does.
 */
#include "infer/tflm/message.h"

void say(const char *format, ...);
int print(char *buffer, size_t bytes, const char *format, ...);

void say(const char *format, ...)
{
    va_list args;
    va_start(args, format);
    DebugLog(format, args);
    va_end(args);
}

int print(char *buffer, size_t bytes, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    int length = DebugVsnprintf(buffer, bytes, format, args);
    va_end(args);
    return length;
}
