/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The torpor authors
 *
 * Where slots lie and which key counts, for the tests to fill in, in place of the constants that
 * the build makes.
 */
#define update_layout constant_layout
#define update_key    constant_key
#include "update/layout.h"
#undef update_layout
#undef update_key

update_layout_t update_layout;
update_key_t update_key;

/* The firmware has another key built in than the bootloader. */
void shim_change_key(uint8_t by)
{
    update_key.hash[0] ^= by;
}
