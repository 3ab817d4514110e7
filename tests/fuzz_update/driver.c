/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The torpor authors
 *
 * Runs a fuzz target on many inputs, made of seeds by random changes: the same ones for the same
 * seed and program. An input that reaches new code (gcc's -fsanitize-coverage=trace-pc says so) is
 * kept and changed further.
 *
 *     fuzz-<target> --seeds FILE --inputs N --seed S --crash FILE [--keep FILE]
 *     fuzz-<target> --replay FILE
 *
 * The first prints its counts as JSON. Seeds are lines of hexadecimal digits; --keep writes such
 * lines too, the seeds and the inputs that have reached new code. An input that ends the process is
 * written to the file of --crash, as text (hexadecimal digits, with comments), which the second
 * runs again and explains.
 */
#define _POSIX_C_SOURCE 200809L

#include <ctype.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "outcome.h"

#define MAX_BYTES    8192
#define MAX_KEPT     4096
#define MAX_CHANGES  6
#define MAP_BYTES    32768
#define HANG_SECONDS 60
#define IN_PLACE     5 /* so many changes leave all bytes where they are */

typedef struct {
    uint8_t *bytes;
    size_t size;
} input_t;

static struct {
    uint64_t random;
    input_t kept[MAX_KEPT];
    size_t kept_count;
    uint8_t current[MAX_BYTES]; /* the input that is running */
    size_t current_size;
    const char *crash;
} fuzz;

/* What the input that runs has reached: how often each edge, and which. */
static struct {
    uint8_t times[MAP_BYTES];
    uint8_t seen[MAP_BYTES]; /* a bit for each order of magnitude */
    uint32_t touched[MAP_BYTES];
    uint32_t touched_count;
    uint32_t edges;
    uint32_t last;
} map;

void __sanitizer_cov_trace_pc(void);
const char *__asan_default_options(void);
const char *__ubsan_default_options(void);

const char *__asan_default_options(void)
{
    return "abort_on_error=1:detect_leaks=0:allocator_may_return_null=1";
}

const char *__ubsan_default_options(void)
{
    return "abort_on_error=1:print_stacktrace=1";
}

/* Called at each basic block of the code under test. */
__attribute__((no_sanitize("address", "undefined"))) void __sanitizer_cov_trace_pc(void)
{
    if (fuzz_looking) {
        return;
    }
    uint32_t here = (uint32_t)(uintptr_t)__builtin_return_address(0) * 2654435761u >> 16;
    uint32_t edge = (here ^ map.last) % MAP_BYTES;
    map.last = here >> 1;
    if (map.times[edge] == 0) {
        map.touched[map.touched_count++] = edge;
    }
    if (map.times[edge] != 255) {
        map.times[edge]++;
    }
}

static uint8_t magnitude(uint8_t times)
{
    uint8_t bit = 0;
    while (times > 1) {
        times >>= 1;
        bit++;
    }
    return (uint8_t)(1u << bit);
}

/* True if the input that ran has reached something new. Clears what it has reached. */
static bool map_take(void)
{
    bool is_new = false;
    for (uint32_t i = 0; i < map.touched_count; i++) {
        uint32_t edge = map.touched[i];
        uint8_t bit = magnitude(map.times[edge]);
        map.edges += map.seen[edge] == 0;
        is_new |= (map.seen[edge] & bit) == 0;
        map.seen[edge] |= bit;
        map.times[edge] = 0;
    }
    map.touched_count = 0;
    map.last = 0;
    return is_new;
}

/* SplitMix64 (Steele, Lea, Flood 2014). */
static uint64_t random_bits(void)
{
    fuzz.random += 0x9E3779B97F4A7C15u;
    uint64_t z = fuzz.random;
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9u;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EBu;
    return z ^ (z >> 31);
}

static size_t below(size_t count)
{
    return (size_t)(random_bits() % count);
}

/* ---- changes: each returns the new size */

static size_t flip_bit(uint8_t *bytes, size_t size)
{
    bytes[below(size)] ^= (uint8_t)(1u << below(8));
    return size;
}

static size_t set_byte(uint8_t *bytes, size_t size)
{
    bytes[below(size)] = (uint8_t)random_bits();
    return size;
}

/* Numbers at the ends of types, or near the one that is there, in 1, 2 or 4 bytes. */
static size_t set_number(uint8_t *bytes, size_t size)
{
    static const uint32_t ends[] = {
        0,    1,    2,      3,      4,      15,         16,         31,         32,
        63,   64,   127,    128,    255,    256,        511,        512,        1023,
        1024, 4096, 0x7FFF, 0x8000, 0xFFFF, 0x7FFFFFFF, 0x80000000, 0xFFFFFFF0, 0xFFFFFFFF};
    size_t width = (size_t)1 << below(3);
    if (size < width) {
        return size;
    }
    size_t at = below(size - width + 1);
    uint32_t value = 0;
    for (size_t i = 0; i < width; i++) {
        value |= (uint32_t)bytes[at + i] << 8 * i;
    }
    uint32_t step = (uint32_t)below(35) - 17;
    value = below(2) == 0 ? ends[below(sizeof ends / sizeof *ends)] : value + step;
    for (size_t i = 0; i < width; i++) {
        bytes[at + i] = (uint8_t)(value >> 8 * i);
    }
    return size;
}

static size_t short_length(size_t most)
{
    size_t limit = below(4) == 0 ? most : (most < 16 ? most : 16);
    return limit == 0 ? 0 : 1 + below(limit);
}

static size_t remove_range(uint8_t *bytes, size_t size)
{
    size_t length = short_length(size - 1);
    size_t at = below(size - length + 1);
    memmove(bytes + at, bytes + at + length, size - at - length);
    return size - length;
}

static size_t insert(uint8_t *bytes, size_t size, const uint8_t *what, size_t length)
{
    length = length < MAX_BYTES - size ? length : MAX_BYTES - size;
    size_t at = below(size + 1);
    memmove(bytes + at + length, bytes + at, size - at);
    memcpy(bytes + at, what, length);
    return size + length;
}

static size_t insert_random(uint8_t *bytes, size_t size)
{
    uint8_t what[16];
    size_t length = 1 + below(sizeof what);
    uint8_t fill = (uint8_t)random_bits();
    bool constant = below(2) == 0;
    for (size_t i = 0; i < length; i++) {
        what[i] = constant ? fill : (uint8_t)random_bits();
    }
    return insert(bytes, size, what, length);
}

/* A part of this input once more, elsewhere. */
static size_t repeat_range(uint8_t *bytes, size_t size)
{
    uint8_t what[MAX_BYTES];
    size_t length = short_length(size);
    memcpy(what, bytes + below(size - length + 1), length);
    return insert(bytes, size, what, length);
}

static size_t copy_range(uint8_t *bytes, size_t size)
{
    size_t length = short_length(size);
    memmove(bytes + below(size - length + 1), bytes + below(size - length + 1), length);
    return size;
}

/* A part of another input, inserted or written over. */
static size_t splice(uint8_t *bytes, size_t size)
{
    const input_t *other = &fuzz.kept[below(fuzz.kept_count)];
    if (other->size == 0) {
        return size;
    }
    size_t length = short_length(other->size);
    const uint8_t *what = other->bytes + below(other->size - length + 1);
    if (below(2) == 0 || length > size) {
        return insert(bytes, size, what, length);
    }
    memcpy(bytes + below(size - length + 1), what, length);
    return size;
}

static size_t change(uint8_t *bytes, size_t size)
{
    static size_t (*const changes[])(uint8_t *, size_t) = {
        flip_bit,     set_byte,      set_number,   set_number, copy_range,
        remove_range, insert_random, repeat_range, splice,     splice,
    };
    size_t count = sizeof changes / sizeof *changes;
    if (size == 0) {
        return insert_random(bytes, size);
    }
    if (fuzz_offsets && below(8) != 0) {
        count = IN_PLACE;
    }
    return changes[below(count)](bytes, size);
}

/* ---- inputs as text */

/* Async-signal-safety does not matter any more: the process is about to end. */
static void write_input(FILE *file, const uint8_t *bytes, size_t size, const char *separator)
{
    for (size_t i = 0; i < size; i++) {
        fprintf(file, "%02x%s", bytes[i], i % 32 == 31 && i + 1 != size ? separator : "");
    }
    fputc('\n', file);
}

static void on_abort(int number)
{
    FILE *file = fuzz.crash != NULL ? fopen(fuzz.crash, "w") : NULL;
    fflush(stdout);
    if (number == SIGALRM) {
        fputs("hangs: an input takes longer than a minute\n", stderr);
    }
    if (file != NULL) {
        write_input(file, fuzz.current, fuzz.current_size, "\n");
        fclose(file);
    }
    _exit(1);
}

static FILE *must_open(const char *path, const char *mode)
{
    FILE *file = fopen(path, mode);
    if (file == NULL) {
        perror(path);
        exit(2);
    }
    return file;
}

/* Adds the digits of a line, up to whatever is none, to fuzz.current. */
static void read_line(const char *line)
{
    for (; isxdigit((unsigned char)line[0]) && fuzz.current_size < MAX_BYTES; line += 2) {
        char digits[] = {line[0], line[1], '\0'};
        fuzz.current[fuzz.current_size++] = (uint8_t)strtoul(digits, NULL, 16);
    }
}

/* Reads all lines as one input, or calls `each` after every line. */
static void read_file(const char *path, void (*each)(void))
{
    FILE *file = must_open(path, "r");
    char *line = NULL;
    size_t room = 0;
    fuzz.current_size = 0;
    while (getline(&line, &room, file) != -1) {
        read_line(line);
        if (each != NULL) {
            each();
            fuzz.current_size = 0;
        }
    }
    free(line);
    fclose(file);
}

/* ---- running */

static void keep(const uint8_t *bytes, size_t size)
{
    size_t place = fuzz.kept_count < MAX_KEPT ? fuzz.kept_count++ : below(MAX_KEPT);
    input_t *input = &fuzz.kept[place];
    free(input->bytes);
    *input = (input_t){malloc(size + 1), size};
    memcpy(input->bytes, bytes, size);
}

/* Runs fuzz.current from a copy of exactly its size, so that reading behind it is noticed. */
static bool run_current(void)
{
    uint8_t *exact = malloc(fuzz.current_size + (fuzz.current_size == 0));
    memcpy(exact, fuzz.current, fuzz.current_size);
    LLVMFuzzerTestOneInput(exact, fuzz.current_size);
    free(exact);
    return map_take();
}

static void make_current(void)
{
    size_t recent = fuzz.kept_count < 16 ? fuzz.kept_count : 16;
    size_t number = below(3) == 0 ? fuzz.kept_count - 1 - below(recent) : below(fuzz.kept_count);
    const input_t *parent = &fuzz.kept[number];
    memcpy(fuzz.current, parent->bytes, parent->size);
    fuzz.current_size = parent->size;
    for (size_t changes = 1 + below(MAX_CHANGES); changes != 0; changes--) {
        fuzz.current_size = change(fuzz.current, fuzz.current_size);
    }
}

static void run_many(uint64_t inputs)
{
    for (uint64_t i = 0; i < inputs; i++) {
        if (i % 256 == 0) {
            alarm(HANG_SECONDS);
        }
        make_current();
        if (run_current()) {
            keep(fuzz.current, fuzz.current_size);
        }
    }
    alarm(0);
}

static double seconds(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec * 1e-9;
}

/* Seeds are kept whatever they reach. */
static void run_seed(void)
{
    run_current();
    keep(fuzz.current, fuzz.current_size);
}

static void write_kept(const char *path)
{
    FILE *file = must_open(path, "w");
    for (size_t i = 0; i < fuzz.kept_count; i++) {
        write_input(file, fuzz.kept[i].bytes, fuzz.kept[i].size, "");
    }
    fclose(file);
}

static void replay(const char *path)
{
    outcome_verbose = true;
    read_file(path, NULL);
    run_current();
    puts("nothing is wrong with it");
}

static void print_counts(uint64_t inputs, double time)
{
    printf("{\"inputs\": %llu, \"seconds\": %.1f, \"kept\": %zu, \"edges\": %u, \"outcomes\": ",
           (unsigned long long)inputs, time, fuzz.kept_count, map.edges);
    outcome_print();
    puts("}");
}

typedef struct {
    uint64_t inputs;
    const char *seeds;
    const char *kept;
    const char *replay;
} options_t;

static options_t read_options(int argc, char **argv)
{
    options_t options = {0};
    for (int i = 1; i + 1 < argc; i += 2) {
        const char *value = argv[i + 1];
        if (strcmp(argv[i], "--replay") == 0) {
            options.replay = value;
        } else if (strcmp(argv[i], "--inputs") == 0) {
            options.inputs = strtoull(value, NULL, 10);
        } else if (strcmp(argv[i], "--seed") == 0) {
            fuzz.random = strtoull(value, NULL, 10);
        } else if (strcmp(argv[i], "--seeds") == 0) {
            options.seeds = value;
        } else if (strcmp(argv[i], "--crash") == 0) {
            fuzz.crash = value;
        } else if (strcmp(argv[i], "--keep") == 0) {
            options.kept = value;
        }
    }
    return options;
}

int main(int argc, char **argv)
{
    options_t options = read_options(argc, argv);
    signal(SIGABRT, on_abort);
    signal(SIGALRM, on_abort);
    if (options.replay != NULL) {
        replay(options.replay);
        return 0;
    }
    if (options.seeds != NULL) {
        read_file(options.seeds, run_seed);
    }
    if (fuzz.kept_count == 0) {
        keep(fuzz.current, 0);
    }
    double begin = seconds();
    run_many(options.inputs);
    print_counts(options.inputs, seconds() - begin);
    if (options.kept != NULL) {
        write_kept(options.kept);
    }
    return 0;
}
