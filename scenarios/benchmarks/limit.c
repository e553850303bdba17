/* The int8 matrix-vector products of a step and nothing else: no gates, no quantizing, no state, no file, no Python.
 *
 * It runs the engine's own kernel on the very weights of the model, dense ones. Matrices that do not fit into the first
 * cache are cut into pieces of whole rows that do, and each piece is multiplied again and again before the next one is
 * begun, so that no weight ever comes from further away than that cache. A step, which needs all the weights in turn,
 * cannot do that. */
#define _POSIX_C_SOURCE 199309L /* clock_gettime */
#include <stdint.h>
#include <time.h>

#include "model.h"

static uint64_t cpu_ns(void) {
    struct timespec now;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

/* Rows of the matrix from a block on, as a matrix of their own. */
static matrix piece(const matrix *m, uint32_t block, uint32_t blocks) {
    matrix cut = *m;
    cut.row_blocks = blocks;
    cut.rows = m->tile_rows * blocks;
    cut.tiles += (size_t)block * m->tiles_per_block * TILE;
    if (cut.row_offset != NULL) {
        cut.row_offset += m->tile_rows * block;
    }
    return cut;
}

/* CPU nanoseconds of the model's products, `repeats` times each; 0 for a model that is not dense 8-bit GRU layers. */
__attribute__((visibility("default"))) uint64_t products_ns(const tinyrnn *model, uint32_t repeats,
                                                            size_t cache_bytes) {
    static int8_t q[MAX_COLUMNS + SLACK] __attribute__((aligned(ALIGNMENT)));
    static int32_t acc[1 << 13] __attribute__((aligned(ALIGNMENT)));
    uint64_t total = 0;
    for (size_t i = 0; i < sizeof q; i++) {
        q[i] = (int8_t)(i * 37 % 255 - 127);
    }
    for (uint32_t at = 0; at < model->matrix_count; at++) {
        const matrix *m = &model->matrices[at];
        const size_t block_bytes = (size_t)m->tiles_per_block * TILE;
        const uint32_t fit = (uint32_t)(cache_bytes / block_bytes) / 4 * 4; /* kernels take 4 blocks at a time */
        if (m->is_sparse || m->is_four_bit || m->steps != NULL || fit == 0 || m->rows > sizeof acc / sizeof *acc) {
            return 0;
        }
        for (uint32_t block = 0; block < m->row_blocks; block += fit) {
            const uint32_t left = m->row_blocks - block;
            const matrix cut = piece(m, block, left < fit ? left : fit);
            model->kernel->product(&cut, q, acc, NULL); /* brings the piece into the cache */
            const uint64_t start = cpu_ns();
            for (uint32_t i = 0; i < repeats; i++) {
                model->kernel->product(&cut, q, acc, NULL);
            }
            total += cpu_ns() - start;
        }
    }
    return total;
}
