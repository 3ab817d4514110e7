/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The torpor authors
 *
 * Receives an image file into a slot, chunk by chunk, in order, and goes on after power loss where
 * it stopped: the journal says which file the slot receives, the slot itself how far it has come.
 * Erasing is done first, a second at a time, so that nobody waits for an answer too long. What was
 * being erased when power failed is erased again, even if it looks erased.
 */
#ifndef UPDATE_UPLOAD_H
#define UPDATE_UPLOAD_H

#include <stdbool.h>
#include <stdint.h>

#include "update/update.h"
#include "update/verify.h"

/* All zero is no upload. Private but for `slot`, `length`, `offset`. */
typedef struct {
    bool open;
    bool erased; /* the journal says so */
    uint8_t slot;
    uint32_t length; /* of the file */
    uint32_t offset; /* next byte wanted */
    uint32_t keep;   /* below it the slot may have bytes already, which have to be equal */
    uint32_t erase;  /* next byte to erase */
    uint8_t sha[VERIFY_HASH_BYTES]; /* of the file */
} upload_t;

/* Begins the upload of a file, or takes up the interrupted one of the same file. `header`: its
 * first IMAGE_HEADER_BYTES bytes, or NULL. `sha`: SHA-256 of the whole file. upload->offset says
 * which byte is wanted next; while it stays 0, call again: the slot is still being erased.
 * UPDATE_E_BUSY, _SIZE, _FORMAT, _EMPTY, _KIND, _LINK, _FLASH: refused, the slot is as it was. */
update_reason_t upload_begin(update_t *update, upload_t *upload, uint32_t slot, uint32_t length,
                             const uint8_t sha[VERIFY_HASH_BYTES], const uint8_t *header);

/* Takes bytes of the file at `offset`, as many as can be written now (whole units); upload->offset
 * says what is wanted next, which may be less than was sent, and even before `offset` after a
 * power loss. Bytes from elsewhere than upload->offset are ignored. UPDATE_E_ORDER: no upload is
 * open; UPDATE_E_BUSY: the slot is protected meanwhile, because the image was complete before the
 * file was and has been armed; UPDATE_E_FLASH. */
update_reason_t upload_write(update_t *update, upload_t *upload, uint32_t offset,
                             const uint8_t *data, uint32_t length);

/* True if all bytes have come. */
bool upload_is_complete(const upload_t *upload);

/* Judges a complete upload by update_check(), and if that refuses it, says UPDATE_E_HASH where the
 * file is not the one that was sent. Closes it. What is refused is written down and forgotten: the
 * same file then begins anew. */
update_reason_t upload_finish(update_t *update, upload_t *upload, update_accept_t accept,
                              void *context);

/* Erases a slot that is not protected, as far as a second allows; `*offset` (0 at first) says how
 * far it has come: done when it is the slot's size. */
update_reason_t upload_erase(update_t *update, upload_t *upload, uint32_t slot, uint32_t *offset);

#endif
