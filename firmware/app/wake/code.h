/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The torpor authors
 *
 * Numbers of a sensor as codes of a model's input.
 */
#ifndef APP_WAKE_CODE_H
#define APP_WAKE_CODE_H

#include "app/wake/config.h"

static inline int8_t wake_code(const wake_code_t *rule, int32_t number)
{
    int32_t half = (int32_t)1 << (rule->shift - 1);
    int32_t code = ((number * rule->multiplier + half) >> rule->shift) + rule->zero_point;
    code = code < rule->low ? rule->low : code;
    return (int8_t)(code > rule->high ? rule->high : code);
}

#endif
