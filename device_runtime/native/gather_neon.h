/* Inputs by their columns on aarch64, 16 at once out of tables of 64: what lies outside of its table gives 0, or keeps
 * what was found before. What lies behind the inputs and the indices is read with them, and not used. */
#ifndef TINYRNN_GATHER_NEON_H
#define TINYRNN_GATHER_NEON_H

#include <arm_neon.h>

#include "gather.h"

enum { IN_TABLE = 64, MAX_TABLES = 4 };

/* `width` inputs for each index; so many tables hold them all. */
ALWAYS_INLINE void gather_out_of(const matrix *m, size_t count, const uint8_t *restrict q, uint8_t *restrict gathered,
                                 uint8_t width, int tables) {
    static const uint8_t lane[16] = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15};
    const uint8x16_t lanes = vld1q_u8(lane), within = vandq_u8(lanes, vdupq_n_u8(width - 1));
    const int8x16_t shift = vdupq_n_s8(width == 1 ? 0 : width == 2 ? -1 : -2); /* from lanes to indices */
    uint8x16x4_t table[MAX_TABLES];
    for (int i = 0; i < tables; i++) {
        table[i] = vld1q_u8_x4(q + IN_TABLE * i);
    }
    for (size_t i = 0; i < count; i += 16) {
        const uint8x16_t first = vmulq_u8(vld1q_u8(m->indices + i), vdupq_n_u8(width));
        for (uint8_t part = 0; part < width; part++, gathered += 16) {
            const uint8x16_t of = vshlq_u8(vaddq_u8(lanes, vdupq_n_u8((uint8_t)(16 * part))), shift);
            const uint8x16_t at = width == 1 ? first : vorrq_u8(vqtbl1q_u8(first, of), within);
            uint8x16_t found = vqtbl4q_u8(table[0], at);
            for (int next = 1; next < tables; next++) {
                found = vqtbx4q_u8(found, table[next], vsubq_u8(at, vdupq_n_u8((uint8_t)(IN_TABLE * next))));
            }
            vst1q_u8(gathered, found);
        }
    }
}

ALWAYS_INLINE void gather_by(const matrix *m, size_t count, const uint8_t *q, uint8_t *gathered, uint8_t width) {
    switch ((m->columns + IN_TABLE - 1) / IN_TABLE) {
    case 1: gather_out_of(m, count, q, gathered, width, 1); break;
    case 2: gather_out_of(m, count, q, gathered, width, 2); break;
    case 3: gather_out_of(m, count, q, gathered, width, 3); break;
    default: gather_out_of(m, count, q, gathered, width, MAX_TABLES); break;
    }
}

static inline bool gather_fast(const matrix *m, size_t count, const uint8_t *q, uint8_t *gathered) {
    if (m->columns > IN_TABLE * MAX_TABLES) {
        return false;
    }
    switch (m->block_columns) {
    case 1: gather_by(m, count, q, gathered, 1); break;
    case 2: gather_by(m, count, q, gathered, 2); break;
    default: gather_by(m, count, q, gathered, 4); break;
    }
    return true;
}

#endif
