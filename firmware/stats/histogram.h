/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The torpor authors
 *
 * Counts in bins that keep their shape when one of them is full.
 */
#ifndef STATS_HISTOGRAM_H
#define STATS_HISTOGRAM_H

#include <stdint.h>

/* Adds one to a bin. When it is at its largest value all `length` bins are halved before. */
void histogram_add(uint16_t *bins, uint32_t length, uint32_t bin);

/* The counts of all bins. */
uint32_t histogram_total(const uint16_t *bins, uint32_t length);

/* The first bin at whose end `percent` of all counts have been seen; 0 where there are none. */
uint32_t histogram_quantile(const uint16_t *bins, uint32_t length, uint32_t percent);

#endif
