/* Inputs by their columns on aarch64, 16 at once out of tables of 64: what lies outside of its table gives 0, or keeps
 * what was found before. What lies behind the inputs and the indices is read with them, and not used. */
#ifndef TINYRNN_GATHER_NEON_H
#define TINYRNN_GATHER_NEON_H

#include <arm_neon.h>

#include "model.h"

static inline bool gather_fast(const matrix *m, size_t count, const uint8_t *q, uint8_t *gathered) {
    if (m->block_columns > 1 || m->columns > 128) {
        return false;
    }
    const uint8x16x4_t low = vld1q_u8_x4(q), high = vld1q_u8_x4(q + 64);
    for (size_t i = 0; i < count; i += 16) {
        const uint8x16_t index = vld1q_u8(m->indices + i);
        const uint8x16_t lower = vqtbl4q_u8(low, index);
        vst1q_u8(gathered + i, vqtbx4q_u8(lower, high, vsubq_u8(index, vdupq_n_u8(64))));
    }
    return true;
}

#endif
