/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The torpor authors
 *
 * One input pin whose edges wake the CPU: a button, or the interrupt line of a sensor.
 */
#ifndef HAL_PIN_H
#define HAL_PIN_H

/* Starts to watch it; which pin, and which edge, are facts of the board. On a board without one
 * this does nothing. Call once, with interrupts disabled. */
void pin_start(void);

/* Implemented by the application: an edge. From an interrupt; must not call the HAL. */
void pin_on_edge(void);

#endif
