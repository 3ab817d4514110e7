/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The torpor authors
 *
 * RESIZE_NEAREST_NEIGHBOR: the compiler has found which row and column each one is made of.
 */
#include <string.h>

#include "infer/kernel.h"
#include "infer/ops/ops.h"

static void resize_nearest_neighbor_run(const infer_t *model, const plan_op_t *op)
{
    const plan_resize_nearest_neighbor_t *c = (const plan_resize_nearest_neighbor_t *)op;
    const uint8_t *x = (const uint8_t *)infer_tensor(model, c->x);
    uint8_t *y = (uint8_t *)infer_tensor(model, c->y);
    const uint16_t *rows = (const uint16_t *)infer_data(model->plan, c->constant);
    const uint16_t *columns = rows + c->out_h;
    uint32_t x_row = c->in_w * c->pixel;
    for (uint32_t batch = 0; batch < c->batches; batch++) {
        for (uint32_t i = 0; i < c->out_h; i++) {
            for (uint32_t j = 0; j < c->out_w; j++) {
                memcpy(y, x + rows[i] * x_row + columns[j] * c->pixel, c->pixel);
                y += c->pixel;
            }
        }
        x += c->in_h * x_row;
    }
}

const infer_kernel_t infer_resize_nearest_neighbor = {
    .words = sizeof(plan_resize_nearest_neighbor_t) / 4,
    .flags = 0,
    .check = infer_check_resize_nearest_neighbor,
    .overlap = infer_overlap_never,
    .run = resize_nearest_neighbor_run,
};
