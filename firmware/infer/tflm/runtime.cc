/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The torpor authors
 *
 * What compiled C++ asks its runtime for, where there is no heap and no end of the program. All of
 * it is a bug that has been met: the trap leads to the handler of faults, which records where.
 *
 * The names with __ belong to the C library with which the archive was compiled (newlib), not to
 * the one that is linked.
 */
#include <cstddef>

extern "C" {

/* TFLITE_ABORT: a condition that TensorFlow Lite Micro checks does not hold. */
[[noreturn]] void abort(void)
{
    __builtin_trap();
}

[[noreturn]] void __assert_func(const char *, int, const char *, const char *)
{
    __builtin_trap();
}

[[noreturn]] void __cxa_pure_virtual(void)
{
    __builtin_trap();
}

/* Nothing is destroyed at an end that does not come. */
int __aeabi_atexit(void *, void (*)(void *), void *)
{
    return 0;
}

void *__dso_handle = nullptr;

/* What the archive's functions of <math.h> would report errors in; nobody reads it. */
int *__errno(void)
{
    static int number;
    return &number;
}
}

/* Every class with a virtual destructor refers to it. */
void operator delete(void *) noexcept
{
    __builtin_trap();
}

void operator delete(void *, std::size_t) noexcept
{
    __builtin_trap();
}
