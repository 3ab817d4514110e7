/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The torpor authors
 *
 * Of the stand-in: in classes with a virtual destructor, so that nothing refers to a heap.
 */
#pragma once

#define TF_LITE_REMOVE_VIRTUAL_DELETE                                                              \
    void operator delete(void *)                                                                   \
    {                                                                                              \
    }
