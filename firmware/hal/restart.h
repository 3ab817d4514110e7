/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The torpor authors
 *
 * What is known across a restart, in RAM at a place that bootloader and application agree on (the
 * beginning of the RAM: section .handoff). A reset keeps it, power loss does not.
 *
 *     application: restart_note(why)  --reset-->  boot: restart_take(), then handoff_give()
 *                                                 --jump-->  application: handoff_take()
 */
#ifndef HAL_RESTART_H
#define HAL_RESTART_H

#include <stdbool.h>
#include <stdint.h>

/* What ports themselves give as the reason, with the numbers of update/reason.h. */
#define RESTART_WATCHDOG 18u
#define RESTART_FAULT    19u

/* What the chip itself says of the reset, with the numbers of the record `restarted`. */
typedef enum {
    RESTART_CAUSE_UNKNOWN = 0, /* it does not say */
    RESTART_CAUSE_POWER = 1,   /* power came */
    RESTART_CAUSE_BROWN_OUT = 2,
    RESTART_CAUSE_PIN = 3,
    RESTART_CAUSE_SOFTWARE = 4, /* cpu_reset(), or a debugger */
    RESTART_CAUSE_WATCHDOG = 5,
    RESTART_CAUSE_LOCKUP = 6, /* a fault in a fault handler */
    RESTART_CAUSE_WAKE = 7    /* from a state that loses RAM */
} restart_cause_t;

/* Why the last run ended. `reason` is one of update/reason.h; 0 with `kept`: a reset that nobody
 * has explained (the reset pin, a debugger, a hang that something outside has ended). */
typedef struct {
    bool kept; /* RAM has survived; false after power loss, the rest is 0 then */
    uint32_t reason;
    uint32_t exception; /* number of the exception, if it was a fault or the watchdog's */
    uint32_t pc;        /* where, as far as the CPU knows it */
    uint32_t lr;
    uint32_t cfsr; /* the CPU's own word about a fault: CFSR where there is one (Armv7-M, Armv8-M),
                      mcause (RISC-V), si_code of the signal (a process); 0: none */
    uint8_t cause; /* restart_cause_t */
} restart_t;

/* What the bootloader tells the application that it starts. */
typedef struct {
    restart_t restart; /* why the run before ended */
    uint8_t slot;      /* where the application lies */
    bool trial;        /* it has to confirm itself */
} handoff_t;

/* Returns why the last run ended and forgets it. Power loss and brown-out are never `kept`,
 * whatever is still in RAM; a watchdog that left no word of its own is RESTART_WATCHDOG, a lockup
 * RESTART_FAULT: a second call returns `kept` with reason 0.
 * Call once at start. */
restart_t restart_take(void);

/* Leaves word of why this run is about to end. From anywhere, fault handlers too. */
void restart_note(uint32_t reason, uint32_t exception, uint32_t pc, uint32_t lr);

/* Bootloader: leaves word for the application. */
void handoff_give(const handoff_t *handoff);

/* Application: takes what the bootloader left. False: there was no bootloader. */
bool handoff_take(handoff_t *handoff);

#endif
