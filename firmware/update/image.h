/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The torpor authors
 *
 * Images in MCUboot's format (docs/SPEC.md): header, payload, protected and unprotected TLVs,
 * signed with Ed25519 over the SHA-256 of header, payload and protected TLVs. Nothing here writes.
 */
#ifndef UPDATE_IMAGE_H
#define UPDATE_IMAGE_H

#include <stdbool.h>
#include <stdint.h>

#include "update/layout.h"
#include "update/reason.h"

#define IMAGE_MAGIC         0x96f3b83du
#define IMAGE_HEADER_BYTES  32
#define IMAGE_ID_BYTES      8
#define IMAGE_TRAILER_BYTES 48 /* end of a slot: MCUboot's trailer, which stays erased */

/* Types of TLVs beyond MCUboot's own, in the protected area (imgtool --custom-tlv). */
#define IMAGE_TLV_BOARD      0xA0 /* name of the board, UTF-8, not terminated */
#define IMAGE_TLV_CAPABILITY 0xA1 /* image_capability_t */

#define IMAGE_CAPABILITY_BYTES 28

/* As in the header; compared nowhere: going back to an older version is allowed. */
typedef struct {
    uint8_t major;
    uint8_t minor;
    uint16_t revision;
    uint32_t build;
} image_version_t;

/* What a firmware can run: TLV IMAGE_TLV_CAPABILITY, little endian, in this order. */
typedef struct {
    uint8_t format;           /* 1 */
    uint8_t plan_version_min; /* plan formats from .. to */
    uint8_t plan_version_max;
    uint8_t targets;      /* bit enum plan_target: kernels packed for it */
    uint32_t arena_bytes; /* largest arena that a model may want */
    uint32_t kernels[4];  /* bit (code % 32) of word (code / 32), as in the plan's header */
    uint32_t plan_bytes;  /* of the embedded factory plan; for people */
} image_capability_t;

/* An image whose structure is sound. Pointers go into flash. */
typedef struct {
    const uint8_t *payload;
    uint32_t payload_bytes;
    uint32_t total_bytes; /* header to the end of the last TLV */
    image_version_t version;
    uint32_t counter;    /* security counter, 0 if it has none */
    bool is_model;       /* flag NON_BOOTABLE */
    bool has_address;    /* flag ROM_FIXED */
    uint32_t address;    /* that it is linked for */
    const uint8_t *hash; /* VERIFY_HASH_BYTES; the first IMAGE_ID_BYTES are its id */
    const uint8_t *signature;
    const uint8_t *key_hash;
    const uint8_t *board; /* not terminated; NULL if it names none */
    uint16_t board_bytes;
    const uint8_t *capability; /* IMAGE_CAPABILITY_BYTES, or NULL */
    uint32_t signed_bytes;     /* header, payload and protected TLVs */
} image_t;

/* Reads the image in `slot`, every length bounded by the slot. UPDATE_OK, or UPDATE_E_EMPTY,
 * _FORMAT, _SIZE. Proves nothing about its bytes. */
update_reason_t image_parse(const update_layout_t *layout, uint32_t slot, image_t *image);

/* What can be said of a header alone (IMAGE_HEADER_BYTES bytes at `header`) before the rest has
 * come: UPDATE_OK, or UPDATE_E_EMPTY, _FORMAT, _SIZE, _KIND, _LINK. */
update_reason_t image_check_header(const update_layout_t *layout, uint32_t slot,
                                   const uint8_t *header);

/* Proves that a parsed image may run in `slot`: kind, link address, board, security counter (not
 * below `counter`), key, hash, signature, in this order, each with its own code. */
update_reason_t image_verify(const update_layout_t *layout, const update_key_t *key, uint32_t slot,
                             uint32_t counter, const image_t *image);

/* image->capability as numbers; false if the image has none, or of another format. */
bool image_capability(const image_t *image, image_capability_t *capability);

#endif
