/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The torpor authors
 *
 * Of the stand-in: its messages go to DebugLog(), line by line.
 */
#pragma once

#include <cstdarg>

extern "C" void DebugLog(const char *format, va_list args);

void MicroPrintf(const char *format, ...);
