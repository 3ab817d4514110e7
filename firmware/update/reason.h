/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The torpor authors
 *
 * Why an image was refused, why a trial ended. The numbers lie in flash and travel on the wire:
 * they are never reused. The host reads this very file.
 */
#ifndef UPDATE_REASON_H
#define UPDATE_REASON_H

typedef enum {
    UPDATE_OK = 0,
    /* The image is not to be used. */
    UPDATE_E_EMPTY = 1,     /* no image there */
    UPDATE_E_FORMAT = 2,    /* truncated, or a length, flag or record is wrong */
    UPDATE_E_SIZE = 3,      /* larger than the slot */
    UPDATE_E_HASH = 4,      /* its bytes are not those that were signed */
    UPDATE_E_SIGNATURE = 5, /* the signature is wrong */
    UPDATE_E_KEY = 6,       /* signed with another key */
    UPDATE_E_LINK = 7,      /* linked for another address: the other image of the pair */
    UPDATE_E_BOARD = 8,     /* made for another board */
    UPDATE_E_COUNTER = 9,   /* its security counter is below that of what was confirmed before */
    UPDATE_E_KIND = 10,     /* a model in a firmware slot, or the other way round */
    UPDATE_E_UNFIT = 11,    /* needs kernels, memory or a plan version that a firmware lacks */
    UPDATE_E_PLAN = 12,     /* the engine has refused the plan */
    UPDATE_E_REPLACED = 13, /* the slot holds another image than the one that was meant */
    /* The run ended without a confirmation. */
    UPDATE_E_POWER = 16,     /* power loss: RAM did not survive */
    UPDATE_E_RESET = 17,     /* a reset that nobody has explained */
    UPDATE_E_WATCHDOG = 18,  /* it hung, or did not confirm in time */
    UPDATE_E_FAULT = 19,     /* an exception; detail: PC and LR */
    UPDATE_E_SELF_TEST = 20, /* the application's own self-test failed */
    UPDATE_E_QUALITY = 21,   /* a quality gate has decided against it */
    UPDATE_E_USER = 22,      /* somebody asked for it */
    UPDATE_E_RESTART = 23,   /* it was asked to restart before it had confirmed itself */
    /* A request cannot be carried out. */
    UPDATE_E_BUSY = 32,    /* the slot is running, confirmed or on trial */
    UPDATE_E_FLASH = 33,   /* the flash reports an error */
    UPDATE_E_ORDER = 34,   /* no upload is open, or not of these bytes */
    UPDATE_E_NOTHING = 35, /* there is nothing to confirm or to go back from */
} update_reason_t;

#endif
