/* Plain C: for every processor, and the second opinion on every other kernel. */
#include <math.h>
#include <string.h>

#include "model.h"

#define LANES 1
typedef float lanes;
typedef int32_t whole;
static inline lanes load(const float *v) { return *v; }
static inline void store(float *to, lanes v) { *to = v; }
static inline lanes set(float v) { return v; }
static inline lanes add(lanes a, lanes b) { return a + b; }
static inline lanes sub(lanes a, lanes b) { return a - b; }
static inline lanes mul(lanes a, lanes b) { return a * b; }
static inline lanes round_down(lanes v) { return floorf(v); }
static inline lanes from_int32(const int32_t *v) { return (float)*v; }
static inline lanes to_float(whole v) { return (float)v; }
static inline void store_int8(int8_t *to, whole v) { *to = (int8_t)v; }

static inline whole whole_within(lanes v, int32_t low, int32_t high) {
    v = v > (float)low ? v : (float)low; /* false for NaN */
    v = v < (float)high ? v : (float)high;
    whole towards_zero = (whole)v;
    return towards_zero - ((float)towards_zero > v);
}

static inline lanes lookup(const int16_t *middle, whole at) { return (float)middle[at] * (1.0f / 32768); }

#include "gates.h"

/* The weights of a tile in 4 bits: the first half lies in the low nibbles, the second in the high ones. */
static void unpack(const int8_t *codebook, const uint8_t *packed, int8_t *weights) {
    for (int i = 0; i < TILE / 2; i++) {
        weights[i] = codebook[packed[i] & 15];
        weights[TILE / 2 + i] = codebook[packed[i] >> 4];
    }
}

/* The inputs that a sparse tile meets. */
static void gather(const matrix *m, size_t tile, const int8_t *q, int8_t *x) {
    const uint32_t width = m->block_columns;
    const uint8_t *indices = m->indices + tile * (SPARSE_COLUMNS / width) * m->index_bytes;
    for (int8_t *end = x + SPARSE_COLUMNS; x < end; indices += m->index_bytes) {
        uint16_t index = indices[0];
        if (m->index_bytes == 2) {
            memcpy(&index, indices, 2);
        }
        for (uint32_t i = 0; i < width; i++) {
            *x++ = q[index * width + i];
        }
    }
}

/* Add a tile's products to the sums of its rows. Inlined, with the size known, it keeps the inputs in registers. */
static inline void add_products(int32_t *restrict sum, const int8_t *restrict weights, const int8_t *restrict x,
                                int rows, int columns) {
    for (int row = 0; row < rows; row++) {
        for (int column = 0; column < columns; column++) {
            sum[row] += weights[columns * row + column] * x[column];
        }
    }
}

static void product(const matrix *m, const int8_t *q, int32_t *acc, uint8_t *gathered) {
    const uint32_t high = m->is_sparse ? SPARSE_ROWS : DENSE_ROWS;
    const uint8_t *tiles = m->tiles;
    size_t tile = 0;
    (void)gathered;
    for (uint32_t block = 0; block < m->row_blocks; block++) {
        int32_t sum[DENSE_ROWS] = {0};
        const uint32_t here = m->is_sparse ? m->tile_counts[block] : m->tiles_per_block;
        for (uint32_t i = 0; i < here; i++, tile++, tiles += m->is_four_bit ? TILE / 2 : TILE) {
            int8_t unpacked[TILE], x[SPARSE_COLUMNS];
            const int8_t *weights = (const int8_t *)tiles;
            if (m->is_four_bit) {
                unpack(m->codebook, tiles, unpacked);
                weights = unpacked;
            }
            if (m->is_sparse) {
                gather(m, tile, q, x);
                add_products(sum, weights, x, SPARSE_ROWS, SPARSE_COLUMNS);
            } else {
                add_products(sum, weights, q + DENSE_COLUMNS * i, DENSE_ROWS, DENSE_COLUMNS);
            }
        }
        for (uint32_t row = 0; row < high; row++) {
            const uint32_t at = high * block + row;
            acc[at] = m->steps != NULL && at < m->rows ? sum[row] * m->steps[at] : sum[row];
        }
    }
}

static bool runs_here(void) { return true; }

const elementwise tinyrnn_portable_lines = {quantize_frame, quantize_state, affine, rectify, gates};

const kernel tinyrnn_portable = {"portable", false, runs_here, product, &tinyrnn_portable_lines};
