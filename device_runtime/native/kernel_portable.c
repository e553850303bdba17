/* Plain C: for every processor, and the second opinion on every other kernel. */
#include <math.h>

#include "model.h"
#include "tiles.h"

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

static void product(const matrix *m, const int8_t *q, int32_t *acc, uint8_t *gathered) {
    const uint32_t high = m->is_sparse ? SPARSE_ROWS : DENSE_ROWS, wide = m->is_sparse ? SPARSE_COLUMNS : DENSE_COLUMNS;
    const int8_t *x = q;
    if (m->is_sparse) {
        for (size_t i = 0; i < (size_t)m->tile_count * wide; i++) {
            gathered[i] = (uint8_t)q[column_of(m, i / wide, (uint32_t)(i % wide))];
        }
        x = (const int8_t *)gathered;
    }
    size_t tile = 0;
    for (uint32_t block = 0; block < m->row_blocks; block++) {
        uint32_t here = m->is_sparse ? m->tile_counts[block] : m->tiles_per_block;
        for (uint32_t row = 0; row < high; row++) {
            int32_t sum = 0;
            for (uint32_t i = 0; i < here * wide; i++) {
                sum += x[i] * value_at(m, tile + i / wide, wide * row + i % wide);
            }
            acc[high * block + row] = m->steps != NULL && high * block + row < m->rows
                                          ? sum * m->steps[high * block + row]
                                          : sum;
        }
        tile += here;
        x += m->is_sparse ? here * wide : 0;
    }
}

static bool runs_here(void) { return true; }

const elementwise tinyrnn_portable_lines = {quantize_frame, quantize_state, affine, rectify, gates};

const kernel tinyrnn_portable = {"portable", false, runs_here, product, &tinyrnn_portable_lines};
