/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The torpor authors
 *
 * What the generated resolver.cc provides: which operators of TensorFlow Lite Micro this firmware
 * has. The C part needs nothing of TensorFlow Lite Micro.
 *
 * resolver.cc includes this header, so that both definitions get the linkage declared here.
 */
#ifndef INFER_TFLM_RESOLVER_H
#define INFER_TFLM_RESOLVER_H

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Bits as in header.kernels of a plan: registration `number` of host/torpor/plan/tflm.toml is bit
 * (number % 32) of word (number / 32). Who has CONV_2D has the bit of CONV_2D_INT8 too. */
extern const uint32_t tflm_registrations[4];

#ifdef __cplusplus
}

namespace tflite
{
class MicroOpResolver;
}

/* The one resolver, with all registrations of `tflm_registrations`. It is built at the first call;
 * no constructor runs before main(). */
const tflite::MicroOpResolver &tflm_resolver();
#endif

#endif
