/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The torpor authors
 *
 * A plugin for QEMU that counts what inference costs: instructions, bytes loaded, bytes stored.
 *
 *   -plugin counter.so,map=FILE,out=FILE
 *
 * `map` says which code is what, one line each, hexadecimal addresses, ends not included:
 *
 *   enter  NAME FIRST        a function whose calls are counted
 *   leave  FIRST END         code of its caller: running it ends the count
 *   walk   FIRST END         counted; the code that calls one kernel after the other
 *   kernel FIRST END         counted; coming here from `walk` begins the next operator
 *   count  FIRST END         counted; libraries
 *
 * Whatever lies elsewhere, such as interrupt handlers, is not counted. For each call `out` gets
 * the line "NAME operators" and one line "instructions loaded stored" for what came before the
 * first kernel, then one for each operator, with what `walk` runs after its kernel.
 *
 * Declarations are those of QEMU's documentation of TCG plugins, API version 1 (QEMU 4.2 to 8.x).
 */
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define EXPORT __attribute__((visibility("default")))

typedef uint64_t plugin_id_t;
typedef struct qemu_plugin_tb tb_t;
typedef struct qemu_plugin_insn insn_t;

enum { CALLBACK_READS_NO_REGISTERS = 0, LOADS_AND_STORES = 3 };

void qemu_plugin_register_vcpu_tb_trans_cb(plugin_id_t id, void (*call)(plugin_id_t, tb_t *));
void qemu_plugin_register_vcpu_tb_exec_cb(tb_t *tb, void (*call)(unsigned cpu, void *data),
                                          int registers, void *data);
void qemu_plugin_register_vcpu_mem_cb(insn_t *insn,
                                      void (*call)(unsigned cpu, uint32_t info, uint64_t address,
                                                   void *data),
                                      int registers, int kinds, void *data);
size_t qemu_plugin_tb_n_insns(const tb_t *tb);
insn_t *qemu_plugin_tb_get_insn(const tb_t *tb, size_t index);
uint64_t qemu_plugin_tb_vaddr(const tb_t *tb);
unsigned qemu_plugin_mem_size_shift(uint32_t info);
bool qemu_plugin_mem_is_store(uint32_t info);

EXPORT int qemu_plugin_version = 1;
EXPORT int qemu_plugin_install(plugin_id_t id, const void *info, int count, char **words);

enum { REGIONS_MAX = 4096, NAME_MAX_BYTES = 32 };

typedef enum { NOTHING, ENTER, LEAVE, WALK, KERNEL, COUNT } kind_t;

typedef struct {
    kind_t kind;
    char name[NAME_MAX_BYTES];
    uint64_t first, end;
} region_t;

typedef struct {
    uint64_t instructions, loaded, stored;
} cost_t;

/* What a translated block is: made once for each translation, never freed. */
typedef struct {
    kind_t kind;
    const region_t *enter; /* it begins a function that is counted, or NULL */
    size_t instructions;
} block_t;

static region_t regions[REGIONS_MAX];
static size_t region_count;
static FILE *out;

static const region_t *active; /* the call that is being counted, or NULL */
static bool in_kernel;         /* a kernel ran later than the walk */
static cost_t *costs;          /* [0] before the first kernel, then one for each operator */
static size_t cost_count, cost_room;

static void *must(void *pointer)
{
    if (pointer == NULL) {
        perror("counter");
        exit(1);
    }
    return pointer;
}

static void begin_cost(void)
{
    if (cost_count == cost_room) {
        cost_room = 2 * cost_room + 64;
        costs = must(realloc(costs, cost_room * sizeof *costs));
    }
    costs[cost_count++] = (cost_t){0};
}

static void start(const region_t *function)
{
    active = function;
    in_kernel = false;
    cost_count = 0;
    begin_cost();
}

static void finish(void)
{
    fprintf(out, "%s %zu\n", active->name, cost_count - 1);
    for (size_t i = 0; i < cost_count; i++) {
        const cost_t *cost = &costs[i];
        fprintf(out, "%" PRIu64 " %" PRIu64 " %" PRIu64 "\n", cost->instructions, cost->loaded,
                cost->stored);
    }
    fflush(out);
    active = NULL;
}

static void on_block(unsigned cpu, void *data)
{
    (void)cpu;
    const block_t *block = data;
    if (active == NULL && block->enter != NULL) {
        start(block->enter);
    }
    if (active == NULL) {
        return;
    }
    if (block->kind == LEAVE) {
        finish();
        return;
    }
    if (block->kind == KERNEL && !in_kernel) {
        begin_cost();
        in_kernel = true;
    } else if (block->kind == WALK) {
        in_kernel = false;
    }
    costs[cost_count - 1].instructions += block->instructions;
}

static void on_access(unsigned cpu, uint32_t info, uint64_t address, void *data)
{
    (void)cpu;
    (void)address;
    (void)data;
    if (active == NULL) {
        return;
    }
    cost_t *cost = &costs[cost_count - 1];
    uint64_t bytes = UINT64_C(1) << qemu_plugin_mem_size_shift(info);
    if (qemu_plugin_mem_is_store(info)) {
        cost->stored += bytes;
    } else {
        cost->loaded += bytes;
    }
}

/* Finds what lies at an address; its own kind and, apart from that, a function that begins there.
 */
static block_t look_up(uint64_t address)
{
    block_t block = {.kind = NOTHING};
    for (size_t i = 0; i < region_count; i++) {
        const region_t *region = &regions[i];
        if (region->kind == ENTER) {
            block.enter = region->first == address ? region : block.enter;
        } else if (region->first <= address && address < region->end) {
            block.kind = region->kind;
        }
    }
    return block;
}

static void on_translation(plugin_id_t id, tb_t *tb)
{
    (void)id;
    block_t found = look_up(qemu_plugin_tb_vaddr(tb));
    if (found.kind == NOTHING) {
        return;
    }
    found.instructions = qemu_plugin_tb_n_insns(tb);
    block_t *block = must(malloc(sizeof *block));
    *block = found;
    qemu_plugin_register_vcpu_tb_exec_cb(tb, on_block, CALLBACK_READS_NO_REGISTERS, block);
    for (size_t i = 0; found.kind != LEAVE && i < found.instructions; i++) {
        qemu_plugin_register_vcpu_mem_cb(qemu_plugin_tb_get_insn(tb, i), on_access,
                                         CALLBACK_READS_NO_REGISTERS, LOADS_AND_STORES, NULL);
    }
}

static kind_t kind_of(const char *word)
{
    static const char *const names[] = {"", "enter", "leave", "walk", "kernel", "count"};
    for (kind_t kind = ENTER; kind <= COUNT; kind++) {
        if (strcmp(word, names[kind]) == 0) {
            return kind;
        }
    }
    return NOTHING;
}

/* Returns false for a line that is none of those above. */
static bool read_region(const char *line, region_t *region)
{
    char word[NAME_MAX_BYTES], rest[NAME_MAX_BYTES];
    int words = sscanf(line, "%31s %31s %" SCNx64, word, rest, &region->end);
    region->kind = kind_of(word);
    if (words != 3 || region->kind == NOTHING) {
        return false;
    }
    if (region->kind == ENTER) {
        memcpy(region->name, rest, sizeof rest);
        region->first = region->end;
    } else {
        region->first = strtoull(rest, NULL, 16);
    }
    return true;
}

static bool read_map(const char *path)
{
    char line[128];
    FILE *map = must(fopen(path, "r"));
    bool good = true;
    while (good && fgets(line, sizeof line, map) != NULL) {
        good = region_count < REGIONS_MAX && read_region(line, &regions[region_count]);
        region_count++;
    }
    fclose(map);
    return good;
}

int qemu_plugin_install(plugin_id_t id, const void *info, int count, char **words)
{
    (void)info;
    bool good = false;
    for (int i = 0; i < count; i++) {
        if (strncmp(words[i], "map=", 4) == 0) {
            good = read_map(words[i] + 4);
        } else if (strncmp(words[i], "out=", 4) == 0) {
            out = must(fopen(words[i] + 4, "w"));
        }
    }
    if (!good || out == NULL) {
        fprintf(stderr, "counter: map=FILE,out=FILE, and no other lines in map\n");
        return 1;
    }
    qemu_plugin_register_vcpu_tb_trans_cb(id, on_translation);
    return 0;
}
