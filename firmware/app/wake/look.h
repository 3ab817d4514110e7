/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The torpor authors
 *
 * The work of the device: takes blocks, wakes, looks, answers, and sleeps again (duty/duty.h).
 */
#ifndef APP_WAKE_LOOK_H
#define APP_WAKE_LOOK_H

#include <stdbool.h>
#include <stdint.h>

#include "duty/duty.h"

/* Begins. Call when the model is open, and again when it has become another one. */
void look_start(void);

/* Works through all blocks that are there. */
void look_at_blocks(void);

/* Asks it to look at some windows. */
void look_command(wake_source_t source, uint16_t windows);

/* What is measured about heat and battery. */
void look_environment(policy_input_t input);

/* The host uses the model itself: nothing is inferred until look_release(). */
void look_hold(void);
void look_release(void);

/* Blocks so far, for the watchdog. */
uint32_t look_blocks(void);

/* Sends a `summary` of the interval so far, which goes on; or of one that ends here. */
void look_summary(bool end);

/* There will be no more blocks: sends the last summary, once, and says that the scene is over. */
void look_end(void);

/* Says so again, if it is over. */
void look_tell_end(void);

/* Sends `about` and the labels. */
void look_about(void);

#endif
