/* One matrix of model.native: file.c says how it lies there. */
#include <math.h>

#include "file.h"
#include "tiles.h"

const float *read_floats(const file *f, const char *name, uint32_t at, uint32_t count) {
    const float *values = (const float *)(const void *)section(f, name, at, 4 * ((uint64_t)count + SLACK_ROWS), 4);
    for (uint32_t i = 0; values != NULL && i < count; i++) {
        if (!(fabsf(values[i]) <= 1e6f)) {
            refuse(f, "%s must hold finite numbers up to 1e6", name);
            return NULL;
        }
    }
    return values;
}

static bool read_sparse(const file *f, size_t at, matrix *m) {
    const uint32_t width = m->block_columns, per_tile = m->tile_columns / width;
    const uint32_t of_blocks = (m->columns + width - 1) / width;
    m->tile_counts = (const uint16_t *)(const void *)section(f, "tile_counts", uint32_at(f, at + 20),
                                                             2 * (uint64_t)m->row_blocks, 2);
    const uint64_t index_bytes = (uint64_t)m->tile_count * per_tile * m->index_bytes;
    m->indices = section(f, "indices", uint32_at(f, at + 24), index_bytes + FILE_SLACK, 1);
    if (m->tile_counts == NULL || m->indices == NULL) {
        return false;
    }
    m->tiles_per_block = (of_blocks + per_tile - 1) / per_tile;
    uint64_t counted = 0;
    for (uint32_t block = 0; block < m->row_blocks; block++) {
        if (m->tile_counts[block] > m->tiles_per_block) {
            return refuse(f, "tile_counts holds %u, but %u rows have at most %u tiles",
                          (unsigned)m->tile_counts[block], (unsigned)m->tile_rows, (unsigned)m->tiles_per_block);
        }
        counted += m->tile_counts[block];
    }
    if (counted != m->tile_count) {
        return refuse(f, "tile_counts adds up to %llu, but tile_count is %lu", (unsigned long long)counted,
                      (unsigned long)m->tile_count);
    }
    for (size_t i = 0; i < (size_t)m->tile_count * per_tile; i++) {
        uint16_t index = m->indices[i * m->index_bytes];
        if (m->index_bytes == 2) {
            memcpy(&index, m->indices + 2 * i, 2);
        }
        if (index >= of_blocks) {
            return refuse(f, "indices holds %u, but there are %u blocks of columns", (unsigned)index,
                          (unsigned)of_blocks);
        }
    }
    return true;
}

static bool read_codebook(const file *f, size_t at, matrix *m) {
    memcpy(m->codebook, f->bytes + at + 40, sizeof m->codebook);
    int largest = 0, largest_step = 1;
    for (int i = 0; i < 16; i++) {
        int size = m->codebook[i] < 0 ? -m->codebook[i] : m->codebook[i];
        largest = size > largest ? size : largest;
    }
    uint32_t steps_at = uint32_at(f, at + 28);
    if (steps_at != 0) {
        m->steps = section(f, "steps", steps_at, m->rows, 1);
        for (uint32_t row = 0; m->steps != NULL && row < m->rows; row++) {
            largest_step = m->steps[row] > largest_step ? m->steps[row] : largest_step;
        }
    }
    if (largest * largest_step > 128) {
        return refuse(f, "codebook and steps make weights up to %d; int8 takes 128", largest * largest_step);
    }
    return steps_at == 0 || m->steps != NULL;
}

/* Weights that meet no input must be zeros: what a kernel has there, past the end of its inputs, may be anything. */
static bool check_padding(const file *f, const matrix *m) {
    const uint32_t wide = m->tile_columns, unit = m->is_sparse ? m->block_columns : wide;
    for (uint32_t at = 0; m->columns % unit != 0 && at < m->tile_count * wide; at++) {
        const uint32_t column = column_of(m, at / wide, at % wide);
        for (uint32_t row = 0; column >= m->columns && row < TILE / wide; row++) {
            if (value_at(m, at / wide, wide * row + at % wide) != 0) {
                return refuse(f, "a weight is in column %lu of a matrix of %lu columns", (unsigned long)column + 1,
                              (unsigned long)m->columns);
            }
        }
    }
    return true;
}

/* A column that came twice in the same rows would be two weights in one place. */
static bool check_columns(const file *f, const matrix *m) {
    for (uint32_t block = 0, tile = 0; m->is_sparse && block < m->row_blocks; block++) {
        uint8_t seen[MAX_COLUMNS + 4] = {0};
        const uint32_t wide = m->tile_columns, here = m->tile_counts[block];
        for (uint32_t at = wide * tile; at < wide * (tile + here); at++) {
            bool holds = false;
            for (uint32_t row = 0; row < m->tile_rows; row++) {
                holds = holds || value_at(m, at / wide, wide * row + at % wide) != 0;
            }
            uint8_t *column = &seen[column_of(m, at / wide, at % wide)];
            if (holds && (*column)++ > 0) {
                return refuse(f, "indices names a column twice in the same %lu rows", (unsigned long)m->tile_rows);
            }
        }
        tile += here;
    }
    return true;
}

bool read_matrix(const file *f, size_t at, matrix *m) {
    const uint8_t *kind = f->bytes + at + 8;
    m->rows = uint32_at(f, at), m->columns = uint32_at(f, at + 4);
    m->is_sparse = kind[0] != 0, m->is_four_bit = kind[1], m->block_columns = kind[2], m->index_bytes = kind[3];
    m->tile_count = uint32_at(f, at + 12);
    if (m->rows < 1 || m->rows > MAX_VALUES || m->columns < 1 || m->columns > MAX_COLUMNS) {
        return refuse(f, "a matrix has %lu rows and %lu columns; it takes 1 to %d and 1 to %d", (unsigned long)m->rows,
                      (unsigned long)m->columns, MAX_VALUES, MAX_COLUMNS);
    }
    bool is_known = (kind[0] == 0 || kind[0] == LOW_ROWS || kind[0] == HIGH_ROWS) && kind[1] <= 1 &&
                    (m->is_sparse || (kind[2] == 0 && kind[3] == 0));
    if (m->is_sparse) {
        is_known = is_known && (kind[2] == 1 || kind[2] == 2 || kind[2] == 4) && (kind[3] == 1 || kind[3] == 2);
    }
    if (!is_known) {
        return refuse(f, "a matrix is stored as %u.%u.%u.%u, which this engine does not know", kind[0], kind[1],
                      kind[2], kind[3]);
    }
    m->tile_rows = kind[0] == LOW_ROWS ? LOW_ROWS : HIGH_ROWS, m->tile_columns = TILE / m->tile_rows;
    m->row_blocks = (m->rows + m->tile_rows - 1) / m->tile_rows;
    if (m->is_sparse) {
        if (!read_sparse(f, at, m)) {
            return false;
        }
    } else {
        m->tiles_per_block = (m->columns + HIGH_COLUMNS - 1) / HIGH_COLUMNS;
        if (m->tile_count != m->row_blocks * m->tiles_per_block) {
            return refuse(f, "tile_count is %lu, but %lu x %lu weights take %lu", (unsigned long)m->tile_count,
                          (unsigned long)m->rows, (unsigned long)m->columns,
                          (unsigned long)(m->row_blocks * m->tiles_per_block));
        }
    }
    if (m->is_four_bit && !read_codebook(f, at, m)) {
        return false;
    }
    uint64_t tile_bytes = m->is_four_bit ? TILE / 2 : TILE;
    m->tiles = section(f, "tiles", uint32_at(f, at + 16), tile_bytes * m->tile_count, 1);
    m->scale = m->tiles == NULL ? NULL : read_floats(f, "scales", uint32_at(f, at + 32), m->rows);
    m->bias = m->scale == NULL ? NULL : read_floats(f, "biases", uint32_at(f, at + 36), m->rows);
    return m->bias != NULL && check_padding(f, m) && check_columns(f, m);
}
