/* Plain C: for every processor, and the second opinion on every other kernel. */
#include <math.h>

#include "gather.h"
#include "model.h"
#include "tiles.h"

#define LANES 1
#define RAISED 0
typedef float lanes;
typedef int32_t whole;
static inline lanes load(const float *v) { return *v; }
static inline void store(float *to, lanes v) { *to = v; }
static inline lanes set(float v) { return v; }
static inline lanes add(lanes a, lanes b) { return a + b; }
static inline lanes sub(lanes a, lanes b) { return a - b; }
static inline lanes mul(lanes a, lanes b) { return a * b; }
static inline lanes scaled(lanes v, float k, lanes w) { return v * k + w; }
static inline void store_int32(int32_t *to, whole v) { *to = v; }
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

static inline lanes lookup(const int16_t *middle, whole at) { return (float)middle[at]; }

#include "gates.h"

static inline void add_tile(const int8_t *restrict w, const int8_t *restrict x, uint32_t high, uint32_t wide,
                            int32_t *restrict sum) {
    for (uint32_t row = 0; row < high; row++) {
        for (uint32_t column = 0; column < wide; column++) {
            sum[row] += w[wide * row + column] * x[column];
        }
    }
}

/* The rows of one block; sizes that are known make loops that are unrolled. */
static void add_tiles(const matrix *m, size_t tile, size_t count, const int8_t *x, int32_t sum[HIGH_ROWS]) {
    int8_t decoded[TILE];
    for (; count > 0; count--, tile++, x += m->tile_columns) {
        const int8_t *w = (const int8_t *)m->tiles + tile * TILE;
        if (m->is_four_bit) {
            for (uint32_t at = 0; at < TILE; at++) {
                decoded[at] = (int8_t)value_at(m, tile, at);
            }
            w = decoded;
        }
        if (m->tile_rows == HIGH_ROWS) {
            add_tile(w, x, HIGH_ROWS, HIGH_COLUMNS, sum);
        } else {
            add_tile(w, x, LOW_ROWS, LOW_COLUMNS, sum);
        }
    }
}

static void product(const matrix *m, const int8_t *q, int32_t *acc, uint8_t *gathered) {
    const uint32_t high = m->tile_rows, wide = m->tile_columns;
    const int8_t *x = q;
    if (m->is_sparse) {
        gather(m, m->tile_count * (wide / m->block_columns), (const uint8_t *)q, gathered);
        x = (const int8_t *)gathered;
    }
    size_t tile = 0;
    for (uint32_t block = 0; block < m->row_blocks; block++) {
        const uint32_t here = m->is_sparse ? m->tile_counts[block] : m->tiles_per_block;
        int32_t sum[HIGH_ROWS] = {0};
        add_tiles(m, tile, here, x, sum);
        for (uint32_t row = high * block; row < high * (block + 1); row++) {
            acc[row] = m->steps != NULL && row < m->rows ? sum[row % high] * m->steps[row] : sum[row % high];
        }
        tile += here;
        x += m->is_sparse ? here * wide : 0;
    }
}

static void products(const matrix *m, const int8_t *q, uint32_t hop, uint32_t windows, int32_t *acc,
                     uint8_t *gathered) {
    for (uint32_t window = 0; window < windows; window++) {
        product(m, q + (size_t)window * hop, acc + (size_t)window * m->rows, gathered);
    }
}

static bool runs_here(void) { return true; }

const elementwise tinyrnn_portable_lines = {quantize_frame, quantize_state, affine, rectify, requantize, gates, sru};

/* Where the compiler has vectors, a dense tile of 16 rows gains more by them than one whose inputs are looked up. */
#if defined(__SSE2__) || defined(__ARM_NEON)
#define HIGH {30, 0, 0}
#else
#define HIGH {12, 5, 0}
#endif

const kernel tinyrnn_portable = {"portable", false, HIGH, {12, 5, 0}, 0,
                                 runs_here, product, product, &tinyrnn_portable_lines, products, false};
