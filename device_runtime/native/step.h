/* The parts of a step, and what they find in the scratch. */
#ifndef TINYRNN_STEP_H
#define TINYRNN_STEP_H

#include <string.h>

#include "model.h"

static inline float *floats(uint8_t *scratch, size_t at) { return (float *)(void *)(scratch + at); }
static inline int32_t *ints(uint8_t *scratch, size_t at) { return (int32_t *)(void *)(scratch + at); }
static inline int8_t *bytes(uint8_t *scratch, size_t at) { return (int8_t *)(void *)(scratch + at); }

/* The sums of a matrix; of two factors, those of the second. */
static inline void multiply(const tinyrnn *model, uint8_t *scratch, const matrix *m, const int8_t *q, int32_t *sums) {
    const kernel *k = model->kernel;
    uint8_t *gathered = scratch + model->gathered_at;
    if (m->inner != NULL) {
        int8_t *between = bytes(scratch, model->between_at);
        k->product(m->inner, q, sums, gathered);
        k->lines->requantize(m->inner, sums, between);
        q = between;
    }
    k->product(m, q, sums, gathered);
}

/* The int8 states of a decode layer's positions, from the GRU before it. */
void tinyrnn_decode(const tinyrnn *model, uint8_t *scratch, const layer *decode, int8_t *q);

/* The linear map's frames out of a stream's state, and back into it. */
void tinyrnn_linear_take(const tinyrnn *model, uint8_t *scratch, const float *state);
void tinyrnn_linear_give(const tinyrnn *model, const uint8_t *scratch, float *state);

/* One frame more, as the quantizer gives it. */
void tinyrnn_linear_push(const tinyrnn *model, uint8_t *scratch, const int8_t *q);

/* What the map adds to the scores. */
void tinyrnn_linear_add(const tinyrnn *model, uint8_t *scratch, float *scores);

#endif
