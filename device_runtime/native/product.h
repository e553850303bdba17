/* int8 x int8 -> int32 over the tiles of a matrix, written once over the registers of a processor.
 *
 * A kernel defines, before it includes this file: BLOCKS, how many blocks of 16 rows share one load of the input; the
 * types `sum16` and `sum8` (the sums of 16 and of 8 rows), `input16` and `input8` (4 inputs, repeated for each row)
 * and `codes` (the codebook); start16, start8, load16, load8, dot16, dot8, store16, store8, load_codes; `prepare`
 * (the inputs in the form that load16 takes, perhaps written to `room`) and `gather_pairs`.
 */

#include <string.h>

#define ALWAYS_INLINE static inline __attribute__((always_inline))

/* `count` blocks of 16 rows from `block` on; sums of several blocks hide the latency of one. */
ALWAYS_INLINE void dense_rows(const matrix *m, const uint8_t *q, int32_t *acc, uint32_t block, int count, bool is_4bit) {
    const size_t tile = is_4bit ? DENSE_ROWS * TILE_COLUMNS / 2 : DENSE_ROWS * TILE_COLUMNS;
    const size_t stride = tile * m->tiles_per_block;
    const uint8_t *tiles = m->tiles + block * stride;
    const codes book = load_codes(m->codebook);
    sum16 sum[BLOCKS];
    for (int i = 0; i < count; i++) {
        sum[i] = start16(m, DENSE_ROWS * (block + i));
    }
    for (uint32_t group = 0; group < m->tiles_per_block; group++) {
        const input16 x = load16(q + TILE_COLUMNS * group);
        for (int i = 0; i < count; i++) {
            sum[i] = dot16(sum[i], tiles + i * stride + group * tile, x, book, is_4bit);
        }
    }
    for (int i = 0; i < count; i++) {
        store16(acc + DENSE_ROWS * (block + i), sum[i]);
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

ALWAYS_INLINE uint32_t index_at(const matrix *m, size_t at) {
    uint16_t wide;
    if (m->index_bytes == 1) {
        return m->indices[at];
    }
    memcpy(&wide, m->indices + 2 * at, 2);
    return wide;
}

/* The inputs that the tiles of a sparse matrix meet, in their order: 4 for each tile. */
static void gather(const matrix *m, const uint8_t *q, uint8_t *gathered) {
    if (m->block_columns == 2 && gather_pairs(m, q, gathered)) {
        return;
    }
    size_t width = m->block_columns, count = (size_t)m->tile_count * (TILE_COLUMNS / width);
    if (width == 1) {
        for (size_t i = 0; i < count; i++) {
            gathered[i] = q[index_at(m, i)];
        }
    } else if (width == 2) {
        for (size_t i = 0; i < count; i++) {
            memcpy(gathered + 2 * i, q + 2 * index_at(m, i), 2);
        }
    } else {
        for (size_t i = 0; i < count; i++) {
            memcpy(gathered + 4 * i, q + 4 * index_at(m, i), 4);
        }
    }
}

ALWAYS_INLINE void sparse_product(const matrix *m, const uint8_t *gathered, int32_t *acc, bool is_4bit) {
    const size_t tile = is_4bit ? SPARSE_ROWS * TILE_COLUMNS / 2 : SPARSE_ROWS * TILE_COLUMNS;
    const uint8_t *tiles = m->tiles;
    const codes book = load_codes(m->codebook);
    for (uint32_t block = 0; block < m->row_blocks; block++) {
        sum8 sum = start8(m, SPARSE_ROWS * block);
        for (uint32_t left = m->tile_counts[block]; left > 0; left--) {
            sum = dot8(sum, tiles, load8(gathered), book, is_4bit);
            tiles += tile;
            gathered += TILE_COLUMNS;
        }
        store8(acc + SPARSE_ROWS * block, sum);
    }
}

static void product(const matrix *m, const int8_t *q, int32_t *acc, uint8_t *room) {
    const uint8_t *x = prepare(q, m->columns, room);
    if (m->is_sparse) {
        uint8_t *gathered = room + MAX_COLUMNS + SLACK;
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
