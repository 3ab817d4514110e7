/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The torpor authors
 *
 * Files that somebody might send to a device: images of all kinds, good and bad.
 */
#ifndef FUZZ_FILES_H
#define FUZZ_FILES_H

#include "signer.h"

#define FILES       22
#define FILES_NONE  0xFFu /* no file */
#define FILES_BOARD "toy"
#define FILES_UNFIT 9 /* major version of models, from this on, that no firmware accepts */

/* Numbers of some that are needed by name. */
#define FILES_A_1     0
#define FILES_A_2     2
#define FILES_B_2     3
#define FILES_MODEL_1 8
#define FILES_MODEL_2 9

/* Addresses that firmware in slot 0 and 1 is linked for. */
#define FILES_LINK_A 0x1000u
#define FILES_LINK_B 0x2000u

typedef struct {
    const char *name;
    uint8_t may_run; /* bit `slot`: it may run there, if its counter is not too low */
    uint32_t counter;
    uint32_t image_bytes;
    uint32_t length; /* an image may have more behind it */
    uint8_t bytes[SIGNER_MAX_BYTES];
    uint8_t sha[VERIFY_HASH_BYTES]; /* of all of them */
} file_t;

extern file_t files[FILES];

/* Makes them, once. */
void files_make(void);

/* The hash that the image in a file was signed for. */
const uint8_t *files_hash(const file_t *file);

/* Writes the smallest plan there is, one tensor, input and output at once; returns its length. */
uint32_t files_plan(uint8_t *plan, uint16_t version, char name);

#endif
