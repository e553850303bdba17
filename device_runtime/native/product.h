/* int8 x int8 -> int32 over the tiles of a matrix, written once over the registers of a processor.
 *
 * A kernel defines, before it includes this file: BLOCKS, how many blocks of 16 rows share one load of the input;
 * CHAINS, 1, or 2 where a dot product takes long; the types `sums` (of the rows of a tile), `inputs` (4 or 8 of them,
 * repeated over a tile) and `codes` (the codebook); and start, no_sums, add_sums, load_4, load_8, dot, store_high,
 * store_folded, load_codes and gather_fast, which may say that it has no fast way for a matrix. It may define
 * FOLDS_PAIRS, and store_low for two blocks of 8 rows instead of store_folded for one; and PAIRS, and dot_pair, which
 * does two tiles for less than twice the work of one: it and dot then move the pointer to the tiles on, CHAINS is 1 and
 * there are no BLOCKS. One whose processors have room for code defines ROOMY: blocks of
 * up to 16 tiles, not 8, and one window alone then have code of their own.
 */

#include <string.h>

#include "gather.h"

/* What a product has yet to do. */
typedef struct {
    const uint8_t *tiles, *gathered;
} rest;

/* Adds up the next `left` tiles in CHAINS sums that do not wait for one another. A jump into the middle of a row of
 * tiles costs less than a loop over the 2 to 8 that a block has. */
ALWAYS_INLINE sums add_tiles(rest *at, uint32_t left, sums first, bool is_low, codes book, bool is_4bit) {
    const size_t tile = is_4bit ? TILE / 2 : TILE, wide = is_low ? LOW_COLUMNS : HIGH_COLUMNS;
    const uint8_t *tiles = at->tiles, *gathered = at->gathered;
    sums sum[2] = {first, no_sums()};
#define INPUTS(i) (is_low ? load_8(gathered + (i) * wide) : load_4(gathered + (i) * wide))
#if defined(PAIRS)
#define ADD_PAIR \
    sum[0] = dot_pair(sum[0], &tiles, gathered, is_low, book, is_4bit), left -= 2, gathered += 2 * wide
    if (left % 2 != 0) { /* first, while the sums are known to be 0 */
        sum[0] = dot(first, &tiles, INPUTS(0), book, is_4bit);
        left -= 1, gathered += wide;
    } else if (left > 0) {
        ADD_PAIR;
    }
    while (left > 8) {
        ADD_PAIR, ADD_PAIR, ADD_PAIR, ADD_PAIR;
    }
    if (left > 6) {
        ADD_PAIR;
    }
    if (left > 4) {
        ADD_PAIR;
    }
    if (left > 2) {
        ADD_PAIR;
    }
    if (left > 0) {
        ADD_PAIR;
    }
#undef ADD_PAIR
#else
#define ADD_TILE(i) \
    sum[(i) % CHAINS] = dot(sum[(i) % CHAINS], tiles + (i) * tile, INPUTS(i), book, is_4bit)
    for (; left > 8; left -= 8, tiles += 8 * tile, gathered += 8 * wide) {
        ADD_TILE(0), ADD_TILE(1), ADD_TILE(2), ADD_TILE(3), ADD_TILE(4), ADD_TILE(5), ADD_TILE(6), ADD_TILE(7);
    }
    switch (left) {
    case 8: ADD_TILE(7); /* fall through */
    case 7: ADD_TILE(6); /* fall through */
    case 6: ADD_TILE(5); /* fall through */
    case 5: ADD_TILE(4); /* fall through */
    case 4: ADD_TILE(3); /* fall through */
    case 3: ADD_TILE(2); /* fall through */
    case 2: ADD_TILE(1); /* fall through */
    case 1: ADD_TILE(0); /* fall through */
    default: break;
    }
#undef ADD_TILE
#endif
#undef INPUTS
    *at = (rest){tiles + left * tile, gathered + left * wide};
    return CHAINS > 1 ? add_sums(sum[0], sum[CHAINS - 1]) : sum[0];
}

#if !defined(PAIRS)
/* `count` blocks of 16 rows from `block` on; sums of several blocks hide the latency of one. */
ALWAYS_INLINE void dense_rows(const matrix *m, const uint8_t *q, int32_t *acc, uint32_t block, uint32_t count,
                              bool is_4bit) {
    const size_t tile = is_4bit ? TILE / 2 : TILE, stride = tile * m->tiles_per_block;
    const uint8_t *tiles = m->tiles + block * stride;
    const codes book = load_codes(m->codebook);
    sums sum[BLOCKS];
    for (uint32_t i = 0; i < count; i++) {
        sum[i] = start(m->row_offset, HIGH_ROWS * (block + i));
    }
    for (uint32_t group = 0; group < m->tiles_per_block; group++) {
        const inputs x = load_4(q + HIGH_COLUMNS * group);
        for (uint32_t i = 0; i < count; i++) {
            sum[i] = dot(sum[i], tiles + i * stride + group * tile, x, book, is_4bit);
        }
    }
    for (uint32_t i = 0; i < count; i++) {
        store_high(acc + HIGH_ROWS * (block + i), sum[i]);
    }
}
#endif

ALWAYS_INLINE void dense_product(const matrix *m, const uint8_t *q, int32_t *acc, bool is_4bit, bool is_back) {
    const size_t stride = (is_4bit ? TILE / 2 : TILE) * (size_t)m->tiles_per_block;
    const codes book = load_codes(m->codebook);
    uint32_t block = 0;
    (void)is_back;
#if !defined(PAIRS)
    const uint32_t whole = m->row_blocks / BLOCKS * BLOCKS;
    for (; block < whole; block += BLOCKS) {
        dense_rows(m, q, acc, is_back ? whole - BLOCKS - block : block, BLOCKS, is_4bit);
    }
#endif
    for (; block < m->row_blocks; block++) {
        rest at = {m->tiles + block * stride, q};
        const sums first = start(m->row_offset, HIGH_ROWS * block);
        store_high(acc + HIGH_ROWS * block, add_tiles(&at, m->tiles_per_block, first, false, book, is_4bit));
    }
}

/* Blocks of 16 rows, each with so many tiles: those of a dense matrix, with the columns that are there. */
ALWAYS_INLINE void high_run(const matrix *m, const run *blocks, uint32_t tiles, const uint8_t *restrict inputs_at,
                            int32_t *restrict acc, bool is_4bit) {
    const int32_t *restrict offset = m->row_offset;
    const codes book = load_codes(m->codebook);
    const place *restrict at = blocks->places;
    for (const place *end = at + blocks->blocks; at < end; at++) {
        rest from = {at->tiles, inputs_at + at->input};
        store_high(acc + at->row, add_tiles(&from, tiles, start(offset, at->row), false, book, is_4bit));
    }
}

/* Blocks of 8 rows: two neighbouring sums are of one row, and are folded when stored. */
ALWAYS_INLINE void low_run(const matrix *m, const run *blocks, uint32_t tiles, const uint8_t *restrict inputs_at,
                           int32_t *restrict acc, bool is_4bit) {
    const codes book = load_codes(m->codebook);
    const place *restrict at = blocks->places;
#if defined(FOLDS_PAIRS)
    const int32_t *restrict offset = m->row_offset;
    for (const place *end = at + blocks->blocks; at < end; at += 2) {
        rest first = {at[0].tiles, inputs_at + at[0].input};
        rest second = {at[1].tiles, inputs_at + at[1].input};
        const sums upper = add_tiles(&first, tiles, no_sums(), true, book, is_4bit);
        const sums lower = add_tiles(&second, tiles, no_sums(), true, book, is_4bit);
        store_low(offset, acc, at[0].row, at[1].row, upper, lower);
    }
#else
    for (const place *end = at + blocks->blocks; at < end; at++) {
        rest from = {at->tiles, inputs_at + at->input};
        store_folded(acc + at->row, add_tiles(&from, tiles, no_sums(), true, book, is_4bit));
    }
#endif
}

ALWAYS_INLINE void sparse_run(const matrix *m, const run *blocks, uint32_t tiles, const uint8_t *inputs_at,
                              int32_t *acc, bool is_low, bool is_4bit) {
    if (is_low) {
        low_run(m, blocks, tiles, inputs_at, acc, is_4bit);
    } else {
        high_run(m, blocks, tiles, inputs_at, acc, is_4bit);
    }
}

/* A loop for each number of tiles that a block mostly has. */
ALWAYS_INLINE void sparse_product(const matrix *m, const uint8_t *inputs_at, int32_t *acc, bool is_low, bool is_4bit) {
#define RUN(tiles) \
    case tiles: sparse_run(m, blocks, tiles, inputs_at, acc, is_low, is_4bit); break
    for (const run *blocks = m->runs; blocks->blocks > 0; blocks++) {
        switch (blocks->tiles) {
            RUN(1);
            RUN(2);
            RUN(3);
            RUN(4);
            RUN(5);
            RUN(6);
            RUN(7);
            RUN(8);
#if defined(ROOMY)
            RUN(9);
            RUN(10);
            RUN(11);
            RUN(12);
            RUN(13);
            RUN(14);
            RUN(15);
            RUN(16);
#endif
        default: sparse_run(m, blocks, blocks->tiles, inputs_at, acc, is_low, is_4bit); break;
        }
    }
#undef RUN
}

/* One window after the other: what the last rows of one write too much, the next one overwrites. Which code a matrix
 * takes is asked once for all of them, unless each has inputs to be looked up. */
#if defined(ROOMY)
ALWAYS_INLINE
#else
static
#endif
void products_of(const matrix *m, const int8_t *q, uint32_t hop, uint32_t windows, int32_t *acc, uint8_t *gathered) {
    const uint32_t rows = m->rows, at_once = m->is_gathered ? 1 : windows;
#define EACH_WINDOW(of_one) \
    for (uint32_t i = 0; i < at_once; i++, x += hop, to += rows) { \
        of_one; \
    } \
    break
    for (uint32_t done = 0; done < windows; done += at_once) {
        const uint8_t *x = (const uint8_t *)q + (size_t)done * hop;
        int32_t *to = acc + (size_t)done * rows;
        if (m->is_gathered) {
            const size_t count = m->tile_count * (m->tile_columns / m->block_columns);
            if (m->index_bytes > 1 || !gather_fast(m, count, x, gathered)) {
                gather(m, count, x, gathered);
            }
            x = gathered;
        }
        switch ((m->is_sparse ? m->tile_rows : 0) + m->is_four_bit) {
        case HIGH_ROWS: EACH_WINDOW(sparse_product(m, x, to, false, false));
        case HIGH_ROWS + 1: EACH_WINDOW(sparse_product(m, x, to, false, true));
        case LOW_ROWS: EACH_WINDOW(sparse_product(m, x, to, true, false));
        case LOW_ROWS + 1: EACH_WINDOW(sparse_product(m, x, to, true, true));
        case 0: EACH_WINDOW(dense_product(m, x, to, false, false));
        default: EACH_WINDOW(dense_product(m, x, to, true, false));
        }
    }
#undef EACH_WINDOW
    for (uint32_t window = 0; m->steps != NULL && window < windows; window++, acc += rows) {
        for (uint32_t row = 0; row < rows; row++) {
            acc[row] *= m->steps[row];
        }
    }
}

static void products(const matrix *m, const int8_t *q, uint32_t hop, uint32_t windows, int32_t *acc,
                     uint8_t *gathered) {
    products_of(m, q, hop, windows, acc, gathered);
}

static void product(const matrix *m, const int8_t *q, int32_t *acc, uint8_t *gathered) {
    products_of(m, q, 0, 1, acc, gathered);
}

#if !defined(PAIRS)
/* The same, but weights of 8 bits from the last rows to the first: in turns with the other way, what is still in the
 * first cache is used again before it is overwritten. */
static void product_back(const matrix *m, const int8_t *q, int32_t *acc, uint8_t *gathered) {
    if (m->is_sparse || m->is_four_bit || m->steps != NULL) {
        product(m, q, acc, gathered);
    } else {
        dense_product(m, (const uint8_t *)q, acc, false, true);
    }
}
#endif
