/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The torpor authors
 *
 * See histogram.h.
 */
#include "stats/histogram.h"

void histogram_add(uint16_t *bins, uint32_t length, uint32_t bin)
{
    if (bins[bin] == UINT16_MAX) {
        for (uint32_t i = 0; i < length; i++) {
            bins[i] /= 2;
        }
    }
    bins[bin]++;
}

uint32_t histogram_total(const uint16_t *bins, uint32_t length)
{
    uint32_t total = 0;
    for (uint32_t i = 0; i < length; i++) {
        total += bins[i];
    }
    return total;
}

uint32_t histogram_quantile(const uint16_t *bins, uint32_t length, uint32_t percent)
{
    uint32_t rank = (histogram_total(bins, length) * percent + 99) / 100;
    uint32_t seen = bins[0];
    uint32_t bin = 0;
    while (seen < rank) {
        bin++;
        seen += bins[bin];
    }
    return bin;
}
