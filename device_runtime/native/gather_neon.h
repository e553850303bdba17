/* Inputs by their columns on aarch64, 16 at once out of tables of 64: what lies outside of its table gives 0, or keeps
 * what was found before. What lies behind the inputs and the indices is read with them, and not used. */
#ifndef TINYRNN_GATHER_NEON_H
#define TINYRNN_GATHER_NEON_H

#include <arm_neon.h>

#include "gather.h"

enum { IN_TABLE = 64, MAX_TABLES = 4 };

ALWAYS_INLINE void gather_out_of(const matrix *m, size_t count, const uint8_t *restrict q, uint8_t *restrict gathered,
                                 int tables) {
    uint8x16x4_t table[MAX_TABLES];
    for (int i = 0; i < tables; i++) {
        table[i] = vld1q_u8_x4(q + IN_TABLE * i);
    }
    const uint8_t *restrict at = m->input_columns, *end = at + count;
    for (; at < end; at += 64, gathered += 64) { /* 64 at a time, of which the last may be none of them */
        const uint8x16x4_t columns = vld1q_u8_x4(at);
        uint8x16x4_t found;
        for (int i = 0; i < 4; i++) {
            found.val[i] = vqtbl4q_u8(table[0], columns.val[i]);
            for (int next = 1; next < tables; next++) {
                const uint8x16_t there = vsubq_u8(columns.val[i], vdupq_n_u8((uint8_t)(IN_TABLE * next)));
                found.val[i] = vqtbx4q_u8(found.val[i], table[next], there);
            }
        }
        vst1q_u8_x4(gathered, found);
    }
}

static inline bool gather_fast(const matrix *m, size_t count, const uint8_t *q, uint8_t *gathered) {
    if (m->input_columns == NULL) {
        return false;
    }
    count *= m->block_columns;
    switch ((m->columns + IN_TABLE - 1) / IN_TABLE) {
    case 1: gather_out_of(m, count, q, gathered, 1); break;
    case 2: gather_out_of(m, count, q, gathered, 2); break;
    case 3: gather_out_of(m, count, q, gathered, 3); break;
    default: gather_out_of(m, count, q, gathered, MAX_TABLES); break;
    }
    return true;
}

#endif
