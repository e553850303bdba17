/* In which order the blocks of a sparse matrix are multiplied: those with as many tiles follow one another, so that
 * nobody has to look how many come next. The weights stay where they lie. */
#include "tiles.h"

static bool takes_columns(const kernel *k, const matrix *m) { return k->takes_columns && m->columns <= 256; }

static size_t runs_bytes(const matrix *m) {
    const size_t runs = m->tiles_per_block + 1;
    return sizeof(run) * (runs + 1) + sizeof(place) * (m->row_blocks + runs);
}

size_t tinyrnn_plan_bytes(const kernel *k, const matrix *m) {
    const size_t columns = takes_columns(k, m) ? round_up(m->tile_count * m->tile_columns, SLACK) : 0;
    return m->is_sparse ? runs_bytes(m) + columns : 0;
}

static place *add_run(const matrix *m, uint32_t tiles, run *to, place *places) {
    const size_t tile_bytes = m->is_four_bit ? TILE / 2 : TILE;
    uint32_t tile = 0;
    *to = (run){tiles, 0, places};
    for (uint32_t block = 0; block < m->row_blocks; tile += m->tile_counts[block], block++) {
        if (m->tile_counts[block] == tiles) {
            const uint32_t input = m->is_gathered ? tile * m->tile_columns : 0;
            places[to->blocks++] = (place){m->tiles + tile * tile_bytes, input, block * m->tile_rows};
        }
    }
    if (to->blocks % 2 != 0) { /* low blocks go in pairs: an odd one is done twice */
        places[to->blocks] = places[to->blocks - 1];
    }
    return places + round_up(to->blocks, 2);
}

/* Which input each column of a tile meets, with zeros up to a whole SLACK: indices that stand for several columns would
 * have to be taken apart in every step. */
static void name_columns(matrix *m, uint8_t *to) {
    const size_t count = m->tile_count * m->tile_columns;
    for (size_t at = 0; at < count; at++) {
        to[at] = (uint8_t)column_of(m, at / m->tile_columns, (uint32_t)(at % m->tile_columns));
    }
    memset(to + count, 0, round_up(count, SLACK) - count);
    m->input_columns = to;
}

void tinyrnn_plan(const kernel *k, matrix *m, void *to) {
    if (!m->is_sparse) {
        return;
    }
    run *next = to;
    place *places = (place *)(void *)(next + m->tiles_per_block + 2);
    m->runs = next;
    m->is_gathered = !has_all_columns(m);
    for (uint32_t tiles = 0; tiles <= m->tiles_per_block; tiles++) {
        places = add_run(m, tiles, next, places);
        next += next->blocks > 0;
    }
    *next = (run){0, 0, places};
    if (m->is_gathered && takes_columns(k, m)) {
        name_columns(m, (uint8_t *)to + runs_bytes(m));
    }
}
