/* The tiles of a matrix, value by value: for plain C, and for the checks of a file. file.c says how they lie. */
#ifndef TINYRNN_TILES_H
#define TINYRNN_TILES_H

#include <string.h>

#include "model.h"

/* Value `at` of a tile: in 4 bits the first half lies in the low nibbles, the second in the high ones. */
static inline int32_t value_at(const matrix *m, size_t tile, uint32_t at) {
    if (!m->is_four_bit) {
        return (int8_t)m->tiles[tile * TILE + at];
    }
    const uint8_t *half = m->tiles + tile * (TILE / 2);
    return m->codebook[at < TILE / 2 ? half[at] & 15 : half[at - TILE / 2] >> 4];
}

/* Which column of the matrix a column of a tile is. */
static inline uint32_t column_of(const matrix *m, size_t tile, uint32_t column) {
    if (!m->is_sparse) {
        return (uint32_t)(tile % m->tiles_per_block) * m->tile_columns + column;
    }
    const size_t at = tile * (m->tile_columns / m->block_columns) + column / m->block_columns;
    uint16_t index = m->indices[at * m->index_bytes];
    if (m->index_bytes == 2) {
        memcpy(&index, m->indices + 2 * at, 2);
    }
    return index * m->block_columns + column % m->block_columns;
}

/* Each block has all columns, in their order: few rows may be stored so. Their inputs need no looking up. */
static inline bool has_all_columns(const matrix *m) {
    const uint32_t wide = m->tile_columns, columns = wide * m->tiles_per_block;
    bool has_all = m->tile_count == m->row_blocks * m->tiles_per_block;
    for (uint32_t at = 0; has_all && at < wide * m->tile_count; at++) {
        has_all = at % columns >= m->columns || column_of(m, at / wide, at % wide) == at % columns;
    }
    return has_all;
}

#endif
