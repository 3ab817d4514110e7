/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The torpor authors
 *
 * RAM that a reset keeps, as a file without a name that is passed on to the next program, and the
 * faults and the watchdog's alarm that leave word in it. Where there is no bootloader that would
 * read it, faults end the process as those of other programs do.
 */
#include "port/common/restart.h"

#include <signal.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "hal/cpu.h"
#include "hal/restart.h"
#include "port/host/host.h"

#define HANDLER_STACK 16384

extern char __executable_start[]; /* the linker's */

static kept_memory_t *memory;

kept_memory_t *kept_memory(void)
{
    return memory;
}

/* Programs lie elsewhere each time they are started: addresses count from their first byte, as in
 * the file. What is no address in the program is 0. */
static uint32_t address_in_file(uintptr_t address)
{
    uintptr_t start = (uintptr_t)__executable_start;
    return address >= start && address - start <= UINT32_MAX ? (uint32_t)(address - start) : 0;
}

#if defined(__x86_64__)
static uintptr_t program_counter(const ucontext_t *context)
{
    return (uintptr_t)context->uc_mcontext.gregs[REG_RIP];
}
#else
static uintptr_t program_counter(const ucontext_t *context)
{
    return (uintptr_t)context->uc_mcontext.pc;
}
#endif

static void on_signal(int number, siginfo_t *info, void *context)
{
    if (number != HOST_RESET_SIGNAL) { /* which explains nothing */
        uint32_t pc = address_in_file(program_counter(context));
        restart_note(number == SIGALRM ? RESTART_WATCHDOG : RESTART_FAULT, (uint32_t)number, pc, 0);
        restart_note_status(number == SIGALRM ? 0 : (uint32_t)info->si_code);
    }
    cpu_reset();
}

/* On a stack of its own, for a fault may be a stack that was too deep. */
static void catch_signals(void)
{
    static uint8_t stack[HANDLER_STACK];
    const stack_t other = {.ss_sp = stack, .ss_size = sizeof stack};
    sigaltstack(&other, NULL);
    struct sigaction action = {.sa_sigaction = on_signal, .sa_flags = SA_SIGINFO | SA_ONSTACK};
    static const int numbers[] = {
        SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGABRT, SIGALRM, HOST_RESET_SIGNAL,
    };
    sigset_t all;
    sigemptyset(&all);
    for (size_t i = 0; i < sizeof numbers / sizeof numbers[0]; i++) {
        sigaction(numbers[i], &action, NULL);
        sigaddset(&all, numbers[i]);
    }
    sigprocmask(SIG_UNBLOCK, &all, NULL); /* the program before may have ended in a handler */
}

__attribute__((constructor(102))) static void start_memory(void)
{
    if (host_process.ram < 0) {
        host_process.ram = memfd_create("ram", 0);
        if (host_process.ram < 0 || ftruncate(host_process.ram, sizeof *memory) != 0) {
            host_fail("memory");
        }
    }
    memory = mmap(NULL, sizeof *memory, PROT_READ | PROT_WRITE, MAP_SHARED, host_process.ram, 0);
    if (memory == MAP_FAILED) {
        host_fail("memory");
    }
    if (host_process.boot >= 0) {
        catch_signals();
    }
}
