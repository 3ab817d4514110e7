/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The torpor authors
 *
 * hal/restart.h on any memory that survives a reset. After power-on it holds anything: two words of
 * magic and a check word tell.
 */
#include "port/common/restart.h"

#include "hal/restart.h"
#include "port/common/cause.h"

#define MAGIC_0     0x746F7270u
#define MAGIC_1     0xB1A5ED0Fu
#define GIVEN_MAGIC 0x6861646Fu
#define CHECK_SEED  0x5EC0DE5Fu
#define CFSR_SEED   0x0BADFACEu
#define GIVEN_TRIAL (1u << 8)
#define GIVEN_KEPT  (1u << 9)
#define GIVEN_CAUSE 16 /* bits 16 .. 23 */

static uint32_t check_of(uint32_t reason, uint32_t exception, uint32_t pc, uint32_t lr)
{
    return CHECK_SEED ^ reason ^ exception ^ pc ^ lr;
}

/* The status that belongs to a note. It stays where it is when a bootloader takes the note and
 * gives it to the application. */
static uint32_t status_of(const restart_memory_t *memory, const restart_t *note)
{
    uint32_t cfsr = memory->cfsr;
    uint32_t check = check_of(note->reason, note->exception, note->pc, note->lr);
    bool fits = memory->cfsr_check == (CFSR_SEED ^ cfsr ^ check);
    return fits && note->reason != 0 ? cfsr : 0;
}

/* Reasons that a chip knows of where the software could leave no word. */
static uint32_t reason_of(restart_cause_t cause)
{
    switch (cause) {
    case RESTART_CAUSE_WATCHDOG:
        return RESTART_WATCHDOG;
    case RESTART_CAUSE_LOCKUP:
        return RESTART_FAULT;
    default:
        return 0;
    }
}

/* What the chip says comes before what RAM says: after a brown-out it may look whole. */
static void add_cause(restart_t *taken, restart_cause_t cause)
{
    if (cause == RESTART_CAUSE_POWER || cause == RESTART_CAUSE_BROWN_OUT) {
        *taken = (restart_t){0};
    } else if (taken->kept && taken->reason == 0) {
        taken->reason = reason_of(cause);
    }
    taken->cause = (uint8_t)cause;
}

restart_t restart_take(void)
{
    restart_memory_t *memory = &kept_memory()->restart;
    restart_t taken = {0};
    if (memory->magic[0] == MAGIC_0 && memory->magic[1] == MAGIC_1) {
        taken.kept = true;
        if (memory->check == check_of(memory->reason, memory->exception, memory->pc, memory->lr)) {
            taken.reason = memory->reason;
            taken.exception = memory->exception;
            taken.pc = memory->pc;
            taken.lr = memory->lr;
            taken.cfsr = status_of(memory, &taken);
        }
    }
    add_cause(&taken, cause_take());
    restart_note(0, 0, 0, 0);
    return taken;
}

void restart_note(uint32_t reason, uint32_t exception, uint32_t pc, uint32_t lr)
{
    restart_memory_t *memory = &kept_memory()->restart;
    memory->reason = reason;
    memory->exception = exception;
    memory->pc = pc;
    memory->lr = lr;
    memory->check = check_of(reason, exception, pc, lr);
    memory->magic[0] = MAGIC_0;
    memory->magic[1] = MAGIC_1;
}

void restart_note_status(uint32_t cfsr)
{
    restart_memory_t *memory = &kept_memory()->restart;
    memory->cfsr = cfsr;
    memory->cfsr_check = CFSR_SEED ^ cfsr ^ memory->check;
}

void handoff_give(const handoff_t *handoff)
{
    restart_memory_t *memory = &kept_memory()->restart;
    memory->given_slot = handoff->slot | (handoff->trial ? GIVEN_TRIAL : 0) |
                         (handoff->restart.kept ? GIVEN_KEPT : 0) |
                         (uint32_t)handoff->restart.cause << GIVEN_CAUSE;
    memory->given_reason = handoff->restart.reason;
    memory->given_exception = handoff->restart.exception;
    memory->given_pc = handoff->restart.pc;
    memory->given_lr = handoff->restart.lr;
    memory->given = GIVEN_MAGIC;
}

bool handoff_take(handoff_t *handoff)
{
    restart_memory_t *memory = &kept_memory()->restart;
    if (memory->given != GIVEN_MAGIC) {
        return false;
    }
    memory->given = 0;
    handoff->slot = (uint8_t)memory->given_slot;
    handoff->trial = (memory->given_slot & GIVEN_TRIAL) != 0;
    handoff->restart = (restart_t){
        .kept = (memory->given_slot & GIVEN_KEPT) != 0,
        .reason = memory->given_reason,
        .exception = memory->given_exception,
        .pc = memory->given_pc,
        .lr = memory->given_lr,
        .cause = (uint8_t)(memory->given_slot >> GIVEN_CAUSE),
    };
    handoff->restart.cfsr = status_of(memory, &handoff->restart);
    return true;
}
