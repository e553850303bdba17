/* Zeros that do not pay: a sparse matrix that the kernel would multiply slower than a dense one becomes dense.
 *
 * The rule counts in tenths of the time of a dense tile: what a sparse tile costs, what each block of rows costs on
 * top, and each column that is looked up alone, because there are more of them than the kernel looks up at once. Each
 * kernel states its own (low: blocks of 8 rows, high: of 16), measured at 64, 128 and 256 units with 25 to 75 % zeros.
 */
#include <string.h>

#include "tiles.h"

static uint64_t dense_tiles(const matrix *m) {
    return (uint64_t)((m->rows + HIGH_ROWS - 1) / HIGH_ROWS) * ((m->columns + HIGH_COLUMNS - 1) / HIGH_COLUMNS);
}

static bool pays(const kernel *k, const matrix *m) {
    const sparse_cost *cost = m->tile_rows == HIGH_ROWS ? &k->high : &k->low;
    const bool is_alone = m->columns > k->columns_at_once * m->block_columns;
    const uint64_t lookups = is_alone ? (uint64_t)m->tile_count * (m->tile_columns / m->block_columns) : 0;
    if (has_all_columns(m)) { /* none is looked up, and rows that fill a dense matrix up are not there */
        return 10 * (uint64_t)m->tile_count + (uint64_t)cost->block * m->row_blocks <= 10 * dense_tiles(m);
    }
    return (uint64_t)cost->tile * m->tile_count + (uint64_t)cost->block * m->row_blocks + cost->lookup * lookups <=
           10 * dense_tiles(m);
}

size_t tinyrnn_spread_bytes(const kernel *k, const matrix *m) {
    return !m->is_sparse || pays(k, m) ? 0 : (size_t)dense_tiles(m) * TILE;
}

static void spread_tile(const matrix *m, size_t tile, uint32_t block, uint32_t across, uint8_t *to) {
    for (uint32_t column = 0; column < m->tile_columns; column++) {
        const uint32_t at = column_of(m, tile, column);
        for (uint32_t i = 0; at < m->columns && i < m->tile_rows; i++) {
            const int32_t weight = value_at(m, tile, i * m->tile_columns + column);
            const uint32_t row = block * m->tile_rows + i;
            const size_t dense = (size_t)(row / HIGH_ROWS) * across + at / HIGH_COLUMNS;
            if (weight != 0) { /* what fills a tile up is zero, in a column that may be there already */
                to[dense * TILE + row % HIGH_ROWS * HIGH_COLUMNS + at % HIGH_COLUMNS] = (uint8_t)weight;
            }
        }
    }
}

void tinyrnn_spread(matrix *m, uint8_t *to) {
    const uint32_t across = (m->columns + HIGH_COLUMNS - 1) / HIGH_COLUMNS;
    const uint32_t high = (m->rows + HIGH_ROWS - 1) / HIGH_ROWS;
    memset(to, 0, (size_t)high * across * TILE);
    for (uint32_t block = 0, tile = 0; block < m->row_blocks; block++) {
        for (uint32_t i = 0; i < m->tile_counts[block]; i++, tile++) {
            spread_tile(m, tile, block, across, to);
        }
    }
    m->is_sparse = m->is_four_bit = false;
    m->tile_rows = HIGH_ROWS, m->tile_columns = HIGH_COLUMNS;
    m->row_blocks = high, m->tiles_per_block = across, m->tile_count = high * across;
    m->tiles = to;
}
