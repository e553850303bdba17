/* The inputs that the tiles of a sparse matrix meet, in their order, one index after the other. */
#ifndef TINYRNN_GATHER_H
#define TINYRNN_GATHER_H

#include <string.h>

#include "model.h"

#define ALWAYS_INLINE static inline __attribute__((always_inline))

/* `width` inputs for each of `count` indices. What is written overlaps nothing: without that word each index would be
 * looked up through the matrix again. */
ALWAYS_INLINE void gather_each(const uint8_t *restrict indices, size_t count, size_t index_bytes, size_t width,
                               const uint8_t *restrict q, uint8_t *restrict gathered) {
    for (size_t i = 0; i < count; i++) {
        uint16_t index = indices[i * index_bytes];
        if (index_bytes == 2) {
            memcpy(&index, indices + 2 * i, 2);
        }
        memcpy(gathered + width * i, q + width * index, width);
    }
}

static inline void gather(const matrix *m, size_t count, const uint8_t *q, uint8_t *gathered) {
    const size_t width = m->block_columns;
    if (m->index_bytes == 2) {
        gather_each(m->indices, count, 2, width, q, gathered);
    } else if (width == 1) {
        gather_each(m->indices, count, 1, 1, q, gathered);
    } else if (width == 2) {
        gather_each(m->indices, count, 1, 2, q, gathered);
    } else {
        gather_each(m->indices, count, 1, 4, q, gathered);
    }
}

#endif
