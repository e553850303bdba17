/* int8 x int8 -> int32 over the tiles of a matrix, written once over the registers of a processor.
 *
 * A kernel defines, before it includes this file: BLOCKS, how many blocks of 16 rows share one load of the input; the
 * types `sums` (of the rows of a tile), `inputs` (4 or 8 of them, repeated over a tile) and `codes` (the codebook); and
 * start, no_sums, load_4, load_8, dot, store_dense, store_sparse, load_codes, gather_pairs. A sparse tile has half the
 * rows of a dense one and twice the columns: two neighbouring sums of it are of one row, and are folded when stored.
 */

#include <string.h>

#define ALWAYS_INLINE static inline __attribute__((always_inline))

/* `count` blocks of 16 rows from `block` on; sums of several blocks hide the latency of one. */
ALWAYS_INLINE void dense_rows(const matrix *m, const uint8_t *q, int32_t *acc, uint32_t block, uint32_t count,
                              bool is_4bit) {
    const size_t tile = is_4bit ? TILE / 2 : TILE, stride = tile * m->tiles_per_block;
    const uint8_t *tiles = m->tiles + block * stride;
    const codes book = load_codes(m->codebook);
    sums sum[BLOCKS];
    for (uint32_t i = 0; i < count; i++) {
        sum[i] = start(m, DENSE_ROWS * (block + i));
    }
    for (uint32_t group = 0; group < m->tiles_per_block; group++) {
        const inputs x = load_4(q + DENSE_COLUMNS * group);
        for (uint32_t i = 0; i < count; i++) {
            sum[i] = dot(sum[i], tiles + i * stride + group * tile, x, book, is_4bit);
        }
    }
    for (uint32_t i = 0; i < count; i++) {
        store_dense(acc + DENSE_ROWS * (block + i), sum[i]);
    }
}

ALWAYS_INLINE void dense_product(const matrix *m, const uint8_t *q, int32_t *acc, bool is_4bit) {
    uint32_t block = 0;
    for (; block + BLOCKS <= m->row_blocks; block += BLOCKS) {
        dense_rows(m, q, acc, block, BLOCKS, is_4bit);
    }
    for (; block < m->row_blocks; block++) {
        dense_rows(m, q, acc, block, 1, is_4bit);
    }
}

/* `width` inputs for each index, tile by tile. What is written overlaps nothing: without that word each index would be
 * looked up through the matrix again. */
ALWAYS_INLINE void gather_each(const uint8_t *restrict indices, size_t tiles, size_t index_bytes, size_t width,
                               const uint8_t *restrict q, uint8_t *restrict gathered) {
    for (; tiles > 0; tiles--) {
        for (size_t i = 0; i < SPARSE_COLUMNS / width; i++) {
            uint16_t index = indices[i * index_bytes];
            if (index_bytes == 2) {
                memcpy(&index, indices + 2 * i, 2);
            }
            memcpy(gathered + width * i, q + width * index, width);
        }
        indices += SPARSE_COLUMNS / width * index_bytes;
        gathered += SPARSE_COLUMNS;
    }
}

/* The inputs that the tiles of a sparse matrix meet, in their order: 8 for each tile. */
static void gather(const matrix *m, const uint8_t *q, uint8_t *gathered) {
    const size_t width = m->block_columns, tiles = m->tile_count;
    if (m->index_bytes == 2) {
        gather_each(m->indices, tiles, 2, width, q, gathered);
    } else if (width == 1) {
        gather_each(m->indices, tiles, 1, 1, q, gathered);
    } else if (width == 4) {
        gather_each(m->indices, tiles, 1, 4, q, gathered);
    } else if (!gather_pairs(m, q, gathered)) {
        gather_each(m->indices, tiles, 1, 2, q, gathered);
    }
}

ALWAYS_INLINE void sparse_product(const matrix *m, const uint8_t *gathered, int32_t *acc, bool is_4bit) {
    const size_t tile = is_4bit ? TILE / 2 : TILE;
    const uint32_t blocks = m->row_blocks;
    const uint16_t *counts = m->tile_counts;
    const uint8_t *tiles = m->tiles;
    const codes book = load_codes(m->codebook);
    for (uint32_t block = 0; block < blocks; block++) {
        sums sum = no_sums();
        for (const uint8_t *end = tiles + counts[block] * tile; tiles < end; tiles += tile) {
            sum = dot(sum, tiles, load_8(gathered), book, is_4bit);
            gathered += SPARSE_COLUMNS;
        }
        store_sparse(m, SPARSE_ROWS * block, acc, sum);
    }
}

static void product(const matrix *m, const int8_t *q, int32_t *acc, uint8_t *gathered) {
    const uint8_t *x = (const uint8_t *)q;
    if (m->is_sparse) {
        gather(m, x, gathered);
        m->is_four_bit ? sparse_product(m, gathered, acc, true) : sparse_product(m, gathered, acc, false);
    } else {
        m->is_four_bit ? dense_product(m, x, acc, true) : dense_product(m, x, acc, false);
    }
    if (m->steps != NULL) {
        for (uint32_t row = 0; row < m->rows; row++) {
            acc[row] *= m->steps[row];
        }
    }
}
