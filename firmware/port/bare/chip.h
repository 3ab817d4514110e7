/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The torpor authors
 *
 * What a chip needs before anything runs: chip.c of a port, or the one of this folder. For ports
 * only.
 */
#ifndef PORT_BARE_CHIP_H
#define PORT_BARE_CHIP_H

/* Sets up clocks, wait states and supply, as board.toml says. Runs at the start of bootloader and
 * application, with RAM ready and interrupts disabled: what the bootloader has done, the
 * application finds done. */
void chip_start(void);

#endif
