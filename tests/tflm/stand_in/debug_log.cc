/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The torpor authors
 *
 * Where messages go unless somebody else defines this: nowhere.
 */
#include "tensorflow/lite/micro/micro_log.h"

extern "C" void DebugLog(const char *, va_list)
{
}
