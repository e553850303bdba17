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
    uint8x16x4_t table[MAX_TABLES];
    for (int i = 0; i < tables; i++) {
        table[i] = vld1q_u8_x4(q + IN_TABLE * i);
    }
    const uint8_t *restrict at = m->indices, *end = at + count;
    for (; at < end; at += 32, gathered += 32 * width) { /* 32 at a time, of which the last may be none of them */
        for (int half = 0; half < 2; half++) {
            const uint8x16_t first = vmulq_u8(vld1q_u8(at + 16 * half), vdupq_n_u8(width));
            uint8x16_t places[4] = {first};
            if (width > 1) {
                const uint8x16_t second = vorrq_u8(first, vdupq_n_u8(1));
                places[0] = vzip1q_u8(first, second), places[1] = vzip2q_u8(first, second);
            }
            if (width > 2) { /* pairs of pairs */
                const uint16x8_t low = vreinterpretq_u16_u8(places[0]), high = vreinterpretq_u16_u8(places[1]);
                const uint16x8_t two = vdupq_n_u16(0x0202);
                places[0] = vreinterpretq_u8_u16(vzip1q_u16(low, vorrq_u16(low, two)));
                places[1] = vreinterpretq_u8_u16(vzip2q_u16(low, vorrq_u16(low, two)));
                places[2] = vreinterpretq_u8_u16(vzip1q_u16(high, vorrq_u16(high, two)));
                places[3] = vreinterpretq_u8_u16(vzip2q_u16(high, vorrq_u16(high, two)));
            }
            for (int part = 0; part < width; part++) {
                uint8x16_t found = vqtbl4q_u8(table[0], places[part]);
                for (int next = 1; next < tables; next++) {
                    const uint8x16_t there = vsubq_u8(places[part], vdupq_n_u8((uint8_t)(IN_TABLE * next)));
                    found = vqtbx4q_u8(found, table[next], there);
                }
                vst1q_u8(gathered + 16 * (half * width + part), found);
            }
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
