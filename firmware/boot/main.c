/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The torpor authors
 *
 * The bootloader: asks the update library what to run, leaves word, and jumps. All decisions are in
 * firmware/update, which tests cut the power of at every step.
 */
#include "boot/tell.h"
#include "hal/board.h"
#include "hal/boot.h"
#include "hal/cpu.h"
#include "hal/flash.h"
#include "hal/restart.h"
#include "hal/uart.h"
#include "hal/watchdog.h"
#include "update/end.h"
#include "update/update.h"

static update_t update;

/* Nobody is listened to. */
void uart_on_receive(uint8_t byte)
{
    (void)byte;
}

static void start(const update_choice_t *choice, const restart_t *restart)
{
    handoff_t handoff = {.restart = *restart, .slot = choice->slot, .trial = choice->trial};
    handoff_give(&handoff);
    if (choice->trial) {
        watchdog_start(board.trial_ms);
    } else {
        watchdog_stop();
    }
    boot_jump(choice->image.payload, choice->image.payload_bytes);
}

/* Waits for whoever programs the flash and resets. */
static _Noreturn void sleep_for_ever(void)
{
    cpu_irq_enable();
    for (;;) {
        uint32_t irq = cpu_irq_disable();
        cpu_sleep();
        cpu_irq_restore(irq);
    }
}

int main(void)
{
    flash_start();
    restart_t restart = restart_take();
    update_end_t end = update_end(restart.kept, restart.reason, restart.pc, restart.lr);
    update_open(&update, &update_layout, &update_key);
    update_choice_t choice = update_choose(&update, UPDATE_FIRMWARE, end, NULL, NULL);
    if (choice.slot != UPDATE_NO_SLOT) {
        start(&choice, &restart);
    }
    uart_start();
    tell_nothing_to_run(&update);
    sleep_for_ever();
}
